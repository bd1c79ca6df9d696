//! What earlier loads of the page left in stores: found again at start, and erased in time.
//!
//! | what | how long it is kept after a tab had it |
//! |---|---|
//! | a share that is complete and was saved | three days, and not if room is needed |
//! | any other share, ours or received | thirty days |
//!
//! What a tab holds is not touched, whatever it is.

use protocol::event::Recalled;
use protocol::manifest::{Manifest, ShareId, SignedManifest};
use protocol::piece::FileIndex;
use protocol::policy::Selection;
use protocol::signaling::RoomId;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::FileSystemDirectoryHandle;

use crate::profile::{self, Store};
use crate::storage::{JOURNAL, MANIFEST, SAVED};
use crate::wishes::Wishes;
use crate::{handles, journal, opfs, policy, records};

const DAY_MS: f64 = 86_400_000.0;
const SAVED_KEPT_MS: f64 = 3.0 * DAY_MS;
const KEPT_MS: f64 = 30.0 * DAY_MS;

/// A share that was being received, or was received.
pub(crate) struct Left {
    pub(crate) signed: SignedManifest,
    pub(crate) what: Recalled,
}

/// The received shares of a store. Those that cannot be read are left out: their pieces are found again
/// when they are received again.
pub(crate) async fn shares(store: &Store, room: RoomId, wishes: &Wishes) -> Vec<Left> {
    let mut found = Vec::new();
    for share in share_names(&store.directory).await {
        found.extend(look(&store.directory, &share, room, wishes).await);
    }
    found
}

/// Whether there is something in a store that people may want to go on with.
pub(crate) async fn is_unfinished(root: &FileSystemDirectoryHandle, store: &str) -> bool {
    let Ok(store) = opfs::directory(root, store, false).await else { return false };
    for share in share_names(&store).await {
        if !was_saved(&store, &share).await {
            return true;
        }
    }
    records::are_in(&store).await
}

/// Erases, in its own time, what was kept long enough.
pub(crate) fn erase_old(root: FileSystemDirectoryHandle) {
    spawn_local(async move {
        for name in profile::stores(&root).await {
            // Whoever holds a store is using it.
            let Some(_lock) = profile::lock(&name).await else { continue };
            let used = profile::last_used(&root, &name).await.unwrap_or(0.0);
            let age = js_sys::Date::now() - used;
            if age > SAVED_KEPT_MS {
                erase_saved_of(&root, &name).await;
            }
            let idle = age > SAVED_KEPT_MS && !is_unfinished(&root, &name).await;
            // What cannot be erased now is tried again when the next tab starts.
            if (idle || age > KEPT_MS) && opfs::remove(&root, &name).await.is_ok() {
                handles::forget_all(&name).await;
            }
        }
    });
}

/// Erases complete and saved shares that no tab holds, because room is needed; tells whether there were
/// any.
pub(crate) async fn erase_saved(root: &FileSystemDirectoryHandle) -> bool {
    let mut erased = false;
    for name in profile::stores(root).await {
        if let Some(_lock) = profile::lock(&name).await {
            erased |= erase_saved_of(root, &name).await;
        }
    }
    erased
}

async fn erase_saved_of(root: &FileSystemDirectoryHandle, store: &str) -> bool {
    let Ok(store) = opfs::directory(root, store, false).await else { return false };
    let mut erased = false;
    for share in share_names(&store).await {
        if was_saved(&store, &share).await {
            erased |= opfs::remove(&store, &share).await.is_ok();
        }
    }
    erased
}

/// The names of the received shares in a store.
async fn share_names(store: &FileSystemDirectoryHandle) -> Vec<String> {
    let mut names = opfs::names(store).await.unwrap_or_default();
    names.retain(|name| name.parse::<ShareId>().is_ok());
    names
}

/// Whether a share is marked as complete and saved.
async fn was_saved(store: &FileSystemDirectoryHandle, share: &str) -> bool {
    let Ok(share) = opfs::directory(store, share, false).await else { return false };
    opfs::file(&share, SAVED, false).await.is_ok()
}

async fn look(
    store: &FileSystemDirectoryHandle,
    share: &str,
    room: RoomId,
    wishes: &Wishes,
) -> Option<Left> {
    let directory = opfs::directory(store, share, false).await.ok()?;
    let (signed, manifest) = signed_manifest(&directory, share, room).await?;
    let journal = journal::read(&content(&directory, JOURNAL).await.unwrap_or_default());
    let wish = wishes.of(signed.share());
    let wanted = wish.map_or_else(Selection::all, |wish| policy::selection(&wish.selection));
    let (bytes, complete) = sum(&journal, &manifest, &wanted);
    let saved = complete && was_saved(store, share).await;
    Some(Left { signed, what: Recalled { bytes, complete, saved } })
}

/// The manifest in a folder, if it is that of this share and signed for this room.
pub(crate) async fn signed_manifest(
    directory: &FileSystemDirectoryHandle,
    share: &str,
    room: RoomId,
) -> Option<(SignedManifest, Manifest)> {
    let signed = content(directory, MANIFEST).await.ok()?;
    let signed = SignedManifest::from_bytes(&signed).ok()?;
    let manifest = signed.verify(room).ok()?;
    (signed.share().to_string() == share).then_some((signed, manifest))
}

/// All bytes of a small file.
pub(crate) async fn content(
    directory: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<Vec<u8>, JsValue> {
    let handle = opfs::file(directory, name, false).await?;
    opfs::bytes(&*opfs::snapshot(&handle).await?).await
}

/// The bytes of the pieces that a journal claims, and whether it claims that every file that is wanted is
/// finished. Whether that is so shows when the share is opened.
fn sum(journal: &journal::Journal, manifest: &Manifest, wanted: &Selection) -> (u64, bool) {
    let geometry = manifest.geometry();
    let mut pieces: Vec<_> = journal.pieces.iter().map(|(piece, _)| *piece).collect();
    pieces.sort_unstable();
    pieces.dedup();
    let bytes = pieces.into_iter().map(|piece| u64::from(geometry.length(piece))).sum();
    let mut finished = vec![false; geometry.files() as usize];
    for file in &journal.finished {
        if let Some(finished) = finished.get_mut(file.0 as usize) {
            *finished = true;
        }
    }
    let mut files = (0..).map(FileIndex).zip(finished);
    let all = files.all(|(file, finished)| finished || wanted.of(file).is_none());
    (bytes, journal.whole && all)
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::{Entry, EntryKind, SharePath};
    use protocol::piece::PieceIndex;

    use super::*;

    #[test]
    fn a_share_counts_as_complete_only_if_a_whole_journal_says_that_all_that_is_wanted_is_finished()
    {
        let entry = |path: &str, size| Entry {
            path: SharePath::new(path).unwrap(),
            kind: EntryKind::File { size },
            modified_ms: None,
        };
        let key = DeviceKey::from_bytes([1; 32]).public();
        let manifest = Manifest::new(key, vec![entry("a", 300_000), entry("b", 5)]).unwrap();
        let piece = |piece| journal::piece(PieceIndex(piece), 0).to_vec();
        let finished = |file| journal::finished(FileIndex(file)).to_vec();
        let said = |records: &[Vec<u8>]| {
            let journal = [&journal::HEADER[..], &records.concat()].concat();
            sum(&journal::read(&journal), &manifest, &Selection::all())
        };
        assert_eq!(said(&[]), (0, false));
        let mut records = vec![piece(0), piece(2), piece(2), finished(1)];
        assert_eq!(said(&records), (262_149, false));
        records.extend([piece(1), finished(0)]);
        assert_eq!(said(&records), (300_005, true));
        // Of pieces and files that the share does not have nothing is believed.
        records.extend([piece(3), finished(2)]);
        assert_eq!(said(&records), (300_005, true));
        records.push(vec![0; 20]);
        assert_eq!(said(&records), (300_005, false));
        // What is not wanted need not be there.
        let one = [&journal::HEADER[..], &piece(2), &finished(1)].concat();
        let only = |file| sum(&journal::read(&one), &manifest, &Selection::only([FileIndex(file)]));
        assert_eq!((only(1), only(0)), ((5, true), (5, false)));
    }
}
