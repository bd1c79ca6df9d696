//! A hostile member that says without end what may be said: what it costs the others in memory is
//! bounded, they let it go where it is of no use to anybody, and they are done with what they do about
//! as soon as without it.
//!
//! Here and not with the other hostile members (`src/tests/hostile`), because all that is allocated is counted.

use std::time::Duration;

use peak_alloc::PeakAlloc;
use protocol::chat::Line;
use protocol::event::{CloseReason, Event, Halt, PeerView};
use protocol::identity::{DeviceKey, Signature};
use protocol::io::Channel;
use protocol::manifest::{HashBatch, ShareId};
use protocol::message::{Holding, MANIFEST_PART_BYTES, PeerMessage, RequestId, Run};
use protocol::piece::{MAX_PIECES, PieceHash, PieceIndex};
use protocol::receipt::Receipt;
use protocol::signaling::{Envelope, PeerId, RoomId};
use protocol::simulation::{World, data};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const PIECE: usize = 256 << 10;
const MIB: usize = 1 << 20;
const MINUTE: Duration = Duration::from_secs(60);

const ORIGIN: usize = 0;
const VICTIM: usize = 1;
const HOSTILE: usize = 2;

/// What the simulation itself holds of a flood: messages on their way.
const ON_THE_WAY: usize = 32 * MIB;
/// No flood is longer.
const MOST: u64 = 1_500_000;

/// A member that floods, and what comes of it.
struct Flood {
    what: &'static str,
    /// Whether it is let go; else what it says is of no harm, however much.
    ends: bool,
    /// What it may cost in memory, beside what is on its way.
    memory: usize,
    /// What it says `n`th.
    message: fn(&Setting, u64) -> PeerMessage,
}

/// What the messages are about.
struct Setting {
    room: RoomId,
    share: ShareId,
    victim: PeerId,
    origin: PeerId,
    key: DeviceKey,
    receipt: Receipt,
    /// A share with as many pieces as there can be, and its manifest.
    large: (ShareId, Vec<u8>),
}

/// Of small messages it takes half a million until it is enough: most kinds are tried with `SHOAL_LONG=1` only.
fn floods() -> Vec<Flood> {
    let mut floods = vec![
        ending("shares that it is stuck with", |_, n| PeerMessage::Halt {
            share: any_share(n),
            halt: Some(Halt::Paused),
        }),
        ending("requests that it cancels", |it, n| {
            let request = RequestId((n / 2) as u32);
            if n.is_multiple_of(2) {
                let run = Run { first: PieceIndex(0), count: 1 };
                let share = it.share;
                PeerMessage::Request { request, share, run, with_hashes: true, flexible: false }
            } else {
                PeerMessage::Cancel { request }
            }
        }),
        ending("signals that cannot be opened", |it, n| {
            let envelope = Envelope::new(vec![n as u8; 600]).expect("it is short");
            PeerMessage::Relay { from: PeerId(n), to: it.victim, envelope }
        }),
        ending("receipts of its own", |it, _| PeerMessage::Receipt {
            receipt: it.receipt.clone(),
            own: true,
        }),
        ending("all of a share, and none of it", |it, n| PeerMessage::Share {
            share: it.large.0,
            manifest_bytes: 9,
            distance: 0,
            holding: Some([Holding::Everything, Holding::Nothing][n as usize % 2].clone()),
        }),
        ending("shares that it withdraws", |_, n| {
            let share = any_share(n / 2);
            if n.is_multiple_of(2) {
                PeerMessage::Share { share, manifest_bytes: 99, distance: 0, holding: None }
            } else {
                PeerMessage::Unshare { share }
            }
        }),
        harmless("lines of people who are made up", 16 * MIB, |it, n| {
            let key = DeviceKey::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes());
            let (author, signature) = (key.public(), Signature([0; 64]));
            let (name, text) = (String::new(), "x".repeat(2000));
            let line = Line { author, stay: n, sequence: n, sent_ms: n, name, text, signature };
            PeerMessage::Line(line.sign(it.room, &key))
        }),
        harmless("shares without end, with a large bitfield each", 64 * MIB, |_, n| {
            PeerMessage::Share {
                share: any_share(n),
                manifest_bytes: 99,
                distance: 0,
                holding: Some(Holding::Some(vec![1; MAX_PIECES as usize / 8])),
            }
        }),
        harmless("manifests of the largest kind, none of them whole", 256 * MIB, |_, n| {
            // Ten messages each, and the last part is never sent.
            let share = any_share(n / 10);
            if n.is_multiple_of(10) {
                let manifest_bytes = 32 << 20;
                PeerMessage::Share { share, manifest_bytes, distance: 0, holding: None }
            } else {
                let offset = (n % 10 - 1) as u32 * MANIFEST_PART_BYTES as u32;
                PeerMessage::ManifestPart { share, offset, bytes: vec![1; MANIFEST_PART_BYTES] }
            }
        }),
        harmless("shares of as many pieces as there can be", 256 * MIB, |it, n| {
            let (share, bytes) = large_share(it.room, &it.key, n / 2);
            if n.is_multiple_of(2) {
                let (manifest_bytes, holding) = (bytes.len() as u32, Some(Holding::Everything));
                PeerMessage::Share { share, manifest_bytes, distance: 0, holding }
            } else {
                PeerMessage::ManifestPart { share, offset: 0, bytes }
            }
        }),
    ];
    if std::env::var_os("SHOAL_LONG").is_some() {
        floods.extend(more_floods());
    }
    floods
}

fn more_floods() -> Vec<Flood> {
    vec![
        ending("members that nobody asked for", |_, n| PeerMessage::Members {
            peers: (0..8).map(|i| PeerId(n * 8 + i)).collect(),
        }),
        ending("questions for members", |_, _| PeerMessage::WantMembers { near: None }),
        ending("credit without end", |_, n| PeerMessage::Credit { bytes: u64::MAX - n % 2 }),
        ending("wishes to hear what is said, and not to", |_, n| PeerMessage::Listen {
            on: n.is_multiple_of(2),
        }),
        ending("answers that it is busy", |_, _| PeerMessage::Queued),
        ending("what was never asked, cancelled", |_, n| PeerMessage::Cancel {
            request: RequestId(n as u32),
        }),
        ending("what was never asked, rejected", |_, n| PeerMessage::Reject {
            request: RequestId(n as u32),
        }),
        ending("room to store", |_, n| PeerMessage::Capacity { bytes: n }),
        ending("other ids", |_, n| PeerMessage::Moved { peer: PeerId(1_000_000 + n) }),
        ending("signals to be passed on", |it, n| {
            let envelope = Envelope::new(vec![n as u8; 600]).expect("it is short");
            PeerMessage::Relay { from: PeerId(n), to: it.origin, envelope }
        }),
        ending("pieces that it has", |it, n| {
            let run = Run { first: PieceIndex(n as u32 % 8), count: 1 };
            PeerMessage::Have { share: it.share, runs: vec![run] }
        }),
        ending("pieces of shares that nobody knows", |_, n| {
            let run = Run { first: PieceIndex(n as u32 % 999), count: 1 };
            PeerMessage::Have { share: any_share(n), runs: vec![run] }
        }),
        ending("hashes of shares that nobody receives", |_, n| {
            let (share, first) = (any_share(n), PieceIndex(0));
            let (hashes, signature) = (vec![PieceHash([1; 32])], Signature([0; 64]));
            PeerMessage::Hashes(HashBatch { share, first, hashes, signature })
        }),
        ending("requests for what nobody has", |_, n| PeerMessage::Request {
            request: RequestId(n as u32),
            share: any_share(n),
            run: Run { first: PieceIndex(0), count: 1 },
            with_hashes: true,
            flexible: false,
        }),
    ]
}

/// A flood that ends the connection.
fn ending(what: &'static str, message: fn(&Setting, u64) -> PeerMessage) -> Flood {
    Flood { what, ends: true, memory: 16 * MIB, message }
}

/// One that has no effect beyond what it costs in memory.
fn harmless(what: &'static str, memory: usize, message: fn(&Setting, u64) -> PeerMessage) -> Flood {
    Flood { what, ends: false, memory, message }
}

#[test]
fn a_flood_of_anything_takes_bounded_memory_and_holds_up_nobody() {
    let alone = run(None);
    for flood in floods() {
        let took = run(Some(&flood));
        let limit = alone + Duration::from_secs(2);
        assert!(took <= limit, "{}: {took:?} instead of {alone:?}", flood.what);
    }
}

/// Lets the victim receive from the origin while there is a flood, and gives how long that took.
fn run(flood: Option<&Flood>) -> Duration {
    let mut world = World::new(1);
    (0..3).for_each(|_| {
        world.add();
    });
    let share = world.share(ORIGIN, &[("file", data(1, 8 * PIECE))]);
    let connected = |w: &World, peer: usize| {
        w.peers[peer].swarm.peers().filter(PeerView::is_connected).count() == 2
    };
    world.until(MINUTE, "on the shelf", |w| {
        (0..3).all(|peer| w.view(peer, share).is_some() && connected(w, peer))
    });
    let invite = world.peers[VICTIM].swarm.invite().clone();
    let id = |peer: usize| world.peers[peer].swarm.peer_id().expect("it has joined");
    let room = invite.room_id();
    // As the world gives them out.
    let key =
        DeviceKey::from_bytes(std::array::from_fn(|i| if i == 0 { HOSTILE as u8 } else { 0 }));
    let setting = Setting {
        room,
        share,
        victim: id(VICTIM),
        origin: id(ORIGIN),
        receipt: Receipt::sign(room, share, 5, &key),
        large: large_share(room, &key, 0),
        key,
    };
    tell_large(&mut world, &setting);
    // The victim has some of it, or it would answer no request.
    world.receive(VICTIM, share);
    world.peers[ORIGIN].uplink = Some(400e3);
    world.until(MINUTE, "going on", |w| w.view(VICTIM, share).expect("it is there").have > 0);

    let start = world.now;
    if let Some(flood) = flood {
        pour(&mut world, &setting, flood);
    }
    world.until(MINUTE, "received", |w| w.is_complete(VICTIM, share));
    let took = world.peers[VICTIM].completed[&share].saturating_since(start);
    let lost = |event: &Event| matches!(event, Event::PeerGone { name, .. } if name == "peer 0");
    assert!(!world.peers[VICTIM].events.iter().any(lost), "the others stay connected");
    // What the origin shares after that has a place.
    let more = world.share(ORIGIN, &[("more", data(2, 9))]);
    world.until(MINUTE, "on the shelf", |w| w.view(VICTIM, more).is_some());
    took
}

/// The hostile member puts the largest share there can be on the victim's shelf.
fn tell_large(world: &mut World, setting: &Setting) {
    let (share, bytes) = setting.large.clone();
    let manifest_bytes = bytes.len() as u32;
    let told = PeerMessage::Share { share, manifest_bytes, distance: 0, holding: None };
    world.say(HOSTILE, VICTIM, &told);
    world.say(HOSTILE, VICTIM, &PeerMessage::ManifestPart { share, offset: 0, bytes });
    world.until(MINUTE, "on the shelf", |w| w.view(VICTIM, share).is_some());
}

fn pour(world: &mut World, setting: &Setting, flood: &Flood) {
    let what = flood.what;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let most = if flood.ends { MOST } else { 5000 };
    let mut said = 0;
    let mut bytes = 0;
    while said < most {
        let message = (flood.message)(setting, said).encode();
        bytes += message.len();
        if !world.send(HOSTILE, VICTIM, Channel::Control, message) {
            break;
        }
        said += 1;
        // As fast as a fast line carries it, a megabyte at a time, and a message each microsecond.
        if said.is_multiple_of(20_000) || bytes > MIB {
            world.run_for(Duration::from_millis(35));
            bytes = 0;
        }
    }
    world.run_for(Duration::from_millis(35));
    let reason = world.peers[VICTIM].events.iter().find_map(|event| match event {
        Event::PeerGone { name, reason, .. } if name == "peer 2" => Some(*reason),
        _ => None,
    });
    let grown = MEMORY.peak_usage().saturating_sub(before);
    println!("{what}: {said} messages, {} KiB, {reason:?}", grown >> 10);
    let expected = flood.ends.then_some(CloseReason::ProtocolViolation);
    assert_eq!(reason, expected, "{what}, after {said} messages");
    assert!(grown < flood.memory + ON_THE_WAY, "{what}: {} MiB", grown >> 20);
}

fn any_share(n: u64) -> ShareId {
    ShareId(std::array::from_fn(|i| (n >> (8 * (i % 8))) as u8))
}

/// A share of one file with as many pieces as there can be: of the smallest size, which no honest origin would
/// choose for it.
fn large_share(room: RoomId, key: &DeviceKey, n: u64) -> (ShareId, Vec<u8>) {
    let path = format!("large {n}");
    let size = u64::from(MAX_PIECES) << 18;
    let manifest = [
        &[1, 18][..],
        &key.public().0,
        &1u32.to_le_bytes(),
        &[0],
        &(path.len() as u16).to_le_bytes(),
        path.as_bytes(),
        &size.to_le_bytes(),
    ]
    .concat();
    let share = ShareId(blake3::derive_key("shoal v1 share id", &manifest));
    let signed = [&room.0[..], &share.0].concat();
    let signature = key.sign("shoal v1 origin signs a manifest for a room", &signed);
    (share, [&signature.0[..], &manifest].concat())
}
