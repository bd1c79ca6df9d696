//! What opening a file may do, as far as its name tells: by extension, as systems choose what opens it. A
//! name without risk says nothing about what is in the file.

use super::readable;

/// Why a file should be opened only if its sender is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It runs: programs, packages and installers.
    Program,
    /// It is run by another program.
    Script,
    /// It leads elsewhere, or starts something when opened or looked at.
    Shortcut,
    /// A document or add-in with macros in it.
    Macros,
    /// It is mounted like a drive, and what is in it is not marked as coming from elsewhere.
    DiskImage,
    /// One of these made to look like something else: `photo.jpg.exe`.
    Disguised,
}

impl Risk {
    /// One word, for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Script => "script",
            Self::Shortcut => "shortcut",
            Self::Macros => "macros",
            Self::DiskImage => "disk-image",
            Self::Disguised => "disguised",
        }
    }
}

// Extensions, in small letters.

const PROGRAMS: &str = "\
    apk app appimage application appx appxbundle com cpl crx deb dll drv efi exe flatpak \
    gadget ipa jar mpkg msi msix msixbundle msp ocx pif pkg rpm run scr snap sys vsix xapk \
    xpi";
const SCRIPTS: &str = "\
    action ahk applescript bash bat chm cmd command csh diagcab fish hlp hta inf jnlp js \
    jse ksh msh osx pl ps1 ps1xml ps2 psc1 psd1 psm1 py pyc pyw pyz rb reg scpt scptd sct \
    sh shb terminal tool vb vbe vbs workflow ws wsc wsf wsh zsh";
const SHORTCUTS: &str = "\
    afploc appref-ms desktop fileloc inetloc library-ms lnk mad mam rdp scf search-ms \
    searchconnector-ms settingcontent-ms theme themepack url vncloc webloc website";
const MACROS: &str = "\
    accda accdb accde ade adp docm dotm dqy iqy mdb mde one oqy potm ppa ppam ppsm pptm \
    rqy sldm slk wll xla xlam xll xlm xlsb xlsm xltm";
const DISK_IMAGES: &str = "\
    cdr dmg img iso sparsebundle sparseimage toast udf vhd vhdx vmdk";
/// What people expect to be looked at and no more.
const HARMLESS: &str = "\
    7z avi bmp csv doc docx gif gz heic htm html jpeg jpg mkv mov mp3 mp4 odt pdf png ppt \
    pptx rar rtf svg tif tiff txt wav webm webp xls xlsx zip";
/// Whole names that shells and desktops run at the next login.
const STARTUP: &str = "\
    .bash_login .bash_logout .bash_profile .bashrc .profile .xinitrc .xprofile .xsession .zlogin \
    .zprofile .zshenv .zshrc";
/// A whole name that says how a folder looks, and where its icon is fetched from.
const FOLDER_SETTINGS: &str = "desktop.ini";

/// What opening a file of this name may do; `None` if its name tells of nothing.
pub fn risk(name: &str) -> Option<Risk> {
    let name = name.rsplit('/').next().unwrap_or_default();
    let shown = readable(name);
    let visible = shown.replace(char::REPLACEMENT_CHARACTER, "");
    // Windows drops dots and spaces at the end, and what follows a colon is no part of the name.
    let bare = |name: &str| name.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).len();
    let whole = &visible[..bare(&visible)];
    let file = whole.find(':').filter(|&colon| colon > 1).map_or(whole, |colon| &whole[..colon]);
    let file = &file[..bare(file)];
    let (opened, risk) = [whole, file].into_iter().find_map(|it| Some((it, known(it)?)))?;
    let stem = opened.rsplit_once('.').map_or("", |(stem, _)| stem);
    let seems = stem.trim_end().rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_disguised = shown != name
        || opened.len() != visible.len()
        || is_one_of(HARMLESS, &seems.to_lowercase())
        || stem.contains("   ")
        || stem.ends_with(|c: char| c.is_whitespace() && c != ' ');
    Some(if is_disguised { Risk::Disguised } else { risk })
}

fn known(name: &str) -> Option<Risk> {
    let lower = name.to_lowercase();
    if is_one_of(STARTUP, &lower) {
        return Some(Risk::Script);
    }
    if lower == FOLDER_SETTINGS {
        return Some(Risk::Shortcut);
    }
    let (_, extension) = lower.rsplit_once('.')?;
    let kinds = [
        (PROGRAMS, Risk::Program),
        (SCRIPTS, Risk::Script),
        (SHORTCUTS, Risk::Shortcut),
        (MACROS, Risk::Macros),
        (DISK_IMAGES, Risk::DiskImage),
    ];
    if let Some((_, risk)) = kinds.into_iter().find(|(list, _)| is_one_of(list, extension)) {
        return Some(risk);
    }
    // A class of Windows' registry as extension: opened by whatever that is.
    (extension.len() == 38 && extension.starts_with('{') && extension.ends_with('}'))
        .then_some(Risk::Shortcut)
}

fn is_one_of(list: &str, extension: &str) -> bool {
    list.split(' ').any(|known| known == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_small_letters_and_name_nothing_twice() {
        let lists = [PROGRAMS, SCRIPTS, SHORTCUTS, MACROS, DISK_IMAGES, HARMLESS];
        let mut all: Vec<&str> = lists.iter().flat_map(|list| list.split(' ')).collect();
        assert!(all.iter().all(|it| !it.is_empty() && *it == it.to_lowercase()), "{all:?}");
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_runs_when_opened_is_told_from_what_does_not() {
        for (name, found) in [
            ("setup.exe", Risk::Program),
            ("SETUP.EXE", Risk::Program),
            ("a/b/Setup.Msi", Risk::Program),
            ("run.sh", Risk::Script),
            (".bashrc", Risk::Script),
            ("folder/.profile", Risk::Script),
            ("autorun.inf", Risk::Script),
            ("a.lnk", Risk::Shortcut),
            ("Desktop.ini", Risk::Shortcut),
            ("x.{20d04fe0-3aea-1069-a2d8-08002b30309d}", Risk::Shortcut),
            ("budget.xlsm", Risk::Macros),
            ("debian-13.5.0-amd64.iso", Risk::DiskImage),
        ] {
            assert_eq!(risk(name), Some(found), "{name}");
        }
        for name in ["photo.jpg", "exe", "a.exe.txt", "sh", "a.exe/readme", "notes", "", "a."] {
            assert_eq!(risk(name), None, "{name}");
        }
    }

    #[test]
    fn what_looks_like_something_else_is_called_disguised() {
        for name in [
            "photo.jpg.exe",
            "Invoice.PDF.js",
            "a.txt .scr",
            "photo.jpg                              .exe",
            "a   .exe",
            "a\u{a0}.exe",
            "photo\u{202e}gpj.exe",
            "a.exe\u{200b}",
            "a.exe.",
            "a.exe ",
            "a.exe:b.txt",
            "a.exe::$DATA",
            "a.\u{200b}exe",
        ] {
            assert_eq!(risk(name), Some(Risk::Disguised), "{name:?}");
        }
        assert_eq!(risk("backup-2024.01.02.sh"), Some(Risk::Script));
        assert_eq!(risk("c:a.exe"), Some(Risk::Program));
    }
}
