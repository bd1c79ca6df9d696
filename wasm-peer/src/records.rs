//! Shares of ours as they are remembered for the next load of the page: what they consist of, and what
//! was signed of them, so that an origin that comes back does not sign two truths. Their files stay where
//! they are; how they come back is [`crate::reattach`]'s.
//!
//! ```text
//! <store>/own/<share>/manifest    signature and manifest, as they travel
//! <store>/own/<share>/hashes      hash batches (journal.rs)
//! ```
//!
//! What cannot be remembered, as on a full disk, has to be shared anew after a reload: no reason to
//! trouble anybody now.

use std::collections::BTreeMap;

use futures_channel::mpsc;
use futures_util::StreamExt;
use js_sys::Array;
use protocol::io::StorageError;
use protocol::manifest::{HashBatch, ShareId, SignedManifest};
use protocol::signaling::RoomId;
use wasm_bindgen_futures::spawn_local;
use web_sys::FileSystemDirectoryHandle;

use crate::log::Log;
use crate::profile::Store;
use crate::storage::{HASHES, MANIFEST};
use crate::{error, handles, journal, left, opfs};

/// The directory of a store that they are in.
const OWN: &str = "own";

/// A share of ours that an earlier load of the page had.
pub(crate) struct Record {
    pub(crate) signed: SignedManifest,
    /// What was signed of it.
    pub(crate) known: Vec<HashBatch>,
}

/// Keeps records, in the order in which it is told to.
pub(crate) struct Records {
    /// None where nothing is kept.
    jobs: Option<mpsc::UnboundedSender<Job>>,
}

enum Job {
    Keep { signed: SignedManifest, handles: Option<Array> },
    Add { share: ShareId, batches: Vec<HashBatch> },
    Forget(ShareId),
}

impl Records {
    /// Records in a store, a directory of this name; none without.
    pub(crate) fn new(store: Option<&Store>) -> Self {
        let jobs = store.map(|store| {
            let (jobs, mut queue) = mpsc::unbounded();
            let mut keeper = Keeper {
                store: store.name.clone(),
                directory: store.directory.clone(),
                logs: BTreeMap::new(),
            };
            spawn_local(async move {
                while let Some(job) = queue.next().await {
                    keeper.carry_out(job).await;
                }
            });
            jobs
        });
        Self { jobs }
    }

    /// Remembers a share, and the handles of its files if there are any of all of them.
    pub(crate) fn keep(&self, signed: SignedManifest, handles: Option<Array>) {
        self.send(Job::Keep { signed, handles });
    }

    /// Adds what was signed of a share that is remembered.
    pub(crate) fn add(&self, share: ShareId, batches: Vec<HashBatch>) {
        self.send(Job::Add { share, batches });
    }

    /// Forgets a share.
    pub(crate) fn forget(&self, share: ShareId) {
        self.send(Job::Forget(share));
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            jobs.unbounded_send(job).expect("records are kept as long as the worker runs");
        }
    }
}

/// The records of a store. Those that cannot be read are left out.
pub(crate) async fn recall(store: &Store, room: RoomId) -> Vec<Record> {
    let mut records = Vec::new();
    let Ok(own) = opfs::directory(&store.directory, OWN, false).await else { return records };
    for share in opfs::names(&own).await.unwrap_or_default() {
        let Ok(directory) = opfs::directory(&own, &share, false).await else { continue };
        let manifest = left::signed_manifest(&directory, &share, room).await;
        let Some((signed, _)) = manifest else { continue };
        let hashes = left::content(&directory, HASHES).await.unwrap_or_default();
        records.push(Record { signed, known: journal::read_batches(&hashes).0 });
    }
    records
}

/// Whether there are any in the directory of a store.
pub(crate) async fn are_in(store: &FileSystemDirectoryHandle) -> bool {
    match opfs::directory(store, OWN, false).await {
        Ok(own) => !opfs::names(&own).await.unwrap_or_default().is_empty(),
        Err(_) => false,
    }
}

struct Keeper {
    store: String,
    directory: FileSystemDirectoryHandle,
    /// The hashes of shares of which some were added.
    logs: BTreeMap<ShareId, Log>,
}

impl Keeper {
    async fn carry_out(&mut self, job: Job) {
        match job {
            Job::Keep { signed, handles } => {
                let share = signed.share().to_string();
                let kept = self.keep(&share, &signed.to_bytes()).await;
                if let (Ok(()), Some(handles)) = (kept, handles) {
                    let _ = handles::keep(&self.store, &share, &handles).await;
                }
            }
            Job::Add { share, batches } => {
                let _ = self.add(share, &batches).await;
            }
            Job::Forget(share) => {
                self.logs.remove(&share);
                let share = share.to_string();
                if let Ok(own) = opfs::directory(&self.directory, OWN, false).await {
                    let _ = opfs::remove(&own, &share).await;
                }
                handles::forget(&self.store, &share).await;
            }
        }
    }

    async fn keep(&self, share: &str, manifest: &[u8]) -> Result<(), StorageError> {
        let directory = self.record(share, true).await?;
        Log::open(&directory, MANIFEST).await?.replace(manifest)
    }

    async fn add(&mut self, share: ShareId, batches: &[HashBatch]) -> Result<(), StorageError> {
        if !self.logs.contains_key(&share) {
            // None is made: the share may be forgotten by now.
            let directory = self.record(&share.to_string(), false).await?;
            self.logs.insert(share, Log::open(&directory, HASHES).await?);
        }
        let records: Vec<u8> = batches.iter().flat_map(journal::batch).collect();
        self.logs.get_mut(&share).map_or(Ok(()), |log| log.append(&records))
    }

    async fn record(
        &self,
        share: &str,
        create: bool,
    ) -> Result<FileSystemDirectoryHandle, StorageError> {
        let thrown = |thrown| error::storage(&thrown);
        let own = opfs::directory(&self.directory, OWN, create).await.map_err(thrown)?;
        opfs::directory(&own, share, create).await.map_err(thrown)
    }
}
