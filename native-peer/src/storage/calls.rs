//! The calls of the file system that storing makes: all that make, open, read, write, rename, sync or
//! remove something go through [`Calls`], and nothing else does.
//!
//! So a test can make any one of them fail (feature `misbehave`, see [`Faults`]), and see that nothing is
//! lost. In products `Calls` is empty and each method is the call itself. Looking whether something is
//! there is not among them.

use std::fs::{File, FileTimes};
use std::io;
use std::path::Path;

#[cfg(unix)]
use cap_std::fs::OpenOptionsExt;
use cap_std::fs::{Dir, OpenOptions};
#[cfg(unix)]
use rustix::fs::OFlags;

#[cfg(feature = "misbehave")]
pub use self::faults::{Fault, Faults};

#[cfg(feature = "misbehave")]
mod faults;

/// Makes calls of the file system.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    #[cfg(feature = "misbehave")]
    pub(super) faults: Faults,
}

/// What a call does, as far as it matters to faults; with the bytes to be read or written.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "misbehave"), expect(dead_code))]
enum Call {
    Read(usize),
    Write(usize),
    Other,
}

/// What of a call is to happen.
enum Turn {
    All,
    /// A read or write ends after so many bytes.
    #[cfg(feature = "misbehave")]
    Part(usize),
}

impl Calls {
    /// Opens a file, or makes it if the options say so. A link is not followed.
    pub(super) fn open(&self, folder: &Dir, name: &str, options: &OpenOptions) -> io::Result<File> {
        self.turn(Call::Other)?;
        Ok(folder.open_with(name, &following_no_link(options.clone()))?.into_std())
    }

    /// Opens a file or folder to read it. A link is not followed.
    pub(super) fn open_to_read(&self, folder: &Dir, path: &Path) -> io::Result<File> {
        self.turn(Call::Other)?;
        let mut options = OpenOptions::new();
        options.read(true);
        Ok(folder.open_with(path, &following_no_link(options))?.into_std())
    }

    /// Opens a folder. A link to one is refused: it may lead anywhere.
    pub(super) fn open_dir(&self, folder: &Dir, name: &str) -> io::Result<Dir> {
        self.turn(Call::Other)?;
        if !folder.symlink_metadata(name)?.is_dir() {
            return Err(io::Error::other("something that is not a folder has its name"));
        }
        #[cfg(unix)]
        {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits() as i32);
            Ok(Dir::from_std_file(folder.open_with(name, &options)?.into_std()))
        }
        #[cfg(not(unix))]
        folder.open_dir(name)
    }

    pub(super) fn create_dir(&self, folder: &Dir, name: &str) -> io::Result<()> {
        self.turn(Call::Other)?;
        folder.create_dir(name)
    }

    pub(super) fn create_dir_all(&self, folder: &Dir, path: &Path) -> io::Result<()> {
        self.turn(Call::Other)?;
        folder.create_dir_all(path)
    }

    /// Reads exactly `length` bytes at `offset`.
    pub(crate) fn read_at(&self, file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            match self.read_some(file, offset + done as u64, &mut bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// Writes all of `bytes` at `offset`.
    pub(super) fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write_some(file, offset + done as u64, &bytes[done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads a file from its beginning to its end.
    pub(super) fn read_all(&self, file: &File) -> io::Result<Vec<u8>> {
        self.read_at(file, 0, usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX))
    }

    /// Reads all of the file of that name; nothing if there is none.
    pub(super) fn read_if_there(&self, folder: &Dir, name: &str) -> io::Result<Vec<u8>> {
        match self.open_to_read(folder, name.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            file => self.read_all(&file?),
        }
    }

    /// Replaces a file beside and over it, so that it is never half there.
    pub(super) fn write_whole(&self, folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{name}.new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let file = self.open(folder, &new, &options)?;
        self.write_at(&file, 0, bytes)?;
        self.sync(&file)?;
        self.rename(folder, new.as_ref(), folder, name.as_ref())?;
        self.sync_dir(folder)
    }

    pub(super) fn set_length(&self, file: &File, length: u64) -> io::Result<()> {
        self.turn(Call::Other)?;
        file.set_len(length)
    }

    pub(super) fn set_times(&self, file: &File, times: FileTimes) -> io::Result<()> {
        self.turn(Call::Other)?;
        file.set_times(times)
    }

    /// Makes the bytes of a file durable.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        self.turn(Call::Other)?;
        file.sync_data()?;
        self.synced(Some(file));
        Ok(())
    }

    /// Makes new names in a folder durable. A [`Dir`] itself is only good for finding names (`O_PATH`).
    pub(super) fn sync_dir(&self, folder: &Dir) -> io::Result<()> {
        self.turn(Call::Other)?;
        // Elsewhere folders cannot be synced, or need not be.
        if cfg!(unix) { folder.open(".")?.sync_all() } else { Ok(()) }
    }

    /// Makes everything on the file system of `folder` durable, or as much as there is a call for.
    pub(super) fn sync_all(&self, folder: &Dir) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            self.turn(Call::Other)?;
            rustix::fs::syncfs(folder.open(".")?)?;
            self.synced(None);
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        self.sync_dir(folder)
    }

    /// Renames over what has the new name, if anything has.
    pub(super) fn rename(
        &self,
        from: &Dir,
        name: &Path,
        to: &Dir,
        new_name: &Path,
    ) -> io::Result<()> {
        self.turn(Call::Other)?;
        from.rename(name, to, new_name)
    }

    /// Moves a file or folder to a name that nothing has; [`io::ErrorKind::AlreadyExists`] otherwise.
    pub(super) fn move_new(
        &self,
        from: &Dir,
        name: &Path,
        to: &Dir,
        new_name: &Path,
    ) -> io::Result<()> {
        self.turn(Call::Other)?;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
                // File systems that cannot do it in one step.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
                result => return Ok(result?),
            }
        }
        if to.symlink_metadata(new_name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        from.rename(name, to, new_name)
    }

    pub(super) fn remove_file(&self, folder: &Dir, name: &str) -> io::Result<()> {
        self.turn(Call::Other)?;
        folder.remove_file(name)
    }

    pub(super) fn remove_dir(&self, folder: &Dir, name: &str) -> io::Result<()> {
        self.turn(Call::Other)?;
        folder.remove_dir(name)
    }

    pub(super) fn remove_dir_all(&self, folder: &Dir, name: &Path) -> io::Result<()> {
        self.turn(Call::Other)?;
        folder.remove_dir_all(name)
    }

    /// Bytes that can still be stored where `folder` is; `None` where the system does not say.
    pub(super) fn available(&self, folder: &Dir) -> io::Result<Option<u64>> {
        #[cfg(unix)]
        {
            self.turn(Call::Other)?;
            let room = rustix::fs::fstatvfs(folder)?;
            Ok(Some(room.f_bavail.saturating_mul(room.f_frsize)))
        }
        #[cfg(not(unix))]
        Ok(None)
    }

    fn read_some(&self, file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let buffer = match self.turn(Call::Read(buffer.len()))? {
            Turn::All => buffer,
            #[cfg(feature = "misbehave")]
            Turn::Part(length) => &mut buffer[..length],
        };
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
    }

    fn write_some(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let bytes = match self.turn(Call::Write(bytes.len()))? {
            Turn::All => bytes,
            #[cfg(feature = "misbehave")]
            Turn::Part(length) => &bytes[..length],
        };
        #[cfg(unix)]
        let written = std::os::unix::fs::FileExt::write_at(file, bytes, offset)?;
        #[cfg(windows)]
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        self.written(file, offset, written);
        Ok(written)
    }
}

/// Has a link refused that stands where a file should. (Links on the way to it lead nowhere outside the
/// folder, and on Windows neither does this one.)
fn following_no_link(options: OpenOptions) -> OpenOptions {
    #[cfg(unix)]
    let options = {
        let mut options = options;
        options.custom_flags(OFlags::NOFOLLOW.bits() as i32);
        options
    };
    options
}

/// Without faults every call has its turn.
#[cfg(not(feature = "misbehave"))]
#[expect(clippy::unused_self, clippy::unnecessary_wraps)]
impl Calls {
    fn turn(&self, _call: Call) -> io::Result<Turn> {
        Ok(Turn::All)
    }

    fn written(&self, _file: &File, _offset: u64, _length: usize) {}

    fn synced(&self, _file: Option<&File>) {}
}

#[cfg(feature = "misbehave")]
impl Calls {
    fn turn(&self, call: Call) -> io::Result<Turn> {
        Ok(self.faults.next(call)?.map_or(Turn::All, Turn::Part))
    }

    fn written(&self, file: &File, offset: u64, length: usize) {
        self.faults.written(file, offset, length);
    }

    fn synced(&self, file: Option<&File>) {
        self.faults.synced(file);
    }
}
