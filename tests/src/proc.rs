//! A look at processes from outside, through `/proc`: families, memory in use, bytes read, and what
//! their memory holds.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A process and all that descend from it, the oldest first.
pub fn family(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(parent) = parent(pid)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        family.extend(children.remove(&family[next]).unwrap_or_default());
        next += 1;
    }
    family
}

/// Whether a process exists and has not ended.
pub fn is_running(pid: u32) -> bool {
    stat_fields(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

/// The command line of a process, arguments joined by spaces; empty if it is gone.
pub fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// The names of a process's threads, as far as the system keeps them (15 bytes each).
pub fn thread_names(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(name).map(|name| name.trim_end().to_owned()).collect()
}

/// Memory that is this process's own, in bytes: anonymous pages, and shared memory it has mapped. Pages
/// of files are left out: the system may drop them at will.
pub fn own_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kib(&status, "RssAnon:") + kib(&status, "RssShmem:")
}

/// Bytes that a process has read so far, from wherever, cached or not.
pub fn bytes_read(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    value(&io, "rchar:").parse().unwrap_or(0)
}

/// Time that a process has spent computing, all its threads together.
pub fn cpu_time(pid: u32) -> Duration {
    // Of utime and stime, the 14th and 15th field of stat; both count hundredths of a second (USER_HZ).
    let fields = stat_fields(pid).unwrap_or_default();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * (ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)))
}

/// For each needle, whether a process holds it in memory that was written to: heaps, stacks, data.
/// What is only in the program's own file (its string constants) does not count.
///
/// # Errors
/// If the memory of the process may not be read.
pub fn memory_holds(pid: u32, needles: &[&[u8]]) -> io::Result<Vec<bool>> {
    const STEP: usize = 4 << 20;
    let overlap = needles.iter().map(|needle| needle.len()).max().unwrap_or(0);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut found = vec![false; needles.len()];
    let mut buffer = vec![0; STEP + overlap];
    for (start, end) in maps.lines().filter_map(writable_range) {
        let mut at = start;
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            // A region can go away under our eyes; what can still be read of it counts.
            let read = memory.read_at(&mut buffer[..length], at).unwrap_or(0);
            for (found, needle) in found.iter_mut().zip(needles) {
                *found = *found || contains(&buffer[..read], needle);
            }
            at += STEP as u64;
        }
    }
    Ok(found)
}

/// Whether `needle` occurs in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else { return true };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&byte| byte == first) {
        from += at + 1;
        if bytes[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

fn parent(pid: u32) -> Option<u32> {
    stat_fields(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name, which may itself contain anything: state, parent, …
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

fn writable_range(line: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    if !rest.starts_with("rw") {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

fn kib(text: &str, key: &str) -> u64 {
    let kib: u64 = value(text, key).trim_end_matches(" kB").trim().parse().unwrap_or(0);
    kib * 1024
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_holds_a_text_is_told_from_memory_that_does_not() {
        // A child has its environment in memory; our own memory would hold what we look for.
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env("CANARY", "a text that only this process has")
            .spawn()
            .unwrap();
        let needles: [&[u8]; 2] = [b"a text that only this process has", b"a text that it lacks"];
        let found = memory_holds(child.id(), &needles);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.unwrap(), [true, false]);
    }

    #[test]
    fn a_needle_is_found_wherever_it_is() {
        for (bytes, needle, expected) in [
            (&b"abcabd"[..], &b"abd"[..], true),
            (b"abcab", b"abd", false),
            (b"d", b"d", true),
            (b"", b"d", false),
            (b"aaab", b"aab", true),
        ] {
            assert_eq!(contains(bytes, needle), expected, "{needle:?} in {bytes:?}");
        }
    }

    #[test]
    fn a_family_begins_with_oneself() {
        assert_eq!(family(std::process::id())[0], std::process::id());
        assert!(is_running(std::process::id()));
        assert!(own_memory(std::process::id()) > 0);
    }
}
