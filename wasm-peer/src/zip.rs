//! ZIP archives of stored (uncompressed) files, as the headers that go between the files: the files
//! themselves are never touched. ZIP64 only where it is needed (APPNOTE.TXT 6.3.10).
//!
//! Names are UTF-8, modification times go along as extended timestamps.

/// A file or empty directory of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// Its path, names joined by `/`.
    pub(crate) path: &'a str,
    /// What it is.
    pub(crate) content: Content,
    /// Last modification, in milliseconds since 1970-01-01 UTC.
    pub(crate) modified_ms: Option<i64>,
}

/// What a member consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// The CRC-32 of its bytes.
        crc32: u32,
    },
    /// An empty directory.
    Directory,
}

/// Writes an archive from front to back.
///
/// The archive is, for each member, what [`ZipWriter::member`] returns and then the member's bytes,
/// and at the end what [`ZipWriter::finish`] returns.
#[derive(Debug, Default)]
pub(crate) struct ZipWriter {
    offset: u64,
    members: u64,
    directory: Vec<u8>,
}

/// Numbers that do not fit their field are told in a ZIP64 record instead.
const IN_ZIP64: u32 = u32::MAX;
const IN_ZIP64_SHORT: u16 = u16::MAX;

const VERSION_DIRECTORY: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// Made on Unix, so that the file modes below count.
const MADE_BY: u16 = 3 << 8 | VERSION_ZIP64;
const FLAG_UTF8: u16 = 1 << 11;
const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_TIMESTAMP: u16 = 0x5455;

impl ZipWriter {
    /// The header of the next member.
    pub(crate) fn member(&mut self, member: &Member<'_>) -> Vec<u8> {
        let (size, crc32, directory) = match member.content {
            Content::File { size, crc32 } => (size, crc32, false),
            Content::Directory => (0, 0, true),
        };
        let offset = self.offset;
        let timestamp = timestamp(member.modified_ms);
        let mut name = member.path.to_owned();
        if directory {
            name.push('/');
        }
        // Every path in a manifest is much shorter than what the field can say.
        let name = &name.as_bytes()[..name.len().min(usize::from(u16::MAX))];
        let (time, date) = dos_time(member.modified_ms.unwrap_or(0));

        // In a local header both sizes are in the record, or neither.
        let large = size >= u64::from(IN_ZIP64);
        let mut extra = if large { zip64(&[size, size]) } else { Vec::new() };
        extra.extend_from_slice(&timestamp);
        let version = if large { VERSION_ZIP64 } else { VERSION_DIRECTORY };
        let size_field = if large { IN_ZIP64 } else { size as u32 };
        let common = |w: &mut Vec<u8>, extra: &[u8]| {
            for field in [version, FLAG_UTF8, 0, time, date] {
                u16(w, field);
            }
            for field in [crc32, size_field, size_field] {
                u32(w, field);
            }
            u16(w, name.len() as u16);
            u16(w, extra.len() as u16);
        };

        let mut local = Vec::with_capacity(30 + name.len() + extra.len());
        local.extend_from_slice(b"PK\x03\x04");
        common(&mut local, &extra);
        local.extend_from_slice(name);
        local.extend_from_slice(&extra);

        let far = offset >= u64::from(IN_ZIP64);
        let mut told = Vec::new();
        if large {
            told.extend([size, size]);
        }
        if far {
            told.push(offset);
        }
        let mut extra = if told.is_empty() { Vec::new() } else { zip64(&told) };
        extra.extend_from_slice(&timestamp);
        let mode: u32 = if directory { 0o040_755 << 16 | 0x10 } else { 0o100_644 << 16 };
        let central = &mut self.directory;
        central.extend_from_slice(b"PK\x01\x02");
        u16(central, MADE_BY);
        common(central, &extra);
        // No comment, first disk, no internal attributes.
        for _ in 0..3 {
            u16(central, 0);
        }
        u32(central, mode);
        u32(central, if far { IN_ZIP64 } else { offset as u32 });
        central.extend_from_slice(name);
        central.extend_from_slice(&extra);

        self.members += 1;
        self.offset += local.len() as u64 + size;
        local
    }

    /// What comes after the last member: the directory and where to find it.
    pub(crate) fn finish(self) -> Vec<u8> {
        let (start, size) = (self.offset, self.directory.len() as u64);
        let mut w = self.directory;
        let large = self.members >= u64::from(IN_ZIP64_SHORT)
            || start >= u64::from(IN_ZIP64)
            || size >= u64::from(IN_ZIP64);
        if large {
            w.extend_from_slice(b"PK\x06\x06");
            u64(&mut w, 44);
            u16(&mut w, MADE_BY);
            u16(&mut w, VERSION_ZIP64);
            u32(&mut w, 0);
            u32(&mut w, 0);
            for field in [self.members, self.members, size, start] {
                u64(&mut w, field);
            }
            w.extend_from_slice(b"PK\x06\x07");
            u32(&mut w, 0);
            u64(&mut w, start + size);
            u32(&mut w, 1);
        }
        let members = u16::try_from(self.members).unwrap_or(IN_ZIP64_SHORT);
        w.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        u16(&mut w, members);
        u16(&mut w, members);
        u32(&mut w, u32::try_from(size).unwrap_or(IN_ZIP64));
        u32(&mut w, u32::try_from(start).unwrap_or(IN_ZIP64));
        u16(&mut w, 0);
        w
    }
}

fn zip64(fields: &[u64]) -> Vec<u8> {
    let mut w = Vec::with_capacity(4 + fields.len() * 8);
    u16(&mut w, EXTRA_ZIP64);
    u16(&mut w, fields.len() as u16 * 8);
    for &field in fields {
        u64(&mut w, field);
    }
    w
}

/// The extended timestamp, if the time is known and fits its 32 bits of seconds.
fn timestamp(modified_ms: Option<i64>) -> Vec<u8> {
    let seconds = modified_ms.and_then(|ms| i32::try_from(ms.div_euclid(1000)).ok());
    let mut w = Vec::new();
    if let Some(seconds) = seconds {
        u16(&mut w, EXTRA_TIMESTAMP);
        u16(&mut w, 5);
        // Only the modification time follows.
        w.push(1);
        w.extend_from_slice(&seconds.to_le_bytes());
    }
    w
}

/// MS-DOS time and date, in UTC; the nearest that it can tell (1980 to 2107).
fn dos_time(ms: i64) -> (u16, u16) {
    let seconds = ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    let (year, month, day) = civil(days);
    match year {
        ..1980 => (0, 1 << 5 | 1),
        1980..2108 => (
            (second / 3600) as u16 * 2048
                + (second / 60 % 60) as u16 * 32
                + (second % 60 / 2) as u16,
            (year - 1980) as u16 * 512 + month * 32 + day,
        ),
        _ => (23 << 11 | 59 << 5 | 29, 127 << 9 | 12 << 5 | 31),
    }
}

/// The Gregorian date of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, u16, u16) {
    // Years begin in March, so that the leap day is the last; eras are 400 years of 146 097 days.
    let from_march_of_year_0 = days.saturating_add(719_468);
    let (era, day) =
        (from_march_of_year_0.div_euclid(146_097), from_march_of_year_0.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month as u16, day as u16)
}

fn u16(w: &mut Vec<u8>, value: u16) {
    w.extend_from_slice(&value.to_le_bytes());
}

fn u32(w: &mut Vec<u8>, value: u32) {
    w.extend_from_slice(&value.to_le_bytes());
}

fn u64(w: &mut Vec<u8>, value: u64) {
    w.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom, Write};

    use super::*;

    const FILES: [(&str, &[u8]); 4] = [
        ("album/a b.txt", b"hello"),
        ("album/\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{1f980}.bin", &[0; 70_000]),
        ("album/e\u{301}", b""),
        ("\u{e9}", b"last"),
    ];

    fn file<'a>(path: &'a str, bytes: &[u8]) -> Member<'a> {
        let crc32 = crc32fast::hash(bytes);
        let content = Content::File { size: bytes.len() as u64, crc32 };
        Member { path, content, modified_ms: Some(1_700_000_001_999) }
    }

    #[test]
    fn another_reader_finds_every_file_directory_and_time() {
        let mut archive = Vec::new();
        let mut writer = ZipWriter::default();
        for (path, bytes) in FILES {
            archive.extend(writer.member(&file(path, bytes)));
            archive.extend(bytes);
        }
        let empty =
            Member { path: "album/empty", content: Content::Directory, modified_ms: Some(-5) };
        archive.extend(writer.member(&empty));
        archive.extend(writer.finish());

        let mut read = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
        assert_eq!(read.len(), FILES.len() + 1);
        for (i, (path, bytes)) in FILES.into_iter().enumerate() {
            let mut member = read.by_index(i).unwrap();
            assert_eq!(member.name().unwrap(), path);
            let mut found = Vec::new();
            member.read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{path}");
            let modified = member.last_modified().unwrap();
            assert_eq!((modified.year(), modified.month(), modified.day()), (2023, 11, 14));
            assert_eq!((modified.hour(), modified.minute(), modified.second()), (22, 13, 20));
            assert_eq!(member.unix_mode(), Some(0o100_644));
        }
        let empty = read.by_index(FILES.len()).unwrap();
        assert!(empty.is_dir());
        assert_eq!(empty.name().unwrap(), "album/empty/");
    }

    /// A file past 4 GiB, one that begins there, and more members than 16 bits can count. The large
    /// file is a hole, so this takes no disk; its contents are not read.
    #[test]
    fn what_does_not_fit_the_old_fields_is_found_all_the_same() {
        let path = std::env::temp_dir().join(format!("shoal-zip64-{}.zip", std::process::id()));
        let mut archive = std::fs::File::create_new(&path).unwrap();
        let mut writer = ZipWriter::default();
        let size = u64::from(u32::MAX) + 7;
        let large =
            Member { path: "large", content: Content::File { size, crc32: 0 }, modified_ms: None };
        archive.write_all(&writer.member(&large)).unwrap();
        archive.seek(SeekFrom::Current(size as i64)).unwrap();
        let mut rest = Vec::new();
        for i in 0..66_000 {
            let name = format!("{i}");
            rest.extend(writer.member(&file(&name, b"small")));
            rest.extend(b"small");
        }
        rest.extend(writer.finish());
        archive.write_all(&rest).unwrap();

        let read = zip::ZipArchive::new(std::fs::File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let mut read = read.unwrap();
        assert_eq!(read.len(), 66_001);
        assert_eq!(read.by_index(0).unwrap().size(), size);
        let mut found = String::new();
        read.by_name("65999").unwrap().read_to_string(&mut found).unwrap();
        assert_eq!(found, "small");
    }

    #[test]
    fn times_are_told_as_well_as_the_format_can() {
        let date = |(_, date): (u16, u16)| (1980 + (date >> 9), date >> 5 & 15, date & 31);
        assert_eq!(date(dos_time(951_782_400_000)), (2000, 2, 29));
        assert_eq!(date(dos_time(4_107_542_400_000)), (2100, 3, 1));
        assert_eq!(date(dos_time(0)), (1980, 1, 1));
        assert_eq!(date(dos_time(i64::MIN)), (1980, 1, 1));
        assert_eq!(date(dos_time(i64::MAX)), (2107, 12, 31));
        assert_eq!(dos_time(951_782_400_000 + 86_399_000).0, 23 << 11 | 59 << 5 | 29);
    }
}
