//! The command line as scripts and people meet it, without a server: help as recorded, exit codes,
//! and what is said when something is wrong. Whole transfers are in the `tests` crate.
//!
//! After a change of the help on purpose: `RECORD=1 cargo test -p native-peer --test command`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Runs `shoal` with a configuration of its own.
fn shoal(config: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shoal"))
        .args(arguments)
        .env("SHOAL_CONFIG", config)
        .env_remove("SHOAL_SERVER")
        .output()
        .expect("the command can be run")
}

/// The only event on standard output, and the exit code.
fn failure(arguments: &[&str]) -> (Value, i32) {
    let config = TempDir::new().unwrap();
    let output = shoal(config.path(), &[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let errors: Vec<_> = events.into_iter().filter(|event| event["event"] == "error").collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(output.stderr.is_empty(), "with --json people are told nothing");
    (errors[0].clone(), output.status.code().unwrap())
}

#[test]
fn help_is_as_recorded() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("send", &["send", "--help"]),
        ("receive", &["receive", "--help"]),
        ("code", &["code", "--help"]),
        ("people", &["people", "--help"]),
    ] {
        let config = TempDir::new().unwrap();
        let output = shoal(config.path(), arguments);
        assert!(output.status.success());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/{name}.txt"));
        if std::env::var_os("RECORD").is_some() {
            std::fs::write(&path, &output.stdout).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            recorded,
            "see the head of this file"
        );
    }
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_word() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let (file, folder) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    let link = format!("http://127.0.0.1:1/#{}", "A".repeat(66));
    let good =
        native_peer::Invite::new([7; 32], &native_peer::DeviceKey::from_bytes([1; 32]).public())
            .to_link("http://127.0.0.1:1");
    let missing = format!("{file}-that-is-missing");
    let unwritable = format!("{file}/below");
    for (arguments, code, word) in [
        (&["receive", "hello"][..], 3, "invite"),
        (&["receive", &link], 3, "invite"),
        (&["receive", "4-brave-otter"], 3, "invite"),
        (&["receive", "4-brave-otter-xyzzy"], 3, "invite"),
        (&["code", "4-brave-otter-lamp"], 3, "invite"),
        (&["send", &missing], 9, "files"),
        (&["receive", &good, "-o", &unwritable], 9, "files"),
        (&["send", file, "--server", "127.0.0.1"], 2, "usage"),
        (&["send", file, "--server", "http://127.0.0.1:1", "--timeout", "1"], 4, "unreachable"),
        (&["receive", &good, "-o", folder, "--timeout", "1"], 4, "unreachable"),
        (
            &["receive", "4 brave otter lamp", "-o", folder, "--server", "http://127.0.0.1:1"],
            4,
            "unreachable",
        ),
        (&["code", &good], 4, "unreachable"),
    ] {
        let (event, status) = failure(arguments);
        assert_eq!((status, event["code"].as_str()), (code, Some(word)), "{arguments:?}: {event}");
        assert!(event["message"].as_str().is_some_and(|message| message.len() > 10), "{event}");
    }
}

#[test]
fn people_are_told_what_could_not_be_done_and_why() {
    let config = TempDir::new().unwrap();
    let output = shoal(config.path(), &["receive", "hello"]);
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("could not receive: "), "{said}");
    let output = shoal(config.path(), &["send", "file-that-is-missing"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("could not send: file-that-is-missing cannot be read: "), "{said}");
}

#[test]
fn wrong_arguments_are_told_by_the_exit_code_too() {
    let config = TempDir::new().unwrap();
    for arguments in [&[][..], &["send"], &["receive"], &["send", "a", "--upload-limit", "fast"]] {
        let output = shoal(config.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
