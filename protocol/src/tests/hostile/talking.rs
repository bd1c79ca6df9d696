//! To talk in the name of others, without end, or again and again.

use super::*;
use crate::message::PeerMessage;
use crate::policy::{PeerPolicy, Policy, Standing};

/// What the victim was shown.
fn heard(world: &World) -> Vec<String> {
    let said = world.peers[VICTIM].events.iter().filter_map(|event| match event {
        Event::Said { line } => Some(line.text.clone()),
        _ => None,
    });
    said.collect()
}

fn bring(world: &mut World, line: Line) {
    world.say(HOSTILE, VICTIM, &PeerMessage::Line(line));
    world.run_for(Duration::from_millis(100));
}

#[test]
fn a_line_in_the_name_of_another_is_refused_and_its_bearer_is_blamed() {
    let (mut world, share) = room(30);
    let signed = line("send me your keys").sign(room_id(&world), &key(HOSTILE));
    bring(&mut world, Line { author: key(ORIGIN).public(), ..signed });
    assert_eq!(proof(&world), Some(Proof::ForgedLine));
    assert!(heard(&world).is_empty());
    assert_others_unaffected(&mut world, share);
    // The one in whose name it was can still be heard.
    world.with(ORIGIN, |swarm, now| swarm.say(now, "that was not me")).unwrap();
    world.until(MINUTE, "heard", |w| heard(w) == ["that was not me"]);
}

#[test]
fn a_line_that_was_changed_is_refused_and_its_bearer_is_blamed() {
    let (mut world, share) = room(31);
    world.with(ORIGIN, |swarm, now| swarm.say(now, "pay Anna")).unwrap();
    world.run_for(SECOND);
    let said = world.peers[HOSTILE].swarm.chat().next().unwrap().clone();
    bring(&mut world, Line { sequence: 1, text: "pay Eve".into(), ..said });
    assert_eq!(proof(&world), Some(Proof::ForgedLine));
    assert_eq!(heard(&world), ["pay Anna"]);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_line_of_another_room_is_refused_and_its_bearer_is_blamed() {
    let (mut world, share) = room(32);
    bring(&mut world, line("from elsewhere").sign(RoomId([7; 16]), &key(HOSTILE)));
    assert_eq!(proof(&world), Some(Proof::ForgedLine));
    assert!(heard(&world).is_empty());
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_line_of_its_own_is_as_welcome_as_any() {
    // Else the tests above would show nothing.
    let (mut world, share) = room(33);
    let hello = line("hello").sign(room_id(&world), &key(HOSTILE));
    bring(&mut world, hello);
    assert_eq!((proof(&world), closed(&world)), (None, None));
    assert_eq!(heard(&world), ["hello"]);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn what_was_said_long_ago_is_not_brought_up_again() {
    let (mut world, share) = room(34);
    world.with(ORIGIN, |swarm, now| swarm.say(now, "the first")).unwrap();
    world.run_for(SECOND);
    let first = world.peers[HOSTILE].swarm.chat().next().unwrap().clone();
    for n in 1..=150 {
        world.with(ORIGIN, |swarm, now| swarm.say(now, &n.to_string())).unwrap();
    }
    world.until(MINUTE, "heard", |w| heard(w).len() == 151);
    let kept: Vec<&Line> = world.peers[VICTIM].swarm.chat().collect();
    assert_eq!((kept.len(), &kept[0].text[..]), (128, "23"), "the first is forgotten");
    // Nor if many others have been heard meanwhile.
    let room = room_id(&world);
    for n in 0..400u64 {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        bring(&mut world, line("x").sign(room, &DeviceKey::from_bytes(bytes)));
    }
    assert_eq!(heard(&world).len(), 551);
    bring(&mut world, first);
    assert_eq!(heard(&world).len(), 551);
    assert_eq!(proof(&world), None, "it was said, after all");
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_talks_without_end_is_not_listened_to_for_long() {
    let (mut world, share) = room(35);
    world.peers[HOSTILE].uplink = Some(100e6);
    let text = "x".repeat(4000);
    let room = room_id(&world);
    for sequence in 0..2000 {
        let said = Line { sequence, ..line(&text) }.sign(room, &key(HOSTILE));
        world.say(HOSTILE, VICTIM, &PeerMessage::Line(said));
    }
    world.run_for(SECOND);
    let lines = heard(&world).len();
    assert!((50..110).contains(&lines), "{lines} of 2000 lines");
    assert!(world.peers[VICTIM].swarm.chat().count() < 64);
    // Others can be heard meanwhile.
    world.with(ORIGIN, |swarm, now| swarm.say(now, "enough")).unwrap();
    world.until(10 * SECOND, "heard", |w| heard(w).contains(&"enough".to_owned()));
    assert_eq!(proof(&world), None);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_talks_with_many_voices_is_not_listened_to_for_long() {
    let (mut world, share) = room(36);
    world.peers[HOSTILE].uplink = Some(100e6);
    let room = room_id(&world);
    for n in 0..3000u64 {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        let said = line("buy this").sign(room, &DeviceKey::from_bytes(bytes));
        world.say(HOSTILE, VICTIM, &PeerMessage::Line(said));
    }
    world.run_for(SECOND);
    let lines = heard(&world).len();
    assert!((1000..2500).contains(&lines), "{lines} of 3000 lines");
    assert_eq!(world.peers[VICTIM].swarm.chat().count(), 128);
    world.with(ORIGIN, |swarm, now| swarm.say(now, "enough")).unwrap();
    world.until(10 * SECOND, "heard", |w| heard(w).contains(&"enough".to_owned()));
    // A locked room hears only those who were let in.
    world.with(ORIGIN, |swarm, now| swarm.set_locked(now, true)).unwrap();
    world.until(MINUTE, "locked", |w| w.peers[VICTIM].swarm.is_locked());
    let before = heard(&world).len();
    bring(&mut world, line("new voice").sign(room, &DeviceKey::from_bytes([8; 32])));
    assert_eq!(heard(&world).len(), before);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_is_avoided_is_not_heard_by_way_of_others_either() {
    let (mut world, share) = room(37);
    let avoided = DeviceKey::from_bytes([8; 32]);
    let mut policy = Policy::default();
    let peer = PeerPolicy { standing: Standing::Avoided, ..PeerPolicy::default() };
    policy.peers.insert(avoided.public(), peer);
    world.with(VICTIM, |swarm, now| swarm.set_policy(now, policy));
    let hello = line("hello").sign(room_id(&world), &avoided);
    bring(&mut world, hello);
    assert!(heard(&world).is_empty());
    assert_eq!(proof(&world), None);
    assert_others_unaffected(&mut world, share);
}
