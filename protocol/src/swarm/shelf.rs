//! The shelf: which shares there are in the room, their manifests, and who has which pieces of them.
//! How shares come to be known to those who are not connected to their origin is in `gossip`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tracing::debug;

use super::control::Wishes;
use super::download::Download;
use super::seed::Promise;
use super::{NoSuchShare, Swarm};
use crate::bitfield::Bitfield;
use crate::event::{CloseReason, Event, Failure, Halt, Proof, Recalled, Wait, Withheld};
use crate::identity::{BadSignature, PublicKey};
use crate::io::{ConnectionId, StorageRequest};
use crate::manifest::{
    HashBatch, KnownHashes, MAX_MANIFEST_BYTES, Manifest, ManifestError, ShareId, SignedManifest,
};
use crate::message::{GONE, Holding, MANIFEST_PART_BYTES, PeerMessage, Run};
use crate::piece::{Geometry, MAX_PIECES, PieceIndex};
use crate::rate::Meter;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// The most shares that are kept in mind, on the shelf and of what one member tells.
const MAX_SHARES: usize = 1024;
/// The most memory for shares of others that nobody here asked for, in bytes as [`weight`] counts them: two
/// of the largest.
const MAX_SHELF_WEIGHT: u64 = 2 * weight(MAX_MANIFEST_BYTES, MAX_PIECES);
/// Of shares and of their memory, one member can bring so many in a hundred: the rest is left for others.
const MAX_PERCENT_FROM_ONE: u64 = 75;
/// The most runs that a member may come to have of shares whose manifests are on their way.
const MAX_EARLY_RUNS: usize = 1 << 16;
/// What one request for a manifest brings, in parts and in bytes.
const MANIFEST_STRIDE_PARTS: usize = 10;
const MANIFEST_STRIDE: usize = MANIFEST_STRIDE_PARTS * MANIFEST_PART_BYTES;
/// A peer that does not go on sending a manifest this long is not waited for.
const MANIFEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A share on the shelf.
pub(super) struct Share {
    pub(super) manifest: Arc<Manifest>,
    pub(super) signed: Arc<SignedManifest>,
    pub(super) manifest_bytes: Arc<[u8]>,
    pub(super) state: State,
    /// Pieces that are verified and durable here, or ours to share.
    pub(super) have: Bitfield,
    pub(super) hashes: KnownHashes,
    /// How many of the connected members have a piece.
    pub(super) availability: Vec<u16>,
    /// Pieces that we are sending, or sent at this time to a member who has not said yet that it has
    /// them: others will soon get them from there.
    pub(super) promised: BTreeMap<PieceIndex, Promise>,
    /// Pieces that were sent to a member because nobody else had them, while that is still so.
    pub(super) given: BTreeMap<PieceIndex, PeerId>,
    /// Whether we put it there, and reads are from our own files.
    pub(super) ours: bool,
    pub(super) uploaded: u64,
    /// How fast it is sent.
    pub(super) uploads: Meter,
    pub(super) wishes: Wishes,
    /// Why it is not served at the moment, though we could.
    pub(super) withheld: Option<Withheld>,
    /// Since when we have all that is wanted of it.
    pub(super) whole_since: Option<Instant>,
    /// How far it is, as we told everybody.
    pub(super) told_distance: u8,
    /// What an earlier run left of it in the store, while that is not open.
    pub(super) recalled: Option<Recalled>,
    /// Whether it was saved elsewhere.
    pub(super) saved: bool,
    /// What it waits for, as last looked at, and what others were told of that.
    pub(super) wait: Option<Wait>,
    pub(super) told_halt: Option<Halt>,
    /// How often what was read back of it was not what was written.
    pub(super) damaged: u32,
    /// Who sent us its manifest.
    brought_by: Option<PublicKey>,
}

/// How a share stands with us.
pub(super) enum State {
    /// We are its origin.
    Shared,
    /// We are its origin, and cannot read its files.
    Detached,
    /// It could be received.
    Available,
    /// Being received, or the store being opened for that.
    Receiving(Box<Download>),
    /// Verified and in place.
    Complete(Box<Download>),
    /// Somebody must act.
    Failed(Failure),
}

/// What a member says of a share.
#[derive(Debug)]
pub(super) struct PeerShare {
    manifest_bytes: u32,
    /// How many steps it is from there to somebody who has some of it.
    pub(super) distance: u8,
    /// What it said to have, until the manifest says how many pieces there are.
    holding: Option<Holding>,
    /// What it came to have before we knew the manifest.
    early: Vec<Run>,
    /// The pieces that these mean, unless there were never any.
    pub(super) pieces: Option<Bitfield>,
    pub(super) received: bool,
    /// When it last came to have something.
    pub(super) heard: Instant,
}

/// A manifest that is being fetched.
pub(super) struct PendingManifest {
    from: ConnectionId,
    total: usize,
    bytes: Vec<u8>,
    deadline: Instant,
}

impl Share {
    pub(super) fn geometry(&self) -> &Geometry {
        self.manifest.geometry()
    }

    /// A member came to have a piece, or is gone with it.
    pub(super) fn count(&mut self, piece: PieceIndex, has: bool) {
        if let Some(count) = self.availability.get_mut(piece.0 as usize) {
            *count = if has { count.saturating_add(1) } else { count.saturating_sub(1) };
            if *count >= 2 {
                self.given.remove(&piece);
            }
        }
    }

    pub(super) fn download(&mut self) -> Option<&mut Download> {
        match &mut self.state {
            State::Receiving(download) => Some(download),
            _ => None,
        }
    }

    /// Whether we have some of it, or mean to.
    pub(super) fn takes_part(&self) -> bool {
        matches!(self.state, State::Shared | State::Receiving(_) | State::Complete(_))
    }

    /// Whether others can ask us for its pieces.
    pub(super) fn is_served(&self) -> bool {
        self.takes_part() && self.withheld.is_none()
    }
}

impl Swarm {
    // ---- ours ----

    pub(super) fn put_on_shelf(
        &mut self,
        manifest: Manifest,
        known: Vec<HashBatch>,
    ) -> Result<ShareId, ManifestError> {
        if manifest.origin() != self.key.public() {
            return Err(ManifestError::Signature(BadSignature));
        }
        let signed = SignedManifest::sign(&manifest, self.room, &self.key)?;
        let id = signed.share();
        match self.shelf.get(&id).map(|share| &share.state) {
            Some(State::Shared) => return Ok(id),
            None | Some(State::Available | State::Detached) => {}
            // Received before, perhaps from another tab of this browser: from now on we are its origin.
            Some(_) => drop(self.take_off_shelf(id, false)),
        }
        let have = Bitfield::full(manifest.geometry().pieces());
        let before = self.shelf.remove(&id);
        let is_new = before.is_none();
        let mut share = Share::new(manifest, signed, State::Shared, have);
        share.hashes = match before {
            Some(before) if known.is_empty() && before.ours => before.hashes,
            _ => KnownHashes::verified(id, &self.key.public(), known),
        };
        self.shelf.insert(id, share);
        self.resolve_holdings(id);
        if is_new {
            self.events.push_back(Event::ShareAdded { share: id });
        }
        self.review_serving();
        self.announce(id);
        self.look_at_waits();
        Ok(id)
    }

    /// Puts a share on the shelf that an earlier run knew: one in its store, or one of ours whose files
    /// cannot be read yet.
    pub(super) fn put_back_on_shelf(
        &mut self,
        signed: SignedManifest,
        state: State,
    ) -> Result<&mut Share, ManifestError> {
        let manifest = signed.verify(self.room)?;
        if matches!(state, State::Detached) && manifest.origin() != self.key.public() {
            return Err(ManifestError::Signature(BadSignature));
        }
        let id = signed.share();
        if let Entry::Vacant(place) = self.shelf.entry(id) {
            let have = Bitfield::new(manifest.geometry().pieces());
            place.insert(Share::new(manifest, signed, State::Available, have));
            self.events.push_back(Event::ShareAdded { share: id });
            self.resolve_holdings(id);
        }
        self.hear_of(id);
        self.look_at_waits();
        let share = self.shelf.get_mut(&id).expect("it was put there");
        if matches!(share.state, State::Available) {
            share.ours = matches!(state, State::Detached);
            share.state = state;
        }
        Ok(share)
    }

    /// The files of a share of ours cannot be read any more.
    pub(super) fn lose_files(&mut self, id: ShareId) -> Result<(), NoSuchShare> {
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        if !share.ours {
            return Err(NoSuchShare);
        }
        share.state = State::Detached;
        share.have = Bitfield::new(share.geometry().pieces());
        self.stop_serving(id);
        self.withdraw(id);
        self.look_at_waits();
        Ok(())
    }

    pub(super) fn take_off_shelf(&mut self, id: ShareId, discard: bool) -> Result<(), NoSuchShare> {
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        share.ours = false;
        let before = std::mem::replace(&mut share.state, State::Available);
        let complete = matches!(before, State::Complete(_));
        let bytes = if complete || matches!(before, State::Receiving(_)) {
            share.have_bytes()
        } else {
            share.recalled.map_or(0, |recalled| recalled.bytes)
        };
        share.have = Bitfield::new(share.geometry().pieces());
        let was_recalled = share.recalled.take().is_some();
        if discard {
            share.saved = false;
        } else if bytes > 0 {
            share.recalled = Some(Recalled { bytes, complete, saved: share.saved });
        }
        if discard && was_recalled && matches!(before, State::Available) {
            self.storage_out.push_back(StorageRequest::Close { share: id, discard });
            self.hear_of(id);
        }
        self.look_at_waits();
        if !matches!(before, State::Available) {
            self.storage_out.push_back(StorageRequest::Close { share: id, discard });
            self.cancel_share(id);
            self.stop_serving(id);
            self.drop_receipt(id);
            self.withdraw(id);
        }
        Ok(())
    }

    /// A share cannot go on: nothing is asked or served until somebody acts.
    pub(super) fn fail_share(&mut self, id: ShareId, reason: Failure) {
        let Some(share) = self.shelf.get_mut(&id).filter(|share| share.takes_part()) else {
            return;
        };
        share.state = State::Failed(reason.clone());
        self.storage_out.push_back(StorageRequest::Close { share: id, discard: false });
        self.cancel_share(id);
        self.stop_serving(id);
        self.withdraw(id);
        self.look_at_waits();
        self.events.push_back(Event::Failed { share: id, reason });
    }

    // ---- what others tell ----

    pub(super) fn on_share(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        id: ShareId,
        manifest_bytes: u32,
        distance: u8,
        holding: Option<Holding>,
    ) {
        self.forget_holding(peer, id);
        let Some(member) = self.members.get_mut(&peer) else { return };
        if member.shares.len() >= MAX_SHARES {
            return debug!(?connection, "tells of too many shares");
        }
        member.shares.insert(
            id,
            PeerShare {
                manifest_bytes,
                distance,
                holding,
                early: Vec::new(),
                pieces: None,
                received: false,
                heard: self.now,
            },
        );
        if self.shelf.contains_key(&id) {
            self.resolve_holding(connection, peer, id);
            return;
        }
        self.want_manifest(id);
        if self.manifests.contains_key(&id) {
            return;
        }
        // It has no place on the shelf: what it has of it is not kept in mind.
        if let Some(told) = self.members.get_mut(&peer).and_then(|it| it.shares.get_mut(&id))
            && let Some(Holding::Some(_)) = told.holding
        {
            told.holding = Some(Holding::Nothing);
        }
    }

    pub(super) fn on_unshare(&mut self, peer: PeerId, id: ShareId) {
        self.forget_holding(peer, id);
        // If it begins anew with this share, it may have forgotten the hashes it was told.
        for lane in self.lanes.values_mut().filter(|lane| lane.peer == peer) {
            lane.told.retain(|&(told, _)| told != id);
        }
    }

    pub(super) fn on_have(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        id: ShareId,
        runs: &[Run],
    ) {
        let count = self.shelf.get(&id).map(|share| share.geometry().pieces());
        let Some(member) = self.members.get_mut(&peer) else { return };
        let Some(told) = member.shares.get_mut(&id) else {
            return; // withdrawn, and this crossed it
        };
        told.heard = self.now;
        let was_away = std::mem::take(&mut told.distance) > 0;
        let Some(count) = count else {
            if !self.manifests.contains_key(&id) {
                return; // it has no place on the shelf
            }
            told.early.extend_from_slice(runs);
            // What it tells is new each time, so there cannot be more than there are pieces.
            let pieces: u64 = told.early.iter().map(|run| u64::from(run.count)).sum();
            let early: usize = member.shares.values().map(|told| told.early.len()).sum();
            if pieces > u64::from(MAX_PIECES) || early > MAX_EARLY_RUNS {
                self.close_lane(connection, CloseReason::ProtocolViolation, true);
            }
            return;
        };
        if runs.iter().any(|run| run.first.0 + run.count > count) {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        let pieces = told.pieces.get_or_insert_with(|| Bitfield::new(count));
        let new = runs.iter().flat_map(|run| run.iter()).filter(|&piece| pieces.insert(piece));
        match self.shelf.get_mut(&id) {
            Some(share) => new.for_each(|piece| {
                share.count(piece, true);
                share.promised.remove(&piece);
            }),
            None => new.for_each(drop),
        }
        if was_away {
            self.hear_of(id);
        }
        self.may_ask = true;
    }

    /// Turns what members said of a share into bitfields, now that its manifest is known.
    fn resolve_holdings(&mut self, id: ShareId) {
        let told: Vec<(ConnectionId, PeerId)> =
            self.neighbours().map(|(connection, peer, _)| (connection, peer)).collect();
        for (connection, peer) in told {
            self.resolve_holding(connection, peer, id);
        }
    }

    fn resolve_holding(&mut self, connection: ConnectionId, peer: PeerId, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let count = share.geometry().pieces();
        let told = self.members.get_mut(&peer).and_then(|member| member.shares.get_mut(&id));
        let Some(told) = told else { return };
        if let Some(holding) = told.holding.take() {
            let Some(mut pieces) = holding.to_bitfield(count) else {
                return self.close_lane(connection, CloseReason::ProtocolViolation, true);
            };
            for piece in std::mem::take(&mut told.early).into_iter().flat_map(Run::iter) {
                pieces.insert(piece);
            }
            if pieces.count() > 0 || pieces.is_full() {
                told.distance = 0;
            }
            pieces.iter().for_each(|piece| share.count(piece, true));
            told.pieces = Some(pieces);
        }
        self.hear_of(id);
        self.may_ask = true;
    }

    /// A member has nothing of a share any more.
    fn forget_holding(&mut self, peer: PeerId, id: ShareId) {
        let Some(told) = self.members.get_mut(&peer).and_then(|member| member.shares.remove(&id))
        else {
            return;
        };
        if let (Some(share), Some(pieces)) = (self.shelf.get_mut(&id), told.pieces) {
            pieces.iter().for_each(|piece| share.count(piece, false));
        }
        self.hear_of(id);
    }

    /// A member is gone, with all that it had.
    pub(super) fn forget_holdings(&mut self, peer: PeerId) {
        let ids: Vec<ShareId> = self
            .members
            .get(&peer)
            .map(|member| member.shares.keys().copied().collect())
            .unwrap_or_default();
        for id in ids {
            self.forget_holding(peer, id);
        }
    }

    // ---- manifests ----

    /// Asks somebody for a manifest, unless somebody has been asked.
    fn want_manifest(&mut self, id: ShareId) {
        if self.manifests.contains_key(&id) || self.shelf.contains_key(&id) {
            return;
        }
        // A rumour that would be dead with us is not worth a manifest.
        let holders: Vec<(ConnectionId, u32)> = self
            .neighbours()
            .filter_map(|(connection, _, member)| Some((connection, member.shares.get(&id)?)))
            .filter(|(_, told)| told.distance + 1 < GONE)
            .map(|(connection, told)| (connection, told.manifest_bytes))
            .collect();
        if holders.is_empty() {
            return;
        }
        let (from, total) = holders[self.rng.below(holders.len() as u32) as usize];
        if !self.has_place_for(from, weight(total as usize, 0)) {
            return debug!(?id, "the shelf is full");
        }
        let deadline = self.now + MANIFEST_TIMEOUT;
        self.manifests.insert(
            id,
            PendingManifest { from, total: total as usize, bytes: Vec::new(), deadline },
        );
        self.tell(from, &PeerMessage::WantManifest { share: id, offset: 0 });
    }

    /// Whether there is a place for one more share of this weight, from this neighbour.
    fn has_place_for(&self, from: ConnectionId, weight_of_it: u64) -> bool {
        let bringer = self.key_at(from);
        let (mut shares, mut of_one) = (0, 0);
        let (mut all, mut from_one) = (0, 0);
        let on_shelf = self.shelf.values().map(|share| (share.brought_by, share.unasked_weight()));
        let on_their_way = self
            .manifests
            .values()
            .map(|pending| (self.key_at(pending.from), weight(pending.total, 0)));
        for (by, weight) in on_shelf.chain(on_their_way) {
            let counts = u64::from(by.is_some() && by == bringer);
            shares += 1;
            of_one += counts;
            all += weight;
            from_one += counts * weight;
        }
        shares < MAX_SHARES
            && of_one < MAX_SHARES as u64 * MAX_PERCENT_FROM_ONE / 100
            && all + weight_of_it <= MAX_SHELF_WEIGHT
            && from_one + weight_of_it <= MAX_SHELF_WEIGHT * MAX_PERCENT_FROM_ONE / 100
    }

    pub(super) fn on_want_manifest(&mut self, connection: ConnectionId, id: ShareId, offset: u32) {
        let Some(share) = self.shelf.get(&id) else { return };
        if self.queued_control(connection) > 2 * MANIFEST_STRIDE {
            return debug!(?connection, "asks for manifests faster than it takes them");
        }
        let bytes = Arc::clone(&share.manifest_bytes);
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        for (i, part) in rest.chunks(MANIFEST_PART_BYTES).take(MANIFEST_STRIDE_PARTS).enumerate() {
            let offset = offset + (i * MANIFEST_PART_BYTES) as u32;
            self.tell(
                connection,
                &PeerMessage::ManifestPart { share: id, offset, bytes: part.to_vec() },
            );
        }
    }

    pub(super) fn on_manifest_part(
        &mut self,
        connection: ConnectionId,
        id: ShareId,
        offset: u32,
        bytes: &[u8],
    ) {
        let Some(pending) =
            self.manifests.get_mut(&id).filter(|pending| pending.from == connection)
        else {
            return; // late, after somebody else was asked
        };
        // Parts are whole, so that nobody can go on with a manifest for ever.
        let expected = MANIFEST_PART_BYTES.min(pending.total - pending.bytes.len());
        if offset as usize != pending.bytes.len() || bytes.len() != expected {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        pending.bytes.extend_from_slice(bytes);
        pending.deadline = self.now + MANIFEST_TIMEOUT;
        let have = pending.bytes.len();
        if have < pending.total {
            if have % MANIFEST_STRIDE == 0 {
                self.tell(
                    connection,
                    &PeerMessage::WantManifest { share: id, offset: have as u32 },
                );
            }
            return;
        }
        let bytes = std::mem::take(&mut pending.bytes);
        self.manifests.remove(&id);
        let signed = SignedManifest::from_bytes(&bytes)
            .and_then(|signed| Ok((signed.verify(self.room)?, signed)));
        match signed {
            Ok((manifest, signed)) if signed.share() == id => {
                let have = Bitfield::new(manifest.geometry().pieces());
                let mut share = Share::new(manifest, signed, State::Available, have);
                if !self.has_place_for(connection, share.unasked_weight()) {
                    return debug!(?id, "the shelf is full");
                }
                share.brought_by = self.key_at(connection);
                self.shelf.insert(id, share);
                self.events.push_back(Event::ShareAdded { share: id });
                self.resolve_holdings(id);
                self.accept_shares();
            }
            _ => self.blame_sender(connection, Some(id), Proof::ForgedManifest),
        }
    }

    pub(super) fn on_manifest_timeouts(&mut self) {
        let now = self.now;
        let lanes = &self.lanes;
        let stuck: Vec<ShareId> = self
            .manifests
            .iter()
            .filter(|(_, pending)| pending.deadline <= now || !lanes.contains_key(&pending.from))
            .map(|(&id, _)| id)
            .collect();
        for id in stuck {
            self.manifests.remove(&id);
            self.want_manifest(id);
        }
    }

    pub(super) fn next_manifest_timeout(&self) -> Option<Instant> {
        self.manifests
            .values()
            .map(
                |pending| {
                    if self.lanes.contains_key(&pending.from) { pending.deadline } else { self.now }
                },
            )
            .min()
    }
}

impl Share {
    fn new(manifest: Manifest, signed: SignedManifest, state: State, have: Bitfield) -> Self {
        let ours = matches!(state, State::Shared);
        let pieces = manifest.geometry().pieces() as usize;
        Self {
            manifest: Arc::new(manifest),
            manifest_bytes: signed.to_bytes().into(),
            signed: Arc::new(signed),
            state,
            have,
            hashes: KnownHashes::default(),
            availability: vec![0; pieces],
            promised: BTreeMap::new(),
            given: BTreeMap::new(),
            ours,
            uploaded: 0,
            uploads: Meter::lively(Instant::ZERO),
            wishes: Wishes::default(),
            withheld: None,
            whole_since: None,
            told_distance: GONE,
            recalled: None,
            saved: false,
            wait: None,
            told_halt: None,
            damaged: 0,
            brought_by: None,
        }
    }

    /// What it takes of the memory for shares that nobody here asked for.
    fn unasked_weight(&self) -> u64 {
        match self.state {
            State::Available if self.recalled.is_none() => {
                weight(self.manifest_bytes.len(), self.geometry().pieces())
            }
            _ => 0,
        }
    }
}

/// About how many bytes of memory a share takes that is only on the shelf: its manifest as it travels, twice,
/// and as it is read; and the counts and sets of its pieces.
const fn weight(manifest_bytes: usize, pieces: u32) -> u64 {
    4 * manifest_bytes as u64 + 3 * pieces as u64
}
