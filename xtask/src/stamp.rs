//! Whether what a build reads has changed since it last succeeded. For Trunk, which starts anew
//! each time; cargo knows by itself.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A list of files with their sizes and times, as it was before the build.
pub(crate) struct Stamp {
    file: PathBuf,
    text: String,
}

impl Stamp {
    /// Lists what is in `inputs`, files or folders, below a line that names everything else the
    /// build depends on. Kept in `file`.
    pub(crate) fn take(file: PathBuf, heading: &str, inputs: &[PathBuf]) -> io::Result<Self> {
        let mut text = format!("{heading}\n");
        for input in inputs {
            list(input, &mut text)?;
        }
        Ok(Self { file, text })
    }

    /// Whether the last successful build saw the same.
    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|old| old == self.text)
    }

    /// Remembers that the build succeeded.
    pub(crate) fn keep(&self) -> io::Result<()> {
        fs::write(&self.file, &self.text)
    }
}

fn list(path: &Path, text: &mut String) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        let mut entries =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| list(entry, text));
    }
    let time = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    writeln!(text, "{} {} {}", path.display(), metadata.len(), time.as_nanos())
        .expect("strings can be written to");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_current_until_a_file_changes_appears_or_goes() {
        let dir = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let inputs = [dir.join("inputs")];
        fs::create_dir_all(inputs[0].join("deep")).unwrap();
        fs::write(inputs[0].join("deep/a"), "a").unwrap();
        let take = || Stamp::take(dir.join("stamp"), "v1", &inputs).unwrap();

        assert!(!take().is_current());
        take().keep().unwrap();
        assert!(take().is_current());
        fs::write(inputs[0].join("deep/a"), "longer").unwrap();
        assert!(!take().is_current());
        take().keep().unwrap();
        fs::write(inputs[0].join("b"), "").unwrap();
        assert!(!take().is_current());
        take().keep().unwrap();
        fs::remove_file(inputs[0].join("deep/a")).unwrap();
        assert!(!take().is_current());
        take().keep().unwrap();
        assert!(!Stamp::take(dir.join("stamp"), "v2", &inputs).unwrap().is_current());
        fs::remove_dir_all(dir).unwrap();
    }
}
