//! What peers say to each other on the two data channels of a connection, and how it is encoded.
//!
//! On `control`, one [`PeerMessage`] per data-channel message: a tag byte and fields in the order of
//! declaration, integers little-endian, lists with a 32-bit count before them. On `blocks`, one or
//! more [`Block`]s back to back: request, piece, offset, length (4 bytes each), bytes. A block without
//! bytes is an [`Instead`]: request, first piece, count, 0.
//!
//! Decoding checks every length and count; a message that does not decode is a violation of the
//! protocol, and ends the connection.

use crate::bitfield::Bitfield;
use crate::chat::Line;
use crate::codec::{DecodeError, Reader, Writer};
use crate::event::Halt;
use crate::identity::Signature;
use crate::invite::{INVITE_BYTES, Invite};
use crate::manifest::{HashBatch, MAX_MANIFEST_BYTES, ShareId};
use crate::piece::{Geometry, MAX_PIECES, PieceIndex};
use crate::receipt::Receipt;
use crate::roster::Roster;
use crate::signaling::{Envelope, PeerId};

/// Version of the messages in this module; peers of different versions part with a clear reason.
pub const PEER_VERSION: u16 = 2;
/// The most a control message takes, in bytes.
pub const MAX_CONTROL_BYTES: usize = 64 << 10;
/// The data bytes in a full `blocks` message. Anything from 16 to 256 KiB is as fast; this keeps what
/// control messages may have to wait for short.
pub const BLOCK_BYTES: usize = 64 << 10;
/// What each block adds to its data.
pub const BLOCK_HEADER_BYTES: usize = 16;
/// The longest name of a peer, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The bytes of a manifest in one message.
pub const MANIFEST_PART_BYTES: usize = 48 << 10;
/// Bytes of blocks that may be sent on a new connection before the first `Credit`.
pub const INITIAL_CREDIT_BYTES: u64 = 256 << 10;
/// The most pieces one request may name.
pub const MAX_RUN: u32 = 256;
/// A share this many steps away is nowhere.
pub const GONE: u8 = 16;
/// The most members in one `Members`.
pub const MAX_INTRODUCED: usize = 8;
/// The most runs in one `Have`.
const MAX_RUNS: u32 = 4096;

/// A request, named by whoever asks; unique per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// Consecutive pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first.
    pub first: PieceIndex,
    /// How many; at least one.
    pub count: u32,
}

/// Which pieces of a share a peer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// None.
    Nothing,
    /// Every one.
    Everything,
    /// Those whose bits are set, in the form of [`Bitfield::to_bytes`].
    Some(Vec<u8>),
}

/// A message on the `control` channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMessage {
    /// The first message each way, sent when the channel opens and once more when the other side's has
    /// come: it proves that nobody sits between.
    Confirm {
        /// [`PEER_VERSION`].
        version: u16,
        /// Of the transcript of this connection.
        signature: Signature,
        /// What the sender calls itself.
        name: String,
    },
    /// The sender knows a share.
    Share {
        /// Which.
        share: ShareId,
        /// Bytes of its signed manifest, which the sender can be asked for.
        manifest_bytes: u32,
        /// How many steps it is to the nearest peer that has some of it: 0 is the sender itself. Less
        /// than [`GONE`].
        distance: u8,
        /// Pieces that the sender can be asked for, if it means to have any.
        holding: Option<Holding>,
    },
    /// The sender serves a share no more, and knows nobody who does.
    Unshare {
        /// Which.
        share: ShareId,
    },
    /// Asks for a part of a signed manifest.
    WantManifest {
        /// Which.
        share: ShareId,
        /// From this byte on.
        offset: u32,
    },
    /// A part of a signed manifest.
    ManifestPart {
        /// Which.
        share: ShareId,
        /// Where the part begins.
        offset: u32,
        /// At most [`MANIFEST_PART_BYTES`].
        bytes: Vec<u8>,
    },
    /// The sender has more pieces than before.
    Have {
        /// Of which share.
        share: ShareId,
        /// Which pieces: runs in ascending order that do not overlap.
        runs: Vec<Run>,
    },
    /// Asks for pieces. They come whole and in order.
    Request {
        /// Names the request in blocks, cancels and rejects.
        request: RequestId,
        /// Of which share.
        share: ShareId,
        /// Which pieces; at most [`MAX_RUN`].
        run: Run,
        /// Whether the signed hashes are wanted too, ahead of the pieces.
        with_hashes: bool,
        /// Whether other pieces of the share will do as well: see [`Instead`].
        flexible: bool,
    },
    /// The sender may be sent so many bytes of blocks on this connection, counted from its beginning,
    /// on top of [`INITIAL_CREDIT_BYTES`]. Never falls.
    Credit {
        /// Bytes of blocks, without headers.
        bytes: u64,
    },
    /// What was asked is waiting its turn: the sender is there, and busy with others.
    Queued,
    /// Asks whether the other side is there: nothing has come of what was asked for.
    Ping,
    /// The answer to [`PeerMessage::Ping`].
    Pong,
    /// What was not sent of a request yet is not wanted any more.
    Cancel {
        /// Which request.
        request: RequestId,
    },
    /// What was not sent of a request yet will not be.
    Reject {
        /// Which request.
        request: RequestId,
    },
    /// Signed piece hashes.
    Hashes(HashBatch),
    /// Somebody has all of a share, verified and in place.
    Receipt {
        /// Who, what and since when.
        receipt: Receipt,
        /// Whether it is the sender itself.
        own: bool,
    },
    /// Asks for an introduction to others.
    WantMembers {
        /// To those who are nearest to a holder of this share, or to anybody.
        near: Option<ShareId>,
    },
    /// Members that the sender is connected to.
    Members {
        /// At most [`MAX_INTRODUCED`].
        peers: Vec<PeerId>,
    },
    /// The server knows the sender by another id now.
    Moved {
        /// The new id.
        peer: PeerId,
    },
    /// How much the sender can still store.
    Capacity {
        /// Bytes.
        bytes: u64,
    },
    /// The sender neither fetches nor serves a share that it wants or has, or does again.
    Halt {
        /// Which.
        share: ShareId,
        /// Why; `None` if it goes on.
        halt: Option<Halt>,
    },
    /// A sealed signal to be passed on, or passed on by the sender.
    Relay {
        /// Who sealed it.
        from: PeerId,
        /// Whom it is for.
        to: PeerId,
        /// What only the addressee can open.
        envelope: Envelope,
    },
    /// Whom the creator of the room lets in.
    Roster(Roster),
    /// The creator starts the room anew, with those whom it tells.
    Anew {
        /// What lets us into the new room.
        invite: Invite,
    },
    /// The sender wants to be told what is said, or not any more.
    Listen {
        /// Whether it does.
        on: bool,
    },
    /// Somebody said something to the room.
    Line(Line),
    /// The sender closes the connection.
    Goodbye {
        /// Why: the number of a [`crate::event::CloseReason`].
        reason: u8,
    },
}

/// What travels on the `blocks` channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockItem<'a> {
    /// A part of a piece.
    Block(Block<'a>),
    /// The answer to a flexible request will be other pieces.
    Instead(Instead),
}

/// A source answers a flexible request with pieces of its own choice: those that the room lacks most.
/// Before any block of the answer, and with no more bytes than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instead {
    /// The request it answers.
    pub request: RequestId,
    /// What comes.
    pub run: Run,
}

/// A part of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The request it answers.
    pub request: RequestId,
    /// The piece it is of.
    pub piece: PieceIndex,
    /// Bytes from the start of the piece.
    pub offset: u32,
    /// At least one byte.
    pub bytes: &'a [u8],
}

const CONFIRM: u8 = 0;
const SHARE: u8 = 1;
const UNSHARE: u8 = 2;
const WANT_MANIFEST: u8 = 3;
const MANIFEST_PART: u8 = 4;
const HAVE: u8 = 5;
const REQUEST: u8 = 6;
const CANCEL: u8 = 7;
const REJECT: u8 = 8;
const HASHES: u8 = 9;
const RECEIPT: u8 = 10;
const MOVED: u8 = 11;
const GOODBYE: u8 = 12;
const CREDIT: u8 = 13;
const QUEUED: u8 = 14;
const WANT_MEMBERS: u8 = 15;
const MEMBERS: u8 = 16;
const CAPACITY: u8 = 17;
const HALT: u8 = 18;
const RELAY: u8 = 19;
const ROSTER: u8 = 20;
const ANEW: u8 = 21;
const LISTEN: u8 = 22;
const LINE: u8 = 23;
const PING: u8 = 24;
const PONG: u8 = 25;

impl Run {
    /// The pieces.
    pub fn iter(self) -> impl Iterator<Item = PieceIndex> {
        (self.first.0..self.first.0.saturating_add(self.count)).map(PieceIndex)
    }

    /// The bytes of all the pieces together.
    pub fn bytes(self, geometry: &Geometry) -> u64 {
        self.iter().map(|piece| u64::from(geometry.length(piece))).sum()
    }

    fn write(self, w: &mut Writer) {
        w.u32(self.first.0).u32(self.count);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self { first: PieceIndex(r.u32()?), count: r.u32()? }.checked()
    }

    fn checked(self) -> Result<Self, DecodeError> {
        if self.count == 0 || self.end().is_none_or(|end| end > MAX_PIECES) {
            return Err(DecodeError::OutOfRange("run of pieces"));
        }
        Ok(self)
    }

    fn end(self) -> Option<u32> {
        self.first.0.checked_add(self.count)
    }
}

impl Holding {
    /// The form for a set of pieces.
    pub fn of(pieces: &Bitfield) -> Self {
        match pieces.count() {
            n if n == pieces.len() => Self::Everything,
            0 => Self::Nothing,
            _ => Self::Some(pieces.to_bytes()),
        }
    }

    /// The set it means in a share of `pieces` pieces.
    pub fn to_bitfield(&self, pieces: u32) -> Option<Bitfield> {
        match self {
            Self::Nothing => Some(Bitfield::new(pieces)),
            Self::Everything => Some(Bitfield::full(pieces)),
            Self::Some(bytes) => Bitfield::from_bytes(bytes, pieces).ok(),
        }
    }
}

impl PeerMessage {
    /// `Have`s for these pieces, in ascending order: one message unless they are very scattered.
    pub fn haves(share: ShareId, pieces: &[PieceIndex]) -> Vec<Self> {
        let mut runs: Vec<Run> = Vec::new();
        for &piece in pieces {
            match runs.last_mut() {
                Some(run) if run.first.0 + run.count == piece.0 => run.count += 1,
                _ => runs.push(Run { first: piece, count: 1 }),
            }
        }
        runs.chunks(MAX_RUNS as usize)
            .map(|runs| Self::Have { share, runs: runs.to_vec() })
            .collect()
    }

    /// The form that travels.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Confirm { version, signature, name } => {
                w.u8(CONFIRM).u16(*version).bytes(&signature.0).text(name);
            }
            Self::Share { share, manifest_bytes, distance, holding } => {
                w.u8(SHARE).bytes(&share.0).u32(*manifest_bytes).u8(*distance);
                match holding {
                    Some(Holding::Nothing) => w.u8(0),
                    Some(Holding::Everything) => w.u8(1),
                    Some(Holding::Some(bits)) => w.u8(2).count(bits.len()).bytes(bits),
                    None => w.u8(3),
                };
            }
            Self::Unshare { share } => {
                w.u8(UNSHARE).bytes(&share.0);
            }
            Self::WantManifest { share, offset } => {
                w.u8(WANT_MANIFEST).bytes(&share.0).u32(*offset);
            }
            Self::ManifestPart { share, offset, bytes } => {
                w.u8(MANIFEST_PART).bytes(&share.0).u32(*offset).bytes(bytes);
            }
            Self::Have { share, runs } => {
                w.u8(HAVE).bytes(&share.0).count(runs.len());
                runs.iter().for_each(|run| run.write(&mut w));
            }
            Self::Request { request, share, run, with_hashes, flexible } => {
                w.u8(REQUEST).u32(request.0).bytes(&share.0);
                run.write(&mut w);
                w.u8(u8::from(*with_hashes)).u8(u8::from(*flexible));
            }
            Self::Credit { bytes } => {
                w.u8(CREDIT).u64(*bytes);
            }
            Self::Queued => {
                w.u8(QUEUED);
            }
            Self::Ping => {
                w.u8(PING);
            }
            Self::Pong => {
                w.u8(PONG);
            }
            Self::Cancel { request } => {
                w.u8(CANCEL).u32(request.0);
            }
            Self::Reject { request } => {
                w.u8(REJECT).u32(request.0);
            }
            Self::Hashes(batch) => {
                w.u8(HASHES);
                batch.write(&mut w);
            }
            Self::Receipt { receipt, own } => {
                w.u8(RECEIPT);
                receipt.write(&mut w);
                w.u8(u8::from(*own));
            }
            Self::WantMembers { near } => {
                w.u8(WANT_MEMBERS).u8(u8::from(near.is_some()));
                if let Some(share) = near {
                    w.bytes(&share.0);
                }
            }
            Self::Members { peers } => {
                w.u8(MEMBERS).count(peers.len());
                for peer in peers {
                    w.u64(peer.0);
                }
            }
            Self::Moved { peer } => {
                w.u8(MOVED).u64(peer.0);
            }
            Self::Capacity { bytes } => {
                w.u8(CAPACITY).u64(*bytes);
            }
            Self::Halt { share, halt } => {
                w.u8(HALT).bytes(&share.0).u8(halt.map_or(0, |halt| halt as u8));
            }
            Self::Relay { from, to, envelope } => {
                w.u8(RELAY).u64(from.0).u64(to.0).bytes(envelope.as_bytes());
            }
            Self::Roster(roster) => {
                w.u8(ROSTER);
                roster.write(&mut w);
            }
            Self::Anew { invite } => {
                w.u8(ANEW).bytes(&invite.to_bytes());
            }
            Self::Listen { on } => {
                w.u8(LISTEN).u8(u8::from(*on));
            }
            Self::Line(line) => {
                w.u8(LINE);
                line.write(&mut w);
            }
            Self::Goodbye { reason } => {
                w.u8(GOODBYE).u8(*reason);
            }
        }
        w.finish()
    }

    /// Reads one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_CONTROL_BYTES {
            return Err(DecodeError::OutOfRange("message length"));
        }
        let mut r = Reader::new(bytes);
        let tag = r.u8()?;
        let message = match tag {
            CONFIRM => Self::Confirm {
                version: r.u16()?,
                signature: Signature(r.array()?),
                name: r.text("name length", MAX_NAME_BYTES)?.to_owned(),
            },
            SHARE => {
                let share = share(&mut r)?;
                let manifest_bytes = r.u32()?;
                if manifest_bytes == 0 || manifest_bytes as usize > MAX_MANIFEST_BYTES {
                    return Err(DecodeError::OutOfRange("manifest length"));
                }
                let distance = r.u8()?;
                if distance >= GONE {
                    return Err(DecodeError::OutOfRange("distance"));
                }
                let holding = match r.u8()? {
                    0 => Some(Holding::Nothing),
                    1 => Some(Holding::Everything),
                    2 => {
                        let len = r.count("bitfield length", MAX_PIECES / 8, 1)?;
                        Some(Holding::Some(r.take(len as usize)?.to_vec()))
                    }
                    3 => None,
                    value => return Err(DecodeError::Unknown { what: "holding", value }),
                };
                Self::Share { share, manifest_bytes, distance, holding }
            }
            UNSHARE => Self::Unshare { share: share(&mut r)? },
            WANT_MANIFEST => Self::WantManifest { share: share(&mut r)?, offset: r.u32()? },
            MANIFEST_PART => Self::ManifestPart {
                share: share(&mut r)?,
                offset: r.u32()?,
                bytes: r.rest().to_vec(),
            },
            HAVE => {
                let share = share(&mut r)?;
                let count = r.count("number of runs", MAX_RUNS, 8)?;
                let mut end = 0;
                let mut runs = Vec::with_capacity(count as usize);
                for _ in 0..count {
                    let run = Run::read(&mut r)?;
                    // So that no message names more pieces than there can be.
                    if run.first.0 < end {
                        return Err(DecodeError::OutOfRange("run of pieces"));
                    }
                    end = run.first.0 + run.count;
                    runs.push(run);
                }
                Self::Have { share, runs }
            }
            REQUEST => {
                let (request, share, run) =
                    (RequestId(r.u32()?), share(&mut r)?, Run::read(&mut r)?);
                if run.count > MAX_RUN {
                    return Err(DecodeError::OutOfRange("run of pieces"));
                }
                let (with_hashes, flexible) = (flag(&mut r)?, flag(&mut r)?);
                Self::Request { request, share, run, with_hashes, flexible }
            }
            CREDIT => Self::Credit { bytes: r.u64()? },
            QUEUED => Self::Queued,
            PING => Self::Ping,
            PONG => Self::Pong,
            CANCEL => Self::Cancel { request: RequestId(r.u32()?) },
            REJECT => Self::Reject { request: RequestId(r.u32()?) },
            HASHES => Self::Hashes(HashBatch::read(&mut r)?),
            RECEIPT => Self::Receipt { receipt: Receipt::read(&mut r)?, own: flag(&mut r)? },
            WANT_MEMBERS => {
                let near = flag(&mut r)?.then(|| share(&mut r)).transpose()?;
                Self::WantMembers { near }
            }
            MEMBERS => {
                let count = r.count("number of members", MAX_INTRODUCED as u32, 8)?;
                let peers = (0..count).map(|_| r.u64().map(PeerId)).collect::<Result<_, _>>()?;
                Self::Members { peers }
            }
            MOVED => Self::Moved { peer: PeerId(r.u64()?) },
            CAPACITY => Self::Capacity { bytes: r.u64()? },
            HALT => Self::Halt { share: share(&mut r)?, halt: halt(&mut r)? },
            RELAY => {
                let (from, to) = (PeerId(r.u64()?), PeerId(r.u64()?));
                let envelope = Envelope::new(r.rest().to_vec());
                let envelope = envelope.map_err(|_| DecodeError::OutOfRange("envelope"))?;
                Self::Relay { from, to, envelope }
            }
            ROSTER => Self::Roster(Roster::read(&mut r)?),
            ANEW => {
                let invite = Invite::from_bytes(&r.array::<INVITE_BYTES>()?);
                Self::Anew { invite: invite.map_err(|_| DecodeError::OutOfRange("invite"))? }
            }
            LISTEN => Self::Listen { on: flag(&mut r)? },
            LINE => Self::Line(Line::read(&mut r)?),
            GOODBYE => Self::Goodbye { reason: r.u8()? },
            value => return Err(DecodeError::Unknown { what: "message", value }),
        };
        r.finish()?;
        Ok(message)
    }
}

fn share(r: &mut Reader<'_>) -> Result<ShareId, DecodeError> {
    r.array().map(ShareId)
}

fn halt(r: &mut Reader<'_>) -> Result<Option<Halt>, DecodeError> {
    match r.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Halt::Paused)),
        2 => Ok(Some(Halt::DiskFull)),
        3 => Ok(Some(Halt::Unreadable)),
        value => Err(DecodeError::Unknown { what: "halt", value }),
    }
}

fn flag(r: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(DecodeError::Unknown { what: "flag", value }),
    }
}

impl Block<'_> {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u32(self.request.0)
            .u32(self.piece.0)
            .u32(self.offset)
            .count(self.bytes.len())
            .bytes(self.bytes);
    }
}

impl Instead {
    pub(crate) fn write(self, w: &mut Writer) {
        w.u32(self.request.0).u32(self.run.first.0).u32(self.run.count).u32(0);
    }
}

/// Reads what is in one message on the `blocks` channel.
pub fn decode_blocks(bytes: &[u8]) -> impl Iterator<Item = Result<BlockItem<'_>, DecodeError>> {
    let mut r = Reader::new(bytes);
    let mut done = false;
    // At least one: a message without a block is cut off, too.
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let block = read_block(&mut r);
        done = block.is_err() || r.is_at_end();
        Some(block)
    })
}

fn read_block<'a>(r: &mut Reader<'a>) -> Result<BlockItem<'a>, DecodeError> {
    let (request, piece, offset) = (RequestId(r.u32()?), PieceIndex(r.u32()?), r.u32()?);
    let length = r.u32()?;
    if length > 0 {
        let bytes = r.take(length as usize)?;
        return Ok(BlockItem::Block(Block { request, piece, offset, bytes }));
    }
    let run = Run { first: piece, count: offset }.checked()?;
    if run.count > MAX_RUN {
        return Err(DecodeError::OutOfRange("run of pieces"));
    }
    Ok(BlockItem::Instead(Instead { request, run }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::{DeviceKey, PublicKey};
    use crate::piece::PieceHash;
    use crate::signaling::RoomId;

    fn messages() -> impl Strategy<Value = PeerMessage> {
        let share = any::<[u8; 32]>().prop_map(ShareId);
        let signature =
            any::<[u8; 32]>().prop_map(|half| Signature(std::array::from_fn(|i| half[i % 32])));
        let run = (0..MAX_PIECES - MAX_RUN, 1..=MAX_RUN)
            .prop_map(|(first, count)| Run { first: PieceIndex(first), count });
        let holding = prop_oneof![
            Just(Holding::Nothing),
            Just(Holding::Everything),
            proptest::collection::vec(any::<u8>(), 0..99).prop_map(Holding::Some),
        ];
        let hashes = proptest::collection::vec(any::<[u8; 32]>().prop_map(PieceHash), 1..9);
        prop_oneof![
            (any::<u16>(), signature.clone(), "\\PC{0,16}").prop_map(
                |(version, signature, name)| PeerMessage::Confirm { version, signature, name }
            ),
            (share.clone(), 1..1000u32, 0..GONE, proptest::option::of(holding)).prop_map(
                |(share, manifest_bytes, distance, holding)| PeerMessage::Share {
                    share,
                    manifest_bytes,
                    distance,
                    holding
                }
            ),
            proptest::option::of(share.clone()).prop_map(|near| PeerMessage::WantMembers { near }),
            proptest::collection::vec(any::<u64>().prop_map(PeerId), 0..=MAX_INTRODUCED)
                .prop_map(|peers| PeerMessage::Members { peers }),
            share.clone().prop_map(|share| PeerMessage::Unshare { share }),
            (share.clone(), any::<u32>())
                .prop_map(|(share, offset)| PeerMessage::WantManifest { share, offset }),
            (share.clone(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..99)).prop_map(
                |(share, offset, bytes)| PeerMessage::ManifestPart { share, offset, bytes }
            ),
            (share.clone(), proptest::collection::vec((0..999u32, 1..=MAX_RUN), 0..9)).prop_map(
                |(share, gaps)| {
                    let mut end = 0;
                    let runs = gaps.into_iter().map(|(gap, count)| {
                        let first = PieceIndex(end + gap);
                        end = first.0 + count;
                        Run { first, count }
                    });
                    PeerMessage::Have { share, runs: runs.collect() }
                }
            ),
            (any::<u32>(), share.clone(), run, any::<bool>(), any::<bool>()).prop_map(
                |(id, share, run, with_hashes, flexible)| PeerMessage::Request {
                    request: RequestId(id),
                    share,
                    run,
                    with_hashes,
                    flexible
                }
            ),
            any::<u64>().prop_map(|bytes| PeerMessage::Credit { bytes }),
            Just(PeerMessage::Queued),
            Just(PeerMessage::Ping),
            Just(PeerMessage::Pong),
            any::<u32>().prop_map(|id| PeerMessage::Cancel { request: RequestId(id) }),
            any::<u32>().prop_map(|id| PeerMessage::Reject { request: RequestId(id) }),
            (share.clone(), 0..1000u32, hashes, signature.clone()).prop_map(
                |(share, first, hashes, signature)| {
                    PeerMessage::Hashes(HashBatch {
                        share,
                        first: PieceIndex(first),
                        hashes,
                        signature,
                    })
                }
            ),
            (share, any::<[u8; 32]>(), any::<u64>(), signature, any::<bool>()).prop_map(
                |(share, holder, since_ms, signature, own)| PeerMessage::Receipt {
                    receipt: Receipt { share, holder: PublicKey(holder), since_ms, signature },
                    own
                }
            ),
            any::<u64>().prop_map(|id| PeerMessage::Moved { peer: PeerId(id) }),
            (any::<[u8; 32]>(), any::<u64>(), proptest::collection::vec(any::<[u8; 32]>(), 0..9))
                .prop_map(|(secret, made_ms, keys)| {
                    let only =
                        (made_ms % 2 == 0).then(|| keys.into_iter().map(PublicKey).collect());
                    let key = DeviceKey::from_bytes(secret);
                    PeerMessage::Roster(Roster::sign(RoomId([0; 16]), made_ms, only, &key))
                }),
            (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(secret, creator)| {
                PeerMessage::Anew { invite: Invite::new(secret, &PublicKey(creator)) }
            }),
            any::<bool>().prop_map(|on| PeerMessage::Listen { on }),
            (any::<[u8; 32]>(), any::<[u64; 3]>(), "\\PC{0,16}", ".{1,99}").prop_map(
                |(author, [stay, sequence, sent_ms], name, text)| {
                    let (author, signature) = (PublicKey(author), Signature([7; 64]));
                    PeerMessage::Line(Line {
                        author,
                        stay,
                        sequence,
                        sent_ms,
                        name,
                        text,
                        signature,
                    })
                }
            ),
            any::<u8>().prop_map(|reason| PeerMessage::Goodbye { reason }),
        ]
    }

    proptest! {
        #[test]
        fn every_message_survives_the_journey(message in messages()) {
            prop_assert_eq!(PeerMessage::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn damaged_messages_give_errors_not_panics(message in messages(), cut in any::<proptest::sample::Index>(), flip in any::<u8>()) {
            let mut bytes = message.encode();
            let at = cut.index(bytes.len());
            let _ = PeerMessage::decode(&bytes[..at]);
            bytes[at] ^= flip;
            let _ = PeerMessage::decode(&bytes);
        }

        #[test]
        fn any_bytes_decode_or_give_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = PeerMessage::decode(&bytes);
            let _ = decode_blocks(&bytes).count();
        }
    }

    #[test]
    fn blocks_travel_several_to_a_message() {
        let request = RequestId(1);
        let block = |piece, bytes| Block { request, piece: PieceIndex(piece), offset: 3, bytes };
        let instead = Instead { request, run: Run { first: PieceIndex(7), count: 2 } };
        let mut w = Writer::new();
        instead.write(&mut w);
        block(7, b"seven").write(&mut w);
        block(8, b"8").write(&mut w);
        let bytes = w.finish();
        let items = [
            BlockItem::Instead(instead),
            BlockItem::Block(block(7, b"seven")),
            BlockItem::Block(block(8, b"8")),
        ];
        let read: Result<Vec<_>, _> = decode_blocks(&bytes).collect();
        assert_eq!(read.unwrap(), items);
        let cut: Vec<_> = decode_blocks(&bytes[..bytes.len() - 1]).collect();
        assert_eq!(cut, [Ok(items[0]), Ok(items[1]), Err(DecodeError::Truncated)]);
        assert_eq!(decode_blocks(&[]).collect::<Vec<_>>(), [Err(DecodeError::Truncated)]);
        let empty = [0; BLOCK_HEADER_BYTES];
        let refused = Err(DecodeError::OutOfRange("run of pieces"));
        assert_eq!(decode_blocks(&empty).collect::<Vec<_>>(), [refused]);
    }

    #[test]
    fn huge_counts_are_refused_before_anything_is_allocated() {
        let mut have = PeerMessage::Have { share: ShareId([0; 32]), runs: vec![] }.encode();
        have[33..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(PeerMessage::decode(&have), Err(DecodeError::OutOfRange("number of runs")));
        let huge = Run { first: PieceIndex(0), count: MAX_RUN + 1 };
        let request = PeerMessage::Request {
            request: RequestId(0),
            share: ShareId([0; 32]),
            run: huge,
            with_hashes: false,
            flexible: false,
        };
        assert!(PeerMessage::decode(&request.encode()).is_err());
    }

    #[test]
    fn runs_that_overlap_or_go_back_are_refused() {
        let run = |first, count| Run { first: PieceIndex(first), count };
        let have = |runs| PeerMessage::Have { share: ShareId([0; 32]), runs }.encode();
        assert!(PeerMessage::decode(&have(vec![run(0, 2), run(2, 1)])).is_ok());
        let refused = Err(DecodeError::OutOfRange("run of pieces"));
        for runs in [[run(0, 2), run(1, 1)], [run(5, 1), run(3, 1)], [run(0, MAX_PIECES); 2]] {
            assert_eq!(PeerMessage::decode(&have(runs.to_vec())), refused);
        }
    }

    #[test]
    fn haves_are_sent_as_runs() {
        let pieces = [1, 2, 3, 7, 9, 10].map(PieceIndex);
        let run = |first, count| Run { first: PieceIndex(first), count };
        let share = ShareId([0; 32]);
        let runs = vec![run(1, 3), run(7, 1), run(9, 2)];
        assert_eq!(PeerMessage::haves(share, &pieces), [PeerMessage::Have { share, runs }]);
    }
}
