//! What people want of single shares (which files, how urgently, whether it is served), as it is remembered
//! for the next load of the page. A store has a file for each share of which anything is wanted that is
//! not as usual:
//!
//! ```text
//! <store>/wishes/<share>    a Wish on each line, in JSON; the last that is whole counts
//! ```
//!
//! New lines are added, so that a crash at any point costs no more than the last change; only where a file
//! has grown large and is begun anew it costs what is wanted of that share. What cannot be remembered, as on
//! a full disk, or cannot be read, is as usual after a reload.

use std::collections::BTreeMap;

use futures_channel::mpsc;
use futures_util::StreamExt;
use protocol::io::StorageError;
use protocol::manifest::ShareId;
use serde::{Deserialize, Serialize};
use wasm_bindgen_futures::spawn_local;
use web_sys::FileSystemDirectoryHandle;

use crate::api::{Priority, Selection};
use crate::opfs::{self, SyncFile};
use crate::profile::Store;
use crate::{error, left};

/// The directory of a store that they are in.
const WISHES: &str = "wishes";
/// A file that has grown beyond this is begun anew.
const MAX_BYTES: u64 = 1 << 20;

/// What is wanted of a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) selection: Selection,
    pub(crate) priority: Priority,
    pub(crate) serve: bool,
}

impl Default for Wish {
    fn default() -> Self {
        let selection = Selection { rest: Some(Priority::Normal), files: Vec::new() };
        Self { selection, priority: Priority::Normal, serve: true }
    }
}

/// The wishes of a room, kept in the order in which they change.
pub(crate) struct Wishes {
    known: BTreeMap<ShareId, Wish>,
    /// None where nothing is kept.
    changes: Option<mpsc::UnboundedSender<(ShareId, Option<Wish>)>>,
}

impl Wishes {
    /// The wishes in a store; none without.
    pub(crate) async fn recall(store: Option<&Store>) -> Self {
        let Some(store) = store else { return Self { known: BTreeMap::new(), changes: None } };
        let directory = store.directory.clone();
        let known = read(&directory).await;
        let (changes, mut queue) = mpsc::unbounded();
        spawn_local(async move {
            while let Some(change) = queue.next().await {
                // Of several of one share that wait only the last counts.
                let mut changed = BTreeMap::from([change]);
                while let Ok((share, wish)) = queue.try_recv() {
                    changed.insert(share, wish);
                }
                for (share, wish) in changed {
                    let _ = write(&directory, share, wish).await;
                }
            }
        });
        Self { known, changes: Some(changes) }
    }

    /// What is wanted of a share, if that is not as usual.
    pub(crate) fn of(&self, share: ShareId) -> Option<&Wish> {
        self.known.get(&share)
    }

    /// Something else is wanted of a share.
    pub(crate) fn change(&mut self, share: ShareId, change: impl FnOnce(&mut Wish)) {
        let mut wish = self.known.remove(&share).unwrap_or_default();
        change(&mut wish);
        if wish == Wish::default() {
            return self.keep(share, None);
        }
        self.known.insert(share, wish.clone());
        self.keep(share, Some(wish));
    }

    /// A share is wanted as usual, if it ever is again.
    pub(crate) fn forget(&mut self, share: ShareId) {
        if self.known.remove(&share).is_some() {
            self.keep(share, None);
        }
    }

    fn keep(&self, share: ShareId, wish: Option<Wish>) {
        if let Some(changes) = &self.changes {
            let sent = changes.unbounded_send((share, wish));
            sent.expect("wishes are kept as long as the worker runs");
        }
    }
}

async fn read(store: &FileSystemDirectoryHandle) -> BTreeMap<ShareId, Wish> {
    let mut known = BTreeMap::new();
    let Ok(wishes) = opfs::directory(store, WISHES, false).await else { return known };
    for name in opfs::names(&wishes).await.unwrap_or_default() {
        let Ok(share) = name.parse::<ShareId>() else { continue };
        let content = left::content(&wishes, &name).await.unwrap_or_default();
        if let Some(wish) = last(&content) {
            known.insert(share, wish);
        }
    }
    known
}

/// The last wish that is whole.
fn last(content: &[u8]) -> Option<Wish> {
    content.rsplit(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice(line).ok())
}

async fn write(
    store: &FileSystemDirectoryHandle,
    share: ShareId,
    wish: Option<Wish>,
) -> Result<(), StorageError> {
    let (name, thrown) = (share.to_string(), |thrown| error::storage(&thrown));
    let wishes = opfs::directory(store, WISHES, true).await.map_err(thrown)?;
    let Some(wish) = wish else {
        return opfs::remove(&wishes, &name).await.map_err(thrown);
    };
    let mut line = serde_json::to_vec(&wish).map_err(|e| StorageError::Other(e.to_string()))?;
    // What was cut short before it must not spoil it.
    line.insert(0, b'\n');
    let file = SyncFile::open(&wishes, &name).await.map_err(thrown)?;
    let mut length = file.length()?;
    if length + line.len() as u64 > MAX_BYTES {
        file.set_length(0)?;
        length = 0;
    }
    file.write(length, &line)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FileChoice;

    #[test]
    fn only_what_is_not_as_usual_is_remembered() {
        let mut wishes = Wishes { known: BTreeMap::new(), changes: None };
        let share = ShareId([1; 32]);
        wishes.change(share, |wish| wish.serve = false);
        assert_eq!(wishes.of(share).map(|wish| wish.serve), Some(false));
        wishes.change(share, |wish| wish.priority = Priority::High);
        wishes.change(share, |wish| wish.serve = true);
        assert_eq!(wishes.of(share).map(|wish| wish.priority), Some(Priority::High));
        wishes.change(share, |wish| wish.priority = Priority::Normal);
        assert_eq!(wishes.of(share), None);
    }

    #[test]
    fn the_last_wish_that_is_whole_counts() {
        let files = vec![FileChoice { file: 3, count: 20_000, priority: Some(Priority::Low) }];
        let wish = Wish { selection: Selection { rest: None, files }, ..Wish::default() };
        let text = serde_json::to_vec(&wish).unwrap();
        let whole = [&b"\n{}\n"[..], &text].concat();
        assert_eq!(last(&whole), Some(wish.clone()));
        // What a crash cut short is as if it had never been said.
        assert_eq!(last(&[&whole[..], b"\n", &text[..text.len() - 1]].concat()), Some(wish));
        assert_eq!(last(b""), None);
    }
}
