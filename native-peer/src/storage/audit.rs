//! Whether what journals claim is true: a look at a folder from outside, for tests.

use std::fs;
use std::io;
use std::path::Path;

use protocol::manifest::{KnownHashes, SignedManifest};
use protocol::signaling::RoomId;

use super::disk::{DATA, JOURNAL, MANIFEST, STATE};
use super::journal;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Pieces that a journal claims and whose bytes have the hash that the origin signed.
    pub held: usize,
    /// Pieces that a journal claims and that are something else.
    pub broken: usize,
}

/// Looks at all shares of a room that are unfinished in `folder`. Files that are on the way to their
/// place are left out.
pub fn audit(folder: &Path, room: RoomId) -> io::Result<Audit> {
    let mut audit = Audit::default();
    let shares = match fs::read_dir(folder.join(STATE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(audit),
        shares => shares?,
    };
    for share in shares {
        let share = share?.path();
        // A crash may come before there is anything to claim.
        let (Ok(manifest), Ok(journal)) =
            (fs::read(share.join(MANIFEST)), fs::read(share.join(JOURNAL)))
        else {
            continue;
        };
        let manifest = SignedManifest::from_bytes(&manifest).and_then(|m| m.verify(room));
        let manifest = manifest.map_err(io::Error::other)?;
        let contents = journal::read(&journal);
        let mut hashes = KnownHashes::default();
        for batch in contents.batches {
            if batch.verify(&manifest.origin()).is_ok() {
                hashes.insert(batch).map_err(io::Error::other)?;
            }
        }
        for piece in contents.pieces {
            let Some(span) = manifest.geometry().span(piece) else {
                audit.broken += 1;
                continue;
            };
            let Ok(file) = fs::read(share.join(DATA).join(span.file.0.to_string())) else {
                continue;
            };
            let start = span.file_offset as usize;
            let bytes = file.get(start..start + span.length as usize).unwrap_or_default();
            let hash = manifest.geometry().hash(piece, bytes);
            if hash.is_some() && hash == hashes.hash(piece) {
                audit.held += 1;
            } else {
                audit.broken += 1;
            }
        }
    }
    Ok(audit)
}
