//! Makes the corpus: what attackers and accidents are known to do with names, family by family, each spelled
//! out in as many ways as there are. The same each time.

use std::collections::BTreeSet;

use super::{COUNT, script::SCRIPTS};

/// The text of `corpus/names.tsv`.
///
/// # Panics
/// Never: the families have more names than are wanted.
pub fn corpus() -> String {
    let families: [(&str, Vec<String>); 26] = [
        ("script", SCRIPTS.iter().map(|&name| name.to_owned()).collect()),
        ("traversal", traversal()),
        ("absolute", absolute()),
        ("device", devices()),
        ("stream", streams()),
        ("dots-and-spaces", dots_and_spaces()),
        ("control", control()),
        ("ansi", ansi()),
        ("bidi", bidi()),
        ("invisible", invisible()),
        ("homoglyph", homoglyphs()),
        ("normal-form", normal_forms()),
        ("case", cases()),
        ("collision", collisions()),
        ("overlong", overlong()),
        ("deep", deep()),
        ("percent", percent()),
        ("shell", shell()),
        ("dash", dashes()),
        ("hidden", hidden()),
        ("state", state()),
        ("risky", risky()),
        ("emoji", emoji()),
        ("injection", injection()),
        ("malformed", malformed()),
        ("mixed", mixed()),
    ];
    let mut seen = BTreeSet::new();
    let mut lines = String::new();
    for (family, paths) in families {
        for path in paths {
            if seen.len() < COUNT && seen.insert(path.clone()) {
                lines.push_str(family);
                lines.push('\t');
                lines.push_str(&quoted(&path));
                lines.push('\n');
            }
        }
    }
    assert_eq!(seen.len(), COUNT, "there are too few names");
    lines
}

/// A JSON string of printable ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    quoted + "\""
}

/// Every first part with every second.
fn cross(first: &[&str], second: &[&str]) -> Vec<String> {
    first.iter().flat_map(|a| second.iter().map(move |b| format!("{a}{b}"))).collect()
}

/// A character at each place of a name where it can mislead.
fn around(c: &str) -> [String; 5] {
    [
        format!("{c}start.txt"),
        format!("mid{c}dle.txt"),
        format!("photo.jpg{c}.exe"),
        format!("photo.{c}exe"),
        format!("end.txt{c}"),
    ]
}

fn traversal() -> Vec<String> {
    const STEPS: &[&str] = &[
        "../", "..\\", ".. /", "../ ", "..../", "....//", "..;/", ".%2e/", "%2e%2e/", "%2e%2e%2f",
        "..%2f", "..%5c", "%252e%252e%252f", "..%c0%af", "%c0%ae%c0%ae/", "..%u2215", "..\u{2215}",
        "..\u{2044}", "..\u{ff0f}", "..\u{ff3c}", "\u{ff0e}\u{ff0e}/", "\u{2025}/", "..\u{200b}/",
        ".\u{200d}./", "..\u{0}/", "..\r/", "...\\.\\", "./../", "a/../../", ".//..//",
    ];
    const TARGETS: &[&str] = &["etc/passwd", "evil", ".ssh/authorized_keys", "outside/mine.txt", "link"];
    let times = |n: usize| STEPS.iter().map(move |step| step.repeat(n)).collect::<Vec<_>>();
    let steps: Vec<String> = [1, 2, 5].into_iter().flat_map(times).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    cross(&steps, TARGETS)
}

fn absolute() -> Vec<String> {
    const ROOTS: &[&str] = &[
        "/", "//", "\\", "\\\\", "C:", "c:\\", "C:/", "Z:..\\", "\\\\?\\C:\\", "\\\\.\\", "\\??\\",
        "\\\\server\\share\\", "//server/share/", "\\\\127.0.0.1\\c$\\", "\\\\?\\UNC\\server\\share\\",
        "\\\\?\\GLOBALROOT\\Device\\", "file:///", "file:\\\\", "~/", "~root/", "~", "$HOME/",
        "${HOME}/", "$(pwd)/", "%APPDATA%\\", "%USERPROFILE%/", "%SystemRoot%\\", "/proc/self/cwd/",
        "/dev/", "/proc/self/fd/1/", ":", "::", "C::", "1:", "\u{ff23}:", "C\u{ff1a}", "Macintosh HD:",
        "smb:\\\\server\\", "/./", "\\/",
    ];
    const TARGETS: &[&str] =
        &["evil", "etc/passwd", "Windows\\System32\\evil.dll", "tmp/evil.txt", "PhysicalDrive0"];
    cross(ROOTS, TARGETS)
}

fn devices() -> Vec<String> {
    let ports = ["COM", "LPT", "com", "Lpt"].iter().flat_map(|port| {
        ["0", "1", "5", "9", "10", "\u{b9}", "\u{b2}", "\u{b3}"].map(|n| format!("{port}{n}"))
    });
    let others = [
        "CON", "con", "PRN", "AUX", "aux", "NUL", "nul", "Nul", "CONIN$", "CONOUT$", "CLOCK$", "KEYBD$",
        "SCREEN$", "$MFT", "$Bitmap", "$Extend", "pagefile.sys", "PhysicalDrive0",
    ];
    let names: Vec<String> = ports.chain(others.map(str::to_owned)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cross(&names, &["", ".txt", ".tar.gz", " ", ".", " .txt", ":", "/x"])
}

fn streams() -> Vec<String> {
    const FILES: &[&str] = &["mine.txt", "README", "a.exe", ".", "x ", "link", "photo.jpg"];
    cross(
        FILES,
        &[
            ":evil", ":evil.exe", "::$DATA", ":evil:$DATA", "::$INDEX_ALLOCATION", ":$I30",
            ":$I30:$INDEX_ALLOCATION", ":Zone.Identifier", "::$ATTRIBUTE_LIST", ":\u{0}", ":..\\evil",
            ":::$DATA", "\u{ff1a}evil", "/..namedfork/rsrc", "/..namedfork/data",
        ],
    )
}

fn dots_and_spaces() -> Vec<String> {
    let mut names: Vec<String> = (1..=12).map(|n| ".".repeat(n)).collect();
    names.extend((1..=6).map(|n| " ".repeat(n)));
    names.extend((1..=4).flat_map(|n| {
        let (dots, spaces) = (".".repeat(n), " ".repeat(n));
        [
            format!("{dots} "), format!(" {dots}"), format!("{dots}{spaces}{dots}"),
            format!("name{dots}"), format!("name{spaces}"), format!("name{spaces}{dots}"),
            format!("{spaces}name"), format!("name.txt{spaces}.exe"), format!("{dots}name"),
            format!("name{dots}/inside"), format!("{spaces}/inside"), format!("{dots}x/inside"),
        ]
    }));
    // Spaces that are not U+0020.
    for c in "\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\
              \u{2009}\u{200a}\u{202f}\u{205f}\u{3000}"
        .chars()
    {
        names.extend([c.to_string(), format!("..{c}"), format!("a{c}.exe"), format!("photo.jpg{c}")]);
    }
    names
}

fn control() -> Vec<String> {
    let codes = (0x00..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029, 0xfffe, 0xffff, 0xfdd0]);
    codes.filter_map(char::from_u32).flat_map(|c| around(&c.to_string())).collect()
}

fn ansi() -> Vec<String> {
    const SEQUENCES: &[&str] = &[
        "[2J", "[H", "[1A", "[2K", "[31m", "[0m", "[8m", "[?25l", "[?1049h", "[?1000h", "[6n", "[c", "[>c",
        "[5n", "[20t", "[21t", "[3J", "[9999B", "[s", "[u", "[12l", "c", "7", "8", "D", "M", "E", "#8", "(0",
        "%G", "P$q\"p\u{1b}\\", "]0;title\u{7}", "]2;title\u{1b}\\", "]4;1;rgb:f/f/f\u{7}",
        "]8;;https:canary.invalid\u{7}link", "]50;font\u{7}", "]52;c;ZXZpbA==\u{7}", "]1337;File=x\u{7}",
        "]9;4;1;50\u{7}", "]777;notify;a;b\u{7}", "_Gi=1;AAAA\u{1b}\\", "^x\u{1b}\\", "Xx\u{1b}\\", "[?1;2c",
        "[200~evil\u{1b}[201~", "k evil\u{1b}\\",
    ];
    SEQUENCES
        .iter()
        .flat_map(|sequence| {
            [
                format!("\u{1b}{sequence}.txt"),
                format!("a\u{1b}{sequence}b"),
                format!("c1\u{9b}{}", sequence.trim_start_matches('[')),
                format!("two\nlines\r\u{1b}{sequence}"),
                format!("folder\u{1b}{sequence}x/file"),
            ]
        })
        .collect()
}

fn bidi() -> Vec<String> {
    let turning = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\
                   \u{2069}\u{206a}\u{206b}\u{206c}\u{206d}\u{206e}\u{206f}";
    let mut names: Vec<String> = turning
        .chars()
        .flat_map(|c| {
            let own = [
                format!("invoice{c}fdp.exe"),
                format!("{c}txt.exe"),
                format!("\u{5d0}{c}a.\u{5d1}"),
                format!("folder{c}x/file{c}.js"),
            ];
            around(&c.to_string()).into_iter().chain(own)
        })
        .collect();
    for word in ["\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "\u{645}\u{631}\u{62d}\u{628}\u{627}", "\u{7dc}\u{7de}"] {
        names.extend(cross(&[word], &[".exe", ".txt", " (1).exe", "/../x", "/evil", "-\u{202e}gpj.scr"]));
    }
    names
}

fn invisible() -> Vec<String> {
    "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{2061}\
     \u{2062}\u{2063}\u{2064}\u{2800}\u{3164}\u{fe00}\u{fe0e}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffa}\
     \u{fffb}\u{fffc}\u{1bca0}\u{1d173}\u{e0001}\u{e0020}\u{e0041}\u{e007f}\u{e0100}\u{e01ef}"
        .chars()
        .flat_map(|c| {
            let own = [format!(".gi{c}t/config"), format!("{c}"), format!("\u{6587}{c}{c}.exe")];
            around(&c.to_string()).into_iter().chain(own)
        })
        .collect()
}

fn homoglyphs() -> Vec<String> {
    // Latin letters and what looks like them, in Cyrillic, Greek, Armenian, mathematics and full width.
    const ALIKE: &[(char, &str)] = &[
        ('a', "\u{430}\u{3b1}\u{251}\u{ff41}\u{1d41a}"),
        ('c', "\u{441}\u{3f2}\u{ff43}\u{1d41c}"),
        ('e', "\u{435}\u{4bd}\u{ff45}\u{212e}"),
        ('i', "\u{456}\u{3b9}\u{ff49}\u{2170}\u{131}"),
        ('o', "\u{43e}\u{3bf}\u{585}\u{ff4f}\u{1d428}"),
        ('p', "\u{440}\u{3c1}\u{ff50}"),
        ('x', "\u{445}\u{3c7}\u{ff58}\u{2179}"),
        ('y', "\u{443}\u{3b3}\u{ff59}"),
        ('s', "\u{455}\u{ff53}"),
        ('.', "\u{2024}\u{ff0e}\u{3002}\u{ff61}"),
        ('/', "\u{2044}\u{2215}\u{29f8}\u{ff0f}"),
    ];
    let words = [
        "paypal.exe", "report.doc", "icon.svg", "copy.sh", "../escape", "a/b/c", "expo.pif", "invoice.pdf",
    ];
    let mut names = Vec::new();
    for word in words {
        for (letter, alike) in ALIKE {
            for other in alike.chars().filter(|_| word.contains(*letter)) {
                names.push(word.replacen(*letter, &other.to_string(), 1));
            }
        }
    }
    names
}

fn normal_forms() -> Vec<String> {
    // A letter, its mark, and both in one.
    const COMPOSED: &[(&str, &str)] = &[
        ("\u{300}", "A\u{c0}E\u{c8}I\u{cc}O\u{d2}U\u{d9}a\u{e0}e\u{e8}i\u{ec}o\u{f2}u\u{f9}n\u{1f9}"),
        ("\u{301}", "A\u{c1}E\u{c9}I\u{cd}O\u{d3}U\u{da}a\u{e1}e\u{e9}i\u{ed}o\u{f3}u\u{fa}y\u{fd}c\u{107}"),
        ("\u{302}", "A\u{c2}E\u{ca}I\u{ce}O\u{d4}U\u{db}a\u{e2}e\u{ea}i\u{ee}o\u{f4}u\u{fb}w\u{175}"),
        ("\u{303}", "A\u{c3}N\u{d1}O\u{d5}a\u{e3}n\u{f1}o\u{f5}i\u{129}"),
        ("\u{308}", "A\u{c4}E\u{cb}I\u{cf}O\u{d6}U\u{dc}a\u{e4}e\u{eb}i\u{ef}o\u{f6}u\u{fc}y\u{ff}"),
        ("\u{30a}", "A\u{c5}a\u{e5}u\u{16f}"),
        ("\u{30c}", "C\u{10c}S\u{160}Z\u{17d}c\u{10d}s\u{161}z\u{17e}e\u{11b}r\u{159}"),
        ("\u{327}", "C\u{c7}c\u{e7}s\u{15f}t\u{163}"),
        ("\u{328}", "a\u{105}e\u{119}i\u{12f}"),
    ];
    let mut names = Vec::new();
    for (mark, pairs) in COMPOSED {
        let letters: Vec<char> = pairs.chars().collect();
        for pair in letters.chunks(2) {
            names.extend([format!("nf {}.txt", pair[1]), format!("nf {}{mark}.txt", pair[0])]);
        }
    }
    // What has one decomposition and several spellings.
    for word in [
        "\u{212b}", "\u{c5}", "A\u{30a}", "\u{2126}", "\u{3a9}", "\u{212a}", "K", "\u{1e69}",
        "s\u{323}\u{307}", "s\u{307}\u{323}", "\u{1e9b}\u{323}", "\u{d55c}", "\u{1112}\u{1161}\u{11ab}",
        "\u{fb01}", "fi", "\u{2460}", "1", "\u{ff21}", "A", "\u{f900}", "\u{8c48}", "\u{958}",
        "\u{915}\u{93c}", "\u{344}", "\u{308}\u{301}", "\u{1f71}", "\u{3ac}",
    ] {
        names.extend([format!("word {word}.txt"), format!("folder {word}/x"), format!("{word}/{word}")]);
    }
    names
}

fn cases() -> Vec<String> {
    const WORDS: &[&str] = &[
        "readme.md", "mine.txt", "makefile", "license", "config.sys", "desktop.ini", "stra\u{df}e",
        "\u{131}stanbul", "\u{3c3}\u{3bf}\u{3c6}\u{3cc}\u{3c2}", "\u{17f}et", "\u{fb01}le", "\u{149}x", "elve\u{10d}",
        "\u{1f3}ungla", "\u{430}\u{431}\u{432}", "\u{10428}", "link", "neighbour",
    ];
    let mut names = Vec::new();
    for word in WORDS {
        let upper = word.to_uppercase();
        let first: String = word.chars().take(1).flat_map(char::to_uppercase).collect();
        let title = first + &word.chars().skip(1).collect::<String>();
        let odd: String = word
            .chars()
            .enumerate()
            .flat_map(|(i, c)| if i % 2 == 0 { vec![c] } else { c.to_uppercase().collect() })
            .collect();
        for name in [(*word).to_owned(), upper.clone(), title, odd, upper.to_lowercase()] {
            names.extend([format!("{name}/in"), format!("case/{name}"), format!("{name}.txt")]);
        }
    }
    names
}

fn collisions() -> Vec<String> {
    // Different here, one name once made safe.
    let mut names = Vec::new();
    for base in ["same", "same.txt", "same.tar.gz", ".same", "same folder"] {
        for c in ['\u{1}', '\u{2}', '\u{1b}', '\\', '\u{202e}', '\u{200b}', '\u{feff}', '_'] {
            names.extend([format!("{base}{c}"), format!("{base}{c}/x"), format!("{c}{base}")]);
        }
        names.extend((1..=9).map(|n| format!("{base}_ ({n})")));
    }
    for n in 0..30 {
        names.extend([format!("mine ({n}).txt"), format!("mine{}.txt", " (1)".repeat(n / 3 + 1))]);
    }
    names
}

fn overlong() -> Vec<String> {
    let mut names = Vec::new();
    for unit in ["a", ".", " ", "\u{e9}", "\u{65e5}", "\u{1f980}", "\u{1}", "\\", "e\u{301}", "\u{200d}", "_"] {
        for bytes in [100, 128, 200, 250, 253, 254, 255, 256, 257, 300, 1000] {
            let count = bytes / unit.len();
            names.push(unit.repeat(count));
            names.push(format!("{}.exe", unit.repeat(count.saturating_sub(2))));
        }
    }
    names
}

fn deep() -> Vec<String> {
    let mut paths = Vec::new();
    for name in ["d", "dd", "folder", "\u{65e5}\u{672c}", "\u{1}", "...", "x ", "CON", "\u{202e}", ".h"] {
        for depth in [10, 64, 200, 500, 1000, 1500] {
            let path = vec![name; depth].join("/");
            paths.extend([format!("{path}/file"), path]);
        }
        paths.push(vec![name.repeat(200 / name.len()); 19].join("/"));
        paths.push(vec![name.repeat(255 / name.len()); 15].join("/"));
    }
    paths
}

fn percent() -> Vec<String> {
    const CODES: &[&str] = &[
        "%", "%%", "%2", "%zz", "%00", "%0", "%u0000", "%u202e", "%ff", "%c0%80", "%f4%90%80%80",
        "%ed%a0%80", "%e2%80%ae", "%1b%5b2J", "%0d%0a", "%2f", "%5c", "%3a", "%7f", "%252f", "%25%32%66",
        "%\u{0}", "%-1", "%n", "%20", "%c3%28", "&#x2e;&#x2e;", "\\u002e\\u002e", "\\x2e\\x2e", "=2e=2e",
    ];
    cross(CODES, &["", "evil", ".txt", "/x", "%2e%2e/evil"])
}

fn shell() -> Vec<String> {
    const WORDS: &[&str] = &[
        ";", "&", "&&", "|", "||", ">", ">>", "<", "<<EOF", "`", "$(", "${", "$'", "\"", "'", "\\", "*", "?",
        "[a-z]", "{a,b}", "~", "!", "!!", "#", "\n", "\r\n", "\t", "^", "%PATH%", "$IFS", "$0", "@(",
    ];
    WORDS
        .iter()
        .flat_map(|word| {
            [
                (*word).to_owned(),
                format!("{word}touch evil"),
                format!("a{word}rm -rf .{word}"),
                format!("{word}{word}x.sh"),
                format!("$(touch evil){word}`touch evil`"),
                format!("{word}/x"),
            ]
        })
        .collect()
}

fn dashes() -> Vec<String> {
    const OPTIONS: &[&str] = &[
        "-", "--", "-rf", "-rf .", "--help", "--version", "-o", "-o.", "--output=.", "-e", "-exec", "-delete",
        "--checkpoint=1", "--checkpoint-action=exec=sh evil.sh", "--to-command=sh", "-I", "--use-compress-program=sh",
        "-oProxyCommand=touch evil", "--upload-pack=touch evil", "-T", "-i", "-c", "--eval=evil", "-\u{2010}",
        "\u{2014}help", "\u{2212}rf", "-\n", "--json", "--only", "--no-preserve-root",
    ];
    cross(OPTIONS, &["", ".txt", "/x"])
}

fn hidden() -> Vec<String> {
    const NAMES: &[&str] = &[
        ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".xprofile",
        ".xinitrc", ".xsession", ".ssh/authorized_keys", ".ssh/config", ".ssh/rc", ".gnupg/gpg.conf", ".netrc",
        ".gitconfig", ".git/config", ".git/hooks/pre-commit", ".gitmodules", ".gitattributes", ".hgrc", ".npmrc",
        ".yarnrc.yml", ".cargo/config.toml", ".config/autostart/evil.desktop", ".config/systemd/user/evil.service",
        ".config/fish/config.fish", ".local/share/applications/evil.desktop", ".local/bin/ls", ".pam_environment",
        ".vimrc", ".exrc", ".emacs", ".gdbinit", ".inputrc", ".curlrc", ".wgetrc", ".pythonrc", ".htaccess",
        ".htpasswd", ".env", ".envrc", ".DS_Store", "._mine.txt", ".Trash/x", ".fseventsd/x", ".lock", ".hidden",
        "Library/LaunchAgents/evil.plist", "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/evil.lnk",
        "desktop.ini", "Thumbs.db", "autorun.inf", "folder.jpg", "__MACOSX/x", "System Volume Information/x",
    ];
    cross(&["", "a/"], NAMES).into_iter().chain(cross(&[".."], &["hidden", ".x", "/x", "bashrc"])).collect()
}

fn state() -> Vec<String> {
    const NAMES: &[&str] = &[
        "", "/journal", "/manifest", "/data/0", "/tree/x", "/names.json", "/placed.json", "/x.gone", "/../mine.txt",
    ];
    cross(
        &[".shoal", ".SHOAL", ".Shoal", "_.shoal", ".shoal ", ".shoal.", ".\u{17f}hoal", ".sh\u{200d}oal", "a/.shoal"],
        NAMES,
    )
}

fn risky() -> Vec<String> {
    const ENDS: &[&str] = &[
        "exe", "EXE", "com", "scr", "pif", "msi", "bat", "cmd", "ps1", "vbs", "js", "jse", "wsf", "hta", "jar", "lnk",
        "url", "scf", "desktop", "app/Contents/MacOS/x", "dmg", "iso", "img", "vhd", "docm", "xlsm", "xll", "reg",
        "sh", "command", "AppImage", "deb", "apk", "settingcontent-ms",
    ];
    ENDS.iter()
        .flat_map(|end| {
            [
                format!("setup.{end}"),
                format!("photo.jpg.{end}"),
                format!("invoice.pdf{}.{end}", " ".repeat(60)),
                format!("notes.txt\u{202e}.{end}"),
                format!("trailing.{end}."),
                format!("stream.{end}:notes.txt"),
                format!(".{end}"),
            ]
        })
        .collect()
}

fn emoji() -> Vec<String> {
    const EMOJI: &[&str] = &[
        "\u{1f469}\u{200d}\u{1f680}", "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}", "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
        "1\u{fe0f}\u{20e3}", "#\u{fe0f}\u{20e3}", "\u{1f1e9}\u{1f1ea}", "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\
        \u{e0067}\u{e007f}", "\u{1f468}\u{1f3fd}\u{200d}\u{1f4bb}", "\u{1f980}", "\u{a9}\u{fe0f}", "\u{263a}\u{fe0e}",
        "\u{200d}\u{1f680}", "\u{1f469}\u{200d}", "\u{1f469}\u{200d}\u{200d}\u{1f680}", "\u{1f3f4}\u{e0001}",
        "\u{1f595}\u{1f3ff}", "\u{1f1e9}", "\u{20e3}", "\u{fe0f}", "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\
        \u{1f466}",
    ];
    cross(EMOJI, &["", ".txt", "a.exe", "/x", " \u{1f980}"])
}

fn injection() -> Vec<String> {
    const TEXTS: &[&str] = &[
        "%s%s%s%n", "%x%x%x", "%99999d", "{0}", "{}", "{:?}", "${jndi:ldap:x}", "${env:PATH}", "#{7*7}", "<%= 7*7 %>",
        "{{7*7}}", "'; DROP TABLE files;--", "' OR '1'='1", "1; SELECT pg_sleep(9)", "=cmd|' C calc'!A0", "+1+1",
        "-1+1", "@SUM(1)", "=HYPERLINK(\"x\")", "\t=1+1", "|| ping x", "*)(uid=*", "<?xml version='1.0'?>", "]]>",
        "{\"event\":\"complete\"}", "\",\"event\":\"error", "\\\",\\\"", "\n{\"event\":\"error\"}", "event: x\n\n",
        "\r\nSet-Cookie: a=b", "\r\n\r\n<html>", "Content-Disposition: x", "a\"; filename=\"b", "a;b=c", "a,b", "\u{feff}{}",
        "__proto__", "constructor", "..\u{0}", "null", "true", "-0", "1e999", "0x41", "NaN", "undefined",
        "#!/bin/sh", "MZ", "PK\u{3}\u{4}", "%PDF-1.7", "GIF89a", "\u{7f}ELF",
    ];
    cross(TEXTS, &["", ".csv", ".txt"])
}

fn malformed() -> Vec<String> {
    const PATHS: &[&str] = &[
        "", "/", "//", "///", ".", "..", "./", "../", "a/", "/a", "a//b", "a/./b", "a/../b", "a/..", "./a", "\u{0}",
        "a\u{0}", "a\u{0}b/c", "\u{0}/a", "a/\u{0}", "a/b/", "/.", "/..", "..a/..", "a/.", ". /a", "a/ ", " /a",
    ];
    PATHS.iter().map(|&path| path.to_owned()).collect()
}

/// Parts of all families at random, by a generator that gives the same each time.
fn mixed() -> Vec<String> {
    const PARTS: &[&str] = &[
        "..", "/", "\\", "C:", "CON", ".", " ", "\u{202e}", "\u{200b}", "\u{1b}[2J", "\n", "<script>", "&amp;", "'", "\"",
        "%2e", "$(x)", "`x`", "-rf", ".exe", ".jpg", ":", "::$DATA", "\u{e9}", "e\u{301}", "\u{1f980}", "\u{200d}",
        "a", "B", "evil", "mine.txt", "_", "~", "|", "*", "?", "#", ";", "\u{9b}", "\u{feff}", "\u{ff0f}", "(1)",
    ];
    let mut state = 0x5eed_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % bound as u64) as usize
    };
    (0..4_000)
        .map(|_| {
            let parts = 2 + next(7);
            (0..parts).map(|_| PARTS[next(PARTS.len())]).collect()
        })
        .collect()
}
