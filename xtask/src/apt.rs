//! Packages of Debian and its relatives, installed as root or through `sudo`.

use std::process::Command;

use crate::Result;
use crate::run::{on_path, output, run};

/// Installs the packages, or says which command a person has to run.
pub(crate) fn install(packages: &[&str]) -> Result {
    let names = packages.join(" ");
    if !on_path("apt-get") {
        return Err(format!(
            "there is no apt-get here. Install by hand what these Debian packages hold: {names}"
        ));
    }
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {names}");
    let sudo: &[&str] = if output(Command::new("id").arg("-u")).as_deref() == Some("0") {
        &[]
    } else if output(Command::new("sudo").args(["-n", "true"])).is_some() {
        &["sudo", "-n"]
    } else {
        return Err(format!(
            "installing needs root. Run this, then try again:\n    sudo sh -c '{by_hand}'"
        ));
    };
    let apt = |args: &[&str]| {
        let words = [sudo, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"], args];
        let words = words.concat();
        run(Command::new(words[0]).args(&words[1..]))
    };
    apt(&["update"])
        .and_then(|()| apt(&[&["install", "-y", "--no-install-recommends"], packages].concat()))
        .map_err(|error| {
            format!("{error}\nIs the network reachable? By hand, as root:\n    {by_hand}")
        })
}
