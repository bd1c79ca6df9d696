//! Who this user is towards other peers: the device key, kept in the configuration folder, and a name.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use native_peer::DeviceKey;

use crate::failure::{Code, Failure};

/// The key file: 64 hexadecimal digits.
const KEY_FILE: &str = "device-key";

/// The configuration folder, if the user named none: `$XDG_CONFIG_HOME/shoal` or `~/.config/shoal`.
fn default_folder() -> Option<PathBuf> {
    let from = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return Some(from("APPDATA")?.join("shoal"));
    }
    let config = from("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    Some(config.or_else(|| Some(from("HOME")?.join(".config")))?.join("shoal"))
}

/// The configuration folder: what the user named, or the default.
pub(crate) fn folder(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    named.or_else(default_folder).ok_or_else(|| {
        Failure::new(Code::Files, "there is no home folder for the device key; use --config-dir")
    })
}

/// The key in the configuration folder, made at first use.
pub(crate) fn device_key(folder: &Path) -> Result<DeviceKey, Failure> {
    let path = folder.join(KEY_FILE);
    let failed = |error: io::Error| {
        Failure::new(Code::Files, format!("the device key {}: {error}", path.display()))
    };
    if let Some(key) = read(&path).map_err(failed)? {
        return Ok(key);
    }
    fs::create_dir_all(folder).map_err(failed)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| failed(io::Error::other(e.to_string())))?;
    write_new(&path, &secret).map_err(failed)?;
    // Whichever process was first has decided.
    read(&path).map_err(failed)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn read(path: &Path) -> io::Result<Option<DeviceKey>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let digits = text.trim();
    let byte = |i: usize| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len().div_ceil(2)).map(byte).collect();
    let secret = bytes.and_then(|bytes| bytes.try_into().ok());
    let secret =
        secret.ok_or_else(|| io::Error::other("it is damaged; remove it to get a new one"))?;
    Ok(Some(DeviceKey::from_bytes(secret)))
}

/// Writes the key, readable by this user only, unless there is one by now; never half of it.
fn write_new(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let unfinished = path.with_extension(std::process::id().to_string());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    drop(file);
    let linked = fs::hard_link(&unfinished, path);
    match linked {
        Ok(()) => fs::remove_file(&unfinished),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&unfinished),
        // No hard links here.
        Err(_) => fs::rename(&unfinished, path),
    }
}

/// What others see us as, if the user chose no name: `user@machine`.
pub(crate) fn default_name() -> String {
    let from = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = from("USER").or_else(|| from("LOGNAME")).or_else(|| from("USERNAME"));
    #[cfg(unix)]
    let machine = Some(rustix::system::uname().nodename().to_string_lossy().into_owned());
    #[cfg(not(unix))]
    let machine = from("COMPUTERNAME");
    match (user, machine.filter(|name| !name.is_empty())) {
        (Some(user), Some(machine)) => format!("{user}@{machine}"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => "shoal".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_to_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let key = || device_key(&folder.path().join("a/b")).unwrap().public();
        assert_eq!(key(), key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = fs::metadata(folder.path().join("a/b/device-key")).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(device_key(other.path()).unwrap().public(), key());
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "abc", "zz", &"é".repeat(32), &"00".repeat(33)] {
            fs::write(folder.path().join(KEY_FILE), text).unwrap();
            let failure = device_key(folder.path()).unwrap_err();
            assert!(failure.message.contains("damaged"), "{}", failure.message);
            assert_eq!(fs::read_to_string(folder.path().join(KEY_FILE)).unwrap(), text);
        }
    }
}
