//! What the window asks for, done.

use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Array;
use protocol::invite::Invite;
use protocol::manifest::{Entry, EntryKind, Manifest, ShareId, SharePath, SignedManifest};
use protocol::piece::FileIndex;
use protocol::rendezvous::OfferEvent;
use protocol::time::Instant;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::{Driver, Input, Received, post, reply};
use crate::api::{self, FileDetail, Person, SharedFile};
use crate::codes;
use crate::reattach::{self, Looks};
use crate::source::Source;
use crate::wire::{self, Command, ToWindow};
use crate::{people, policy, profile, view};

impl Driver {
    /// Gives the answer; none if it comes later.
    pub(super) fn handle_command(
        &mut self,
        now: Instant,
        call: u32,
        command: Command,
    ) -> Result<Option<JsValue>, String> {
        const DONE: Option<JsValue> = Some(JsValue::UNDEFINED);
        let done = |result: Result<(), protocol::swarm::NoSuchShare>| {
            result.map(|()| DONE).map_err(|error| error.to_string())
        };
        match command {
            Command::Start { .. } => Err("it has started already".to_owned()),
            Command::Share { files } => self.share(now, files).map(|id| Some(id.into())),
            Command::Receive { share, directory } => {
                let share = parse(&share)?;
                let result = self.swarm.receive(now, share);
                if result.is_ok() {
                    self.received.insert(share, Received { directory, ..Received::default() });
                }
                done(result)
            }
            Command::Stop { share, discard } => {
                let share = parse(&share)?;
                if discard {
                    self.wishes.forget(share);
                }
                done(self.swarm.stop(now, share, discard))
            }
            Command::Unshare { share } => {
                let share = parse(&share)?;
                let result = self.swarm.stop(now, share, false);
                if result.is_ok() {
                    self.sources.remove(&share);
                    self.detached.remove(&share);
                    self.records.forget(share);
                    self.wishes.forget(share);
                }
                done(result)
            }
            Command::Blob { share, file } => {
                let (finished, file) = (self.storage.finished(parse(&share)?), file.map(FileIndex));
                let finished = finished.ok_or("the share is not complete yet")?;
                if file.is_some_and(|file| !finished.files.contains(&file)) {
                    return Err("the file is not complete yet".to_owned());
                }
                let sent = self.blobs.unbounded_send((call, finished, file));
                sent.expect("blobs are made as long as the worker runs");
                Ok(None)
            }
            Command::Files { share } => {
                let view = self.swarm.share_view(parse(&share)?).ok_or_else(no_such_share)?;
                Ok(Some(wire::to_js(&view::files(&view))))
            }
            Command::Look { share, files } => {
                let details = self.look(parse(&share)?, &files).ok_or_else(no_such_share)?;
                Ok(Some(wire::to_js(&details)))
            }
            Command::Search { text } => {
                let shares = self.swarm.shares().map(|view| (view.id, view.manifest)).collect();
                let search = self.searches.find(shares, &text);
                spawn_local(async move {
                    reply(call, Ok(wire::to_js(&search.await.unwrap_or_default())));
                });
                Ok(None)
            }
            Command::Saved { share } => {
                let share = parse(&share)?;
                self.received.entry(share).or_default().error = None;
                self.note_saved(now, share);
                Ok(DONE)
            }
            Command::Select { share, selection } => {
                let share = parse(&share)?;
                let selected = self.swarm.select(now, share, policy::selection(&selection));
                if selected.is_ok() {
                    self.wishes.change(share, |wish| wish.selection = selection);
                }
                done(selected)
            }
            Command::SetPaused { share, paused: true } => {
                done(self.swarm.pause(now, parse(&share)?))
            }
            Command::SetPaused { share, paused: false } => {
                done(self.swarm.resume(now, parse(&share)?))
            }
            Command::SetPriority { share, priority } => {
                let share = parse(&share)?;
                let set = self.swarm.set_priority(now, share, policy::priority(priority));
                if set.is_ok() {
                    self.wishes.change(share, |wish| wish.priority = priority);
                }
                done(set)
            }
            Command::SetServing { share, serve } => {
                let share = parse(&share)?;
                let set = self.swarm.set_serving(now, share, serve);
                if set.is_ok() {
                    self.wishes.change(share, |wish| wish.serve = serve);
                }
                done(set)
            }
            Command::Say { text } => {
                self.swarm.say(now, &text).map(|()| DONE).map_err(|e| e.to_string())
            }
            Command::Pieces { share, cells } => {
                let map = self.swarm.piece_map(parse(&share)?, cells);
                let map = map.ok_or(protocol::swarm::NoSuchShare).map_err(|e| e.to_string())?;
                Ok(Some(wire::to_js(&view::piece_map(map))))
            }
            Command::RetryServer => {
                self.swarm.retry_server(now);
                Ok(DONE)
            }
            Command::Reattach { share, files } => {
                self.reattach(now, parse(&share)?, &files).map(|()| DONE)
            }
            Command::ReattachFiles { share, files } => {
                self.reattach_files(now, parse(&share)?, files).map(|()| DONE)
            }
            Command::OfferCode => {
                self.offer_code();
                Ok(DONE)
            }
            Command::WithdrawCode => {
                self.code = None;
                Ok(DONE)
            }
            Command::SetPolicy(said) => {
                policy::policy(&said, &[])?;
                self.said = *said;
                self.apply_policy(now);
                Ok(DONE)
            }
            Command::SetStanding(person) => self.set_standing(now, person).map(|()| DONE),
            Command::SetLocked { locked } => {
                self.swarm.set_locked(now, locked).map(|()| DONE).map_err(|e| e.to_string())
            }
            Command::StartAnew { without } => {
                self.start_anew(now, &without).map(|it| Some(it.into()))
            }
            Command::Leave => {
                self.swarm.leave(now);
                self.drain(now);
                self.signaling = None;
                self.code = None;
                self.lanes.clear();
                Ok(DONE)
            }
        }
    }

    /// Wants of a share what was wanted of it before the page was loaded again.
    pub(super) fn apply_wish(&mut self, now: Instant, share: ShareId) {
        let Some(wish) = self.wishes.of(share).cloned() else { return };
        // They fail only for a share that is gone again.
        let _ = self.swarm.select(now, share, policy::selection(&wish.selection));
        let _ = self.swarm.set_priority(now, share, policy::priority(wish.priority));
        let _ = self.swarm.set_serving(now, share, wish.serve);
    }

    /// What is to be told of these files of a share.
    fn look(&mut self, share: ShareId, files: &[u32]) -> Option<Vec<FileDetail>> {
        let finished = self.storage.finished(share);
        let mut details = Vec::with_capacity(files.len());
        for &file in files {
            let file = FileIndex(file);
            let have = self.swarm.file_have(share, file)?;
            let saveable = finished.as_ref().is_some_and(|it| it.files.contains(&file));
            details.push(FileDetail { hash: self.file_hash(share, file), have, saveable });
        }
        Some(details)
    }

    fn file_hash(&mut self, share: ShareId, file: FileIndex) -> Option<String> {
        if let Some(known) = self.hashes.get(&(share, file)) {
            return Some(known.clone());
        }
        let hash = self.swarm.file_hash(share, file)?.to_string();
        self.hashes.insert((share, file), hash.clone());
        Some(hash)
    }

    /// Puts in force what the embedder and the user's list of people say.
    pub(super) fn apply_policy(&mut self, now: Instant) {
        // What was said was checked when it was said.
        if let Ok(policy) = policy::policy(&self.said, &self.people) {
            self.swarm.set_policy(now, policy);
        }
    }

    fn set_standing(&mut self, now: Instant, person: Person) -> Result<(), String> {
        policy::key(&person.public_key)?;
        people::put(&mut self.people, person.clone());
        self.apply_policy(now);
        if let Some(root) = self.root.clone() {
            let worker = self.worker.clone();
            spawn_local(async move {
                worker.handle(Input::People(people::note(&root, person).await));
            });
        }
        Ok(())
    }

    fn start_anew(&mut self, now: Instant, without: &[String]) -> Result<String, String> {
        let without: Result<Vec<_>, _> = without.iter().map(|key| policy::key(key)).collect();
        let invite = Invite::new(profile::random(), &self.key.public());
        self.swarm.start_anew(now, &invite, &without?).map_err(|error| error.to_string())?;
        Ok(invite.to_link(&self.server))
    }

    fn offer_code(&mut self) {
        self.codes_made += 1;
        let (worker, number) = (self.worker.clone(), self.codes_made);
        let report = move |event| worker.handle(Input::Code { number, event });
        self.code = Some(codes::Offer::start(&self.server, self.invite.clone(), report));
    }

    pub(super) fn note_code(&mut self, number: u32, event: OfferEvent) {
        let Some(code) = self.code.as_mut().filter(|_| number == self.codes_made) else { return };
        let (kind, message) = match &event {
            OfferEvent::Offered { .. } => (None, None),
            OfferEvent::Tried => (Some(api::EventKind::CodeTried), None),
            OfferEvent::Ended(end) => (Some(api::EventKind::CodeEnded), Some(end.to_string())),
        };
        code.note(event);
        self.codes_burnt += u32::from(code.is_burnt());
        if let Some(kind) = kind {
            post(&ToWindow::Event(api::PeerEvent {
                kind,
                share: None,
                peer: None,
                name: None,
                message,
                link: None,
                line: None,
            }));
        }
    }

    fn share(&mut self, now: Instant, files: Vec<SharedFile>) -> Result<String, String> {
        let mut entries = Vec::with_capacity(files.len());
        let mut by_path = BTreeMap::new();
        for SharedFile { path, file, handle } in files {
            let could_not = |error| format!("could not share {path}: {error}");
            let share_path = SharePath::new(&path).map_err(could_not)?;
            let (kind, modified_ms) = match &file {
                Some(file) => (
                    EntryKind::File { size: file.size() as u64 },
                    Some(file.last_modified() as i64),
                ),
                None => (EntryKind::Directory, None),
            };
            entries.push(Entry { path: share_path, kind, modified_ms });
            if let Some(file) = file {
                by_path.insert(path, (file, handle));
            }
        }
        let manifest =
            Manifest::new(self.swarm.public_key(), entries).map_err(|error| error.to_string())?;
        let (files, handles): (Vec<File>, Vec<_>) =
            manifest.files().filter_map(|(_, entry)| by_path.remove(entry.path.as_str())).unzip();
        // All of them or none: what is missing would have to be chosen again with the others.
        let handles: Option<Vec<_>> = handles.into_iter().collect();
        let handles = handles.map(|handles| handles.into_iter().collect::<Array>());
        let signed = SignedManifest::sign(&manifest, self.room, &self.key);
        let share = self.serve(now, manifest, files)?;
        if let Ok(signed) = signed {
            self.records.keep(signed, handles);
        }
        Ok(share.to_string())
    }

    /// Serves a share of ours from these files, in the order of its manifest.
    fn serve(
        &mut self,
        now: Instant,
        manifest: Manifest,
        files: Vec<File>,
    ) -> Result<ShareId, String> {
        let paths: Vec<String> =
            manifest.files().map(|(_, entry)| entry.path.to_string()).collect();
        // What is known of it from before the core has from its record.
        let share = self.swarm.share(now, manifest, Vec::new()).map_err(|e| e.to_string())?;
        let sources = files.into_iter().zip(paths);
        let sources = sources.map(|(file, path)| Rc::new(Source { share, path, file }));
        self.sources.insert(share, sources.collect());
        self.detached.remove(&share);
        self.apply_wish(now, share);
        Ok(share)
    }

    /// Goes on with a share of ours, if these are its files, in the order of its manifest; `undefined` is
    /// none.
    pub(super) fn reattach(
        &mut self,
        now: Instant,
        share: ShareId,
        files: &Array,
    ) -> Result<(), String> {
        let manifest = self.detached_manifest(share)?;
        let files: Vec<Option<File>> = files.iter().map(|file| file.dyn_into().ok()).collect();
        let looks: Vec<_> = files.iter().map(|file| file.as_ref().map(looks)).collect();
        reattach::compare(&manifest, &looks)?;
        self.serve(now, manifest, files.into_iter().flatten().collect()).map(drop)
    }

    /// Goes on with a share of ours, if all its files are among these.
    fn reattach_files(
        &mut self,
        now: Instant,
        share: ShareId,
        chosen: Vec<SharedFile>,
    ) -> Result<(), String> {
        let manifest = self.detached_manifest(share)?;
        let chosen: Vec<(String, File, _)> = chosen
            .into_iter()
            .filter_map(|SharedFile { path, file, handle }| Some((path, file?, handle)))
            .collect();
        let paths: Vec<&str> = chosen.iter().map(|(path, ..)| path.as_str()).collect();
        let assigned = reattach::assign(&manifest, &paths);
        let chosen = |it: &Option<usize>| it.map(|i| (&chosen[i].1, chosen[i].2.as_ref()));
        let looks: Vec<_> =
            assigned.iter().map(|it| chosen(it).map(|(file, _)| looks(file))).collect();
        reattach::compare(&manifest, &looks)?;
        let found = assigned.iter().filter_map(chosen);
        let (files, handles): (Vec<File>, Vec<_>) =
            found.map(|(file, handle)| (file.clone(), handle.cloned())).unzip();
        let handles: Option<Vec<_>> = handles.into_iter().collect();
        let handles = handles.map(|handles| handles.into_iter().collect::<Array>());
        let signed = SignedManifest::sign(&manifest, self.room, &self.key);
        self.serve(now, manifest, files)?;
        if let (Ok(signed), Some(handles)) = (signed, handles) {
            self.records.keep(signed, Some(handles));
        }
        Ok(())
    }

    fn detached_manifest(&self, share: ShareId) -> Result<Manifest, String> {
        let view = self.swarm.share_view(share).ok_or_else(no_such_share)?;
        let is_detached = self.detached.contains_key(&share);
        is_detached.then(|| (*view.manifest).clone()).ok_or_else(no_such_share)
    }

    /// A share is complete and was saved.
    pub(super) fn note_saved(&mut self, now: Instant, share: ShareId) {
        self.storage.mark_saved(share);
        // It may have been taken off the shelf meanwhile.
        let _ = self.swarm.mark_saved(now, share);
    }
}

/// What there is to compare of a file.
fn looks(file: &File) -> Looks {
    Looks { size: file.size() as u64, modified_ms: file.last_modified() as i64 }
}

fn parse(share: &str) -> Result<ShareId, String> {
    share.parse().map_err(|_| no_such_share())
}

fn no_such_share() -> String {
    protocol::swarm::NoSuchShare.to_string()
}
