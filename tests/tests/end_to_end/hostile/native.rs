//! All behaviours between two commands.

use serde_json::Value;
use tests::wait::SOON;
use tests::{Behaviour, Hostile, Server, Shoal, proc, turn_to_wait};

use super::expected::{self, Outcome, Told};
use super::{PATIENCE, RECEIVER, SENDER, Setting, assert_it_kept_to};
use crate::{MIB, Made};

/// How many behaviours are tried at once: those that are refused only wait.
const SIDE_BY_SIDE: usize = 8;
/// A command that receives a file of this size needs a fifth of it.
const MOST_MEMORY: u64 = 128 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn between_two_commands_a_hostile_server_achieves_nothing() {
    let _turn = turn_to_wait().await;
    let setting = Setting::new("command and command", PATIENCE).await;
    setting.all(&Behaviour::ALL, SIDE_BY_SIDE, between_commands).await;
}

async fn between_commands(setting: &Setting, behaviour: Behaviour) {
    let (hostile, _strangers) = setting.hostile(behaviour).await;
    let file = setting.file(behaviour);
    let mut sender = setting.sender(behaviour, &hostile, &file);
    let into = setting.bench.folder(&format!("by {behaviour:?}"));
    let link = match sender.invite_link_unless_it_fails().await {
        Some(link) => link,
        None => link_to_nowhere(&hostile, &setting.server),
    };
    match expected::outcome(behaviour) {
        Outcome::Harmless => {
            let mut receiver = Shoal::receive(&link, &into, &["--name", RECEIVER]);
            let mut most = 0;
            let pid = receiver.pid();
            receiver.complete_seeing(|_| most = most.max(proc::own_memory(pid))).await;
            receiver.success().await;
            sender.success().await;
            file.assert_arrived(&into.join(&file.name));
            assert!(most < MOST_MEMORY, "it took {most} bytes of memory");
            assert_it_kept_to(&receiver, SENDER);
        }
        Outcome::Refused(told) => {
            let flags = ["--name", RECEIVER, "--timeout", PATIENCE];
            let mut receiver = Shoal::receive(&link, &into, &flags);
            assert_told(&mut receiver, told).await;
            let status = sender.process.exit(SOON).await;
            assert_eq!(status.code(), Some(told.exit_code()), "of the sender");
            assert_nothing_arrived(&file, &into);
            assert_it_kept_to(&receiver, "nobody");
        }
    }
    assert_it_kept_to(&sender, RECEIVER);
    let misdeeds = hostile.misdeeds();
    assert_eq!(misdeeds > 0, behaviour != Behaviour::Honest, "{misdeeds} misdeeds");
}

/// Asserts that a command that receives names its wait, and ends for that reason.
async fn assert_told(receiver: &mut Shoal, told: Told) {
    let error = receiver.event("error").await;
    assert!(error["message"].as_str().is_some_and(|it| it.len() < 600), "too long: {error}");
    let status = receiver.process.exit(SOON).await;
    assert_eq!(status.code(), Some(told.exit_code()), "of the receiver: {error}");
    let events = receiver.events();
    let waits: Vec<_> = events.iter().filter(|event| event["event"] == "waiting").collect();
    let causes = told.waits();
    // The other side may give up first: then nobody is there at the end.
    let is_named = |wait: &&Value| causes.iter().any(|cause| wait["for"] == *cause);
    assert!(causes.is_empty() || waits.iter().any(is_named), "it is told {waits:?}");
    for wait in waits {
        assert!(wait["action"].as_str().is_some_and(|it| !it.is_empty()), "no action: {wait}");
    }
}

fn assert_nothing_arrived(file: &Made, into: &std::path::Path) {
    assert!(!into.join(&file.name).exists(), "a file appeared");
    let content = std::fs::read(&file.path).expect("it was just made");
    for path in tests::files::tree(into).into_keys().map(|path| into.join(path)) {
        let stored = std::fs::read(&path).unwrap_or_default();
        assert!(!proc::contains(&stored, &content[..64]), "{} holds bytes", path.display());
    }
}

/// A link for who cannot get one, since the server lets nobody in.
pub(super) fn link_to_nowhere(hostile: &Hostile, real: &Server) -> String {
    let (invite, _) = crate::link_to_an_empty_room(real);
    invite.to_link(hostile.url())
}
