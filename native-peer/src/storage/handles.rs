//! Open files, kept for the next read or write, but never so many that a share of 20 000 files uses up
//! what a process may have open.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// A bounded set of open files by key; the one that was not used for longest goes first.
pub(crate) struct Handles<K> {
    capacity: usize,
    open: Mutex<Open<K>>,
}

struct Open<K> {
    files: HashMap<K, (Arc<File>, u64)>,
    uses: u64,
}

impl<K: Eq + Hash + Copy> Handles<K> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, open: Mutex::new(Open { files: HashMap::new(), uses: 0 }) }
    }

    /// The open file of that key, opened by `open` if need be.
    pub(crate) fn get(
        &self,
        key: K,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<Arc<File>> {
        if let Some(file) = self.used(key) {
            return Ok(file);
        }
        let file = Arc::new(open()?);
        let mut set = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if set.files.len() >= self.capacity
            && let Some(&oldest) =
                set.files.iter().min_by_key(|(_, (_, used))| used).map(|(k, _)| k)
        {
            set.files.remove(&oldest);
        }
        let used = set.uses;
        set.files.insert(key, (file.clone(), used));
        Ok(file)
    }

    /// Closes those whose key does not pass; uses under way go on.
    pub(crate) fn retain(&self, mut keep: impl FnMut(K) -> bool) {
        let mut set = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        set.files.retain(|&key, _| keep(key));
    }

    fn used(&self, key: K) -> Option<Arc<File>> {
        let mut set = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        set.uses += 1;
        let now = set.uses;
        let (file, used) = set.files.get_mut(&key)?;
        *used = now;
        Some(file.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_not_used_for_longest_is_closed_first() {
        let handles = Handles::new(2);
        let opened = std::cell::Cell::new(0);
        let get = |key: u32| {
            let open = || {
                opened.set(opened.get() + 1);
                tempfile::tempfile()
            };
            handles.get(key, open).unwrap();
            opened.get()
        };
        assert_eq!((get(1), get(2), get(1)), (1, 2, 2));
        assert_eq!(get(3), 3, "closes 2");
        assert_eq!((get(1), get(3)), (3, 3));
        assert_eq!(get(2), 4);
        handles.retain(|key| key == 2);
        assert_eq!((get(2), get(1)), (4, 5));
    }
}
