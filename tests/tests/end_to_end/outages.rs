//! Outages in the middle of transfers between browsers of both kinds and the command, side by side, each
//! machine in a network namespace of its own:
//! - when the path between sender and receiver was cut for a while and is back, the transfer goes on by
//!   itself; so it does when the paths to the server were cut too; and all bytes are right in the end.
//!
//! And in a room of two browsers and two commands whose server is killed in the middle of it all:
//! - nothing stops: all have the right bytes in the end;
//! - when the path between two of them was cut until they have lost their connection, and is back, they
//!   are connected again without the server: signals go by way of the others.

use std::time::Duration;

use tests::link::Shape;
use tests::network::isolated;
use tests::outage::{Cut, Machines, RATE};
use tests::{Browser, BrowserKind, Network, Server, Shoal, is_long};

use crate::{MIB, Workbench};

#[test]
fn when_a_path_was_cut_and_is_back_every_transfer_goes_on_by_itself() {
    isolated(async {
        let bench = Workbench::new();
        let machines = Machines::start().await;
        let (outages, size) =
            if is_long() { (&[5, 20, 60][..], 64 * MIB) } else { (&[5][..], 16 * MIB) };
        let mut transfers = machines.transfer(&bench.folder("transfers"), size).await;
        for seconds in outages {
            for cut in [Cut::Path, Cut::Everything] {
                machines.cut(&transfers, cut, Duration::from_secs(*seconds)).await;
                machines.settle(&transfers).await;
            }
        }
        for transfer in &mut transfers {
            transfer.assert_arrives().await;
        }
    });
}

#[test]
fn when_the_server_is_killed_nothing_stops_and_a_lost_connection_is_made_anew() {
    const SERVER: usize = 0;
    const CHROMIUM: usize = 1;
    const FIREFOX: usize = 2;
    const ORIGIN: usize = 3;
    const OTHER: usize = 4;
    isolated(async {
        let bench = Workbench::new();
        let network = Network::start(5, Shape::NONE, 1);
        let sides = &network.sides;
        let server = Server::start_at(&sides[SERVER]).await;
        let chromium = Browser::start_at(&sides[CHROMIUM], BrowserKind::Chromium, &server).await;
        let firefox = Browser::start_at(&sides[FIREFOX], BrowserKind::Firefox, &server).await;

        let file = bench.file("for all.bin", 16 * MIB);
        let named = ["--name", "origin"];
        let mut origin = Shoal::send_at(Some(&sides[ORIGIN]), &server, &[&file.path], &named);
        let link = origin.invite_link().await;
        let pages = [chromium.open(server.url()).await, firefox.open(server.url()).await];
        for page in &pages {
            page.enter(&link, &format!("{{ policy: {{ download: {RATE} }} }}")).await;
            page.becomes("share.state === 'available'").await;
            page.execute("peer.receive(share.id);").await;
        }
        let into = bench.folder("into");
        let flags = ["--stay", "--name", "other", "--download-limit", &RATE.to_string()];
        let mut other = Shoal::receive_at(Some(&sides[OTHER]), &link, &into, &flags);
        for _all in 0..3 {
            origin.event("peer-connected").await;
            other.event("peer-connected").await;
        }
        other.event("progress").await;
        for page in &pages {
            page.becomes("share.have > 0").await;
        }

        server.kill_now();
        for command in [&mut origin, &mut other] {
            command.event("server-lost").await;
        }
        network.reshape(ORIGIN, OTHER, Shape::CUT);
        other.event_where("peer-gone", |event| event["name"] == "origin").await;
        network.reshape(ORIGIN, OTHER, Shape::NONE);
        other.event_where("peer-connected", |event| event["name"] == "origin").await;
        origin.event_where("peer-connected", |event| event["name"] == "other").await;

        for (page, browser) in pages.iter().zip([&chromium, &firefox]) {
            page.becomes("share.state === 'complete'").await;
            page.execute("peer.save(share.id);").await;
            file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
        }
        // It may have been complete before it was connected again.
        let complete = other.events().iter().any(|event| event["event"] == "complete");
        if !complete {
            other.complete().await;
        }
        file.assert_arrived(&into.join(&file.name));
        for command in [&origin, &other] {
            assert!(
                command.events().iter().filter(|event| event["event"] == "joined").count() == 1
            );
        }
    });
}
