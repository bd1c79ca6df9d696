//! What fuzzing begins with: one of each thing there is a vector for.

use super::messages::messages;
use super::*;
use crate::signaling::{ClientMessage, ResumeToken, ServerMessage};

/// Target, name of the file, and bytes.
pub(in crate::tests) fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds: Vec<(&'static str, String, Vec<u8>)> = Vec::new();
    for (i, (name, _, message)) in (0..).zip(messages()) {
        seeds.push(("peer_message", format!("{i:02}-{name}"), message.encode()));
    }
    for (i, (_, signal)) in (0..).zip(signals()) {
        seeds.push(("envelope", format!("{i}"), envelope::encode(&signal)));
    }
    let text = |path: &str, field: &str| {
        let file = std::fs::read_to_string(folder().join(path)).unwrap();
        let value: Value = serde_json::from_str(&file).unwrap();
        value[field].as_str().unwrap().to_owned()
    };
    let blocks = HEXLOWER.decode(text("blocks.json", "bytes").as_bytes()).unwrap();
    seeds.push(("blocks", "blocks".into(), blocks));
    seeds.push(("manifest", "bare".into(), manifest().to_bytes()));
    let signed = SignedManifest::sign(&manifest(), room(), &key(DEVICE)).unwrap();
    seeds.push(("manifest", "signed".into(), signed.to_bytes()));
    let batch = HashBatch::sign(share(), PieceIndex(3), vec![PieceHash([1; 32]); 2], &key(DEVICE));
    seeds.push(("hash_batch", "batch".into(), batch.to_bytes()));
    let mut w = crate::codec::Writer::new();
    Receipt::sign(room(), share(), 5, &key(DEVICE)).write(&mut w);
    seeds.push(("receipt", "receipt".into(), w.finish()));
    seeds.push(("bitfield", "some".into(), [&9u32.to_le_bytes()[..], &[0x81, 1]].concat()));
    for (name, path) in
        [("plain", "folder/a b.txt"), ("escapes", "../a"), ("script", "ü/🦀/\u{202e}txt.exe")]
    {
        seeds.push(("path", name.into(), path.into()));
    }
    let token = ResumeToken([0xaa; 16]);
    for (name, text) in [
        ("link", invite().to_link("https://example.org/")),
        ("invite", invite().to_string()),
        ("room", room().to_string()),
        ("peer", PeerId(255).to_string()),
        ("key", key(DEVICE).public().to_string()),
        ("token", token.to_string()),
    ] {
        seeds.push(("text", name.into(), text.into()));
    }
    let envelope = Envelope::new(vec![1, 2, 3]).unwrap();
    let join = ClientMessage::Join { version: 1, room: room(), resume: None };
    let client = ClientMessage::Signal { to: PeerId(2), envelope: envelope.clone() };
    for (name, message) in [("join", join), ("signal", client)] {
        seeds.push(("client_message", name.into(), serde_json::to_vec(&message).unwrap()));
    }
    let members = vec![PeerId(1)];
    let joined = ServerMessage::Joined { peer: PeerId(2), members, ice_servers: vec![], token };
    let signal = ServerMessage::Signal { from: PeerId(1), envelope };
    for (name, message) in [("joined", joined), ("signal", signal)] {
        seeds.push(("server_message", name.into(), serde_json::to_vec(&message).unwrap()));
    }
    seeds.extend(machines());
    seeds
}

/// What the machine is driven with: see `fuzzing/machine.rs` for what each byte means.
fn machines() -> Vec<(&'static str, String, Vec<u8>)> {
    let seed = |name: &str, bytes: Vec<u8>| ("machine", name.to_owned(), bytes);
    // Storage is opened; then hashes, blocks, storage and time in turns.
    let transfer = [&[8, 8][..], &[3, 5, 4, 8, 8, 8, 7, 2].repeat(30)].concat();
    let lies = [&[8, 8][..], &[3, 6, 15, 4, 5, 9, 9, 0].repeat(20)].concat();
    let outage = [12, 1, 7, 30, 12, 0, 16, 0, 19, 0, 7, 255, 19, 1, 15, 8, 3, 5, 1].repeat(8);
    // One of each message, about shares that there are.
    let mut said = vec![8, 8];
    for (_, _, message) in messages() {
        let mut bytes = message.encode();
        for at in [1, 5] {
            if bytes.get(at) == Some(&0x88) {
                bytes[at] = 2 - (said.len() % 2) as u8;
            }
        }
        said.extend([1, bytes.len() as u8, (bytes.len() >> 8) as u8]);
        said.extend(bytes);
        said.extend([8, 7, 3]);
    }
    let commands: Vec<u8> = (0..40).flat_map(|n| [13, n, n / 2, n, 7, 8, 8, 3, 5, 9]).collect();
    vec![
        seed("transfer", transfer),
        seed("lies", lies),
        seed("outage", outage),
        seed("said", said),
        seed("commands", commands),
    ]
}
