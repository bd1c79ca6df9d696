//! The causes are those that the core, the adapter and the server really tell.

use std::fs;
use std::path::Path;

use protocol::code::CodeError;
use protocol::event::Failure;
use protocol::invite::InviteError;
use protocol::io::StorageError;
use protocol::manifest::{ManifestError, PathError};
use protocol::piece::GeometryError;
use protocol::rendezvous::{ClaimError, OfferEnd};
use protocol::signaling::Nameplate;
use protocol::swarm::{NoSuchShare, NotCreator};

use super::*;
use crate::text::language;
use crate::text::loaded::lines;

/// Has the same causes as all the others.
const SPANISH: &str = include_str!("../../../languages/es.txt");

fn speak_spanish() {
    let spanish = language::of("es").unwrap();
    loaded::keep(spanish, SPANISH);
    loaded::speak(spanish);
}

fn plain(text: &str) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "")
}

#[test]
fn what_the_core_tells_is_told_in_the_language_that_is_spoken() {
    speak_spanish();
    let lost = || "the server cannot be reached".to_owned();
    let causes = [
        InviteError::NotALink.to_string(),
        InviteError::Damaged.to_string(),
        InviteError::Version(9).to_string(),
        CodeError::NotACode.to_string(),
        CodeError::Number.to_string(),
        CodeError::Count(2).to_string(),
        CodeError::Unknown("zz".into()).to_string(),
        CodeError::Ambiguous { typed: "b".into(), choices: vec!["brave", "brick"] }.to_string(),
        ClaimError::NoSuchCode(Nameplate::new(4).unwrap()).to_string(),
        ClaimError::WrongWords.to_string(),
        ClaimError::Impostor.to_string(),
        ClaimError::CreatorLeft.to_string(),
        ClaimError::CreatorSilent.to_string(),
        ClaimError::Broke.to_string(),
        ClaimError::Invite(InviteError::Damaged).to_string(),
        ClaimError::NoCodes.to_string(),
        ClaimError::Refused("the room is full".into()).to_string(),
        ClaimError::Unreachable(lost()).to_string(),
        OfferEnd::Taken.to_string(),
        OfferEnd::WrongWords.to_string(),
        OfferEnd::GuestLeft.to_string(),
        OfferEnd::GuestSilent.to_string(),
        OfferEnd::GuestBroke.to_string(),
        OfferEnd::Expired.to_string(),
        OfferEnd::Unreachable(lost()).to_string(),
        OfferEnd::Lost(lost()).to_string(),
        OfferEnd::NoCodes.to_string(),
        OfferEnd::Refused("the room is full".into()).to_string(),
        StorageError::Full { available: None }.to_string(),
        StorageError::Changed("a".into()).to_string(),
        StorageError::Damaged("a".into()).to_string(),
        StorageError::Gone("its store is closed".into()).to_string(),
        Failure::Storage(StorageError::Full { available: None }).to_string(),
        Failure::OriginChanged("a".into()).to_string(),
        ManifestError::Empty.to_string(),
        ManifestError::TooMany.to_string(),
        ManifestError::Clash("a".into()).to_string(),
        PathError::Empty.to_string(),
        PathError::Dots.to_string(),
        PathError::Nul.to_string(),
        PathError::TooLong.to_string(),
        GeometryError::TooManyPieces.to_string(),
        GeometryError::TooLarge.to_string(),
        NoSuchShare.to_string(),
        NotCreator.to_string(),
    ];
    for cause in causes {
        assert_ne!(plain(&translated(&cause)), cause);
    }
}

#[test]
fn a_cause_within_a_cause_is_translated_too() {
    speak_spanish();
    assert_eq!(
        plain(&translated("could not share a/b: a name is . or ..")),
        "no se ha podido compartir a/b: un nombre es . o .."
    );
    assert_eq!(
        plain(&translated("the server refused: the room is full")),
        "el servidor lo ha rechazado: la sala está llena"
    );
    assert_eq!(
        plain(&translated("changed since it was shared: a; not there: b; share it anew")),
        "cambiados desde que se compartieron: a; no están: b; compártelos de nuevo"
    );
}

#[test]
fn what_nobody_knows_stays_as_it_is() {
    speak_spanish();
    for cause in ["", "NotFoundError: gone", "the disk is full", "left the room at noon"] {
        assert_eq!(translated(cause), cause);
    }
    loaded::speak(&language::LANGUAGES[0]);
    assert_eq!(translated("left the room"), "left the room");
}

/// Whoever changes a sentence in one of the crates must change it in the languages, too.
#[test]
fn every_cause_is_told_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut told = String::new();
    for source in ["protocol/src", "wasm-peer/src", "signaling-server/src"] {
        read(&root.join(source), &mut told);
    }
    // A string goes on behind a backslash at the end of a line.
    let told = told.split("\\\n").map(str::trim_start).collect::<String>();
    // In the page itself, where the core gives no cause.
    let ours = ["the server refused us", "Shoal could not start", "Shoal has stopped"];
    for (english, _) in lines(SPANISH).filter(|(name, _)| name.contains(' ')) {
        for literal in english.split(['{', '}']).step_by(2) {
            let is_ours = ours.iter().any(|ours| literal.starts_with(ours));
            assert!(is_ours || told.contains(literal), "nobody says {literal:?}");
        }
    }
}

fn read(folder: &Path, told: &mut String) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the sources are there").path();
        if path.is_dir() {
            read(&path, told);
        } else {
            told.push_str(&fs::read_to_string(path).expect("sources are text"));
        }
    }
}
