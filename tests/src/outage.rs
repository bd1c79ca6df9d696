//! Transfers side by side, each between two machines of a network of ours, with the signaling server on one
//! of its own: to see what an outage does to them. Every transfer is so slow that it lasts, and that the
//! machine under the network has nothing to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blake3::Hash;
use tokio::time::{Instant, sleep};

use crate::link::Shape;
use crate::network::Network;
use crate::page::Page;
use crate::wait::{Look, POLL, SOON, until, while_progressing};
use crate::{Browser, BrowserKind, Server, Shoal, files};

/// Where everything is: places in [`Network::sides`].
const SERVER: usize = 0;
const CHROMIUM: [usize; 2] = [1, 2];
const FIREFOX: usize = 3;
const COMMANDS: usize = 4;
const SIDES: u8 = 5;

/// A home network.
const PATH: Shape = Shape { delay: Duration::from_millis(5), ..Shape::NONE };
const SEED: u64 = 0x0074_a6e5;

/// Bytes per second that each receiver takes.
pub const RATE: u64 = 512 << 10;
/// What is under way when a path is cut has arrived, or not, after this.
const LAST_PACKETS: Duration = Duration::from_secs(2);

/// The machines, the browsers on them, and the server.
#[derive(Debug)]
pub struct Machines {
    network: Network,
    server: Server,
    chromium: [Browser; 2],
    firefox: Browser,
}

/// A file on its way from one machine to another.
#[derive(Debug)]
pub struct Transfer<'a> {
    /// Who sends to whom.
    pub name: &'static str,
    title: String,
    size: u64,
    hash: Hash,
    places: [usize; 2],
    /// Ends with this, if it is a command; a page stays open by itself.
    _sender: Option<Shoal>,
    receiver: Receiver<'a>,
}

#[derive(Debug)]
enum Receiver<'a> {
    Page(Page<'a>),
    Command { shoal: Box<Shoal>, into: PathBuf },
}

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The path between sender and receiver.
    Path,
    /// That, and those to the server.
    Everything,
}

impl Machines {
    /// Starts everything.
    pub async fn start() -> Self {
        let network = Network::start(SIDES, PATH, SEED);
        let server = Server::start_at(&network.sides[SERVER]).await;
        let start = async |place: usize, kind| {
            Browser::start_at(&network.sides[place], kind, &server).await
        };
        let chromium = [
            start(CHROMIUM[0], BrowserKind::Chromium).await,
            start(CHROMIUM[1], BrowserKind::Chromium).await,
        ];
        let firefox = start(FIREFOX, BrowserKind::Firefox).await;
        Self { network, server, chromium, firefox }
    }

    /// Begins a transfer between each kind of sender and each kind of receiver, of files of `size` bytes
    /// that it makes in `folder`, and waits until all are under way.
    pub async fn transfer(&self, folder: &Path, size: u64) -> Vec<Transfer<'_>> {
        let [one, other] = &self.chromium;
        let to_chromium = Some((CHROMIUM[1], other));
        let to_firefox = Some((FIREFOX, &self.firefox));
        let mut transfers = Vec::new();
        for (name, from, to) in [
            ("Chromium to Chromium", Some((CHROMIUM[0], one)), to_chromium),
            ("Chromium to Firefox", Some((CHROMIUM[0], one)), to_firefox),
            ("command to Chromium", None, to_chromium),
            ("command to Firefox", None, to_firefox),
            ("Chromium to command", Some((CHROMIUM[0], one)), None),
            ("Firefox to command", to_firefox, None),
        ] {
            let title = format!("{name}.bin");
            let path = folder.join(&title);
            let hash = files::make(&path, size, &title);
            let (sender, link) = self.send(from.map(|(_, browser)| browser), &path).await;
            let receiver = self.receive(to.map(|(_, browser)| browser), &link, folder, name).await;
            let place = |end: Option<(usize, &Browser)>| end.map_or(COMMANDS, |(place, _)| place);
            let places = [place(from), place(to)];
            transfers.push(Transfer { name, title, size, hash, places, _sender: sender, receiver });
        }
        for transfer in &transfers {
            transfer.begin().await;
        }
        for transfer in &transfers {
            transfer.moves_beyond(0).await;
        }
        transfers
    }

    async fn send(&self, browser: Option<&Browser>, path: &Path) -> (Option<Shoal>, String) {
        let Some(browser) = browser else {
            let side = &self.network.sides[COMMANDS];
            let mut shoal = Shoal::send_at(Some(side), &self.server, &[path], &[]);
            let link = shoal.invite_link().await;
            return (Some(shoal), link);
        };
        let page = browser.open(self.server.url()).await;
        page.choose_files(&[path]).await;
        (None, page.invite_link().await)
    }

    async fn receive<'a>(
        &self,
        browser: Option<&'a Browser>,
        link: &str,
        folder: &Path,
        name: &str,
    ) -> Receiver<'a> {
        let Some(browser) = browser else {
            let into = folder.join(format!("received, {name}"));
            let side = Some(&self.network.sides[COMMANDS]);
            let limit = ["--download-limit", &RATE.to_string()];
            let shoal = Box::new(Shoal::receive_at(side, link, &into, &limit));
            return Receiver::Command { shoal, into };
        };
        let page = browser.open(self.server.url()).await;
        page.enter(link, &format!("{{ policy: {{ download: {RATE} }} }}")).await;
        page.becomes("share.state === 'available'").await;
        Receiver::Page(page)
    }

    /// Cuts off what these transfers go over, for so long, and asserts that nothing comes through.
    ///
    /// # Panics
    /// If something does.
    pub async fn cut(&self, transfers: &[Transfer<'_>], cut: Cut, time: Duration) {
        let end = Instant::now() + time;
        self.reshape(transfers, cut, Shape::CUT);
        sleep(LAST_PACKETS.min(time)).await;
        let before = received(transfers).await;
        tokio::time::sleep_until(end).await;
        let after = received(transfers).await;
        assert_eq!(before, after, "something came through where there was no path");
        self.reshape(transfers, cut, PATH);
    }

    fn reshape(&self, transfers: &[Transfer<'_>], cut: Cut, shape: Shape) {
        for transfer in transfers {
            let [one, other] = transfer.places;
            self.network.reshape(one, other, shape);
            if cut == Cut::Everything {
                self.network.reshape(SERVER, one, shape);
                self.network.reshape(SERVER, other, shape);
            }
        }
    }

    /// Waits until all of them have gone on for a while, whatever was lost before.
    pub async fn settle(&self, transfers: &[Transfer<'_>]) {
        let before = received(transfers).await;
        for (transfer, before) in transfers.iter().zip(before) {
            transfer.moves_beyond(before + 4 * RATE).await;
        }
    }

    /// Waits until verified bytes move in all of the transfers, or `limit` has passed; tells of each after
    /// how long.
    pub async fn moving(
        &self,
        transfers: &[Transfer<'_>],
        limit: Duration,
    ) -> Vec<Option<Duration>> {
        let start = Instant::now();
        let before = received(transfers).await;
        let mut moved = vec![None; transfers.len()];
        while moved.contains(&None) && start.elapsed() < limit {
            for ((transfer, before), moved) in transfers.iter().zip(&before).zip(&mut moved) {
                if moved.is_none() && transfer.received().await > *before {
                    *moved = Some(start.elapsed());
                }
            }
            sleep(POLL).await;
        }
        moved
    }
}

async fn received(transfers: &[Transfer<'_>]) -> Vec<u64> {
    let mut bytes = Vec::new();
    for transfer in transfers {
        bytes.push(transfer.received().await);
    }
    bytes
}

impl Transfer<'_> {
    /// Has a page receive what it was told of; a command does so by itself.
    async fn begin(&self) {
        if let Receiver::Page(page) = &self.receiver {
            page.execute("peer.receive(share.id);").await;
        }
    }

    /// Verified bytes that are there.
    pub async fn received(&self) -> u64 {
        match &self.receiver {
            Receiver::Page(page) => {
                page.execute("return share.have").await.as_u64().expect("a page tells bytes")
            }
            Receiver::Command { shoal, .. } => shoal.received(),
        }
    }

    /// Waits until more than so many bytes are there.
    pub async fn moves_beyond(&self, bytes: u64) {
        until(&format!("progress of {}", self.name), SOON, async || {
            (self.received().await > bytes).then_some(())
        })
        .await;
    }

    /// Waits until the file is there, and asserts that it has the right bytes.
    ///
    /// # Panics
    /// If it has not.
    pub async fn assert_arrives(&mut self) {
        let path = match &mut self.receiver {
            Receiver::Page(page) => {
                while_progressing(&format!("all of {}", self.name), async || {
                    let state = page.execute("return [share.state, share.have]").await;
                    match state[0].as_str() {
                        Some("complete") => Look::Done(()),
                        _ => Look::Progress(state),
                    }
                })
                .await;
                page.execute("peer.save(share.id);").await;
                page.browser().downloaded(&self.title, self.size).await
            }
            Receiver::Command { shoal, into } => {
                shoal.complete().await;
                into.join(&self.title)
            }
        };
        assert_eq!(files::hash(&path), self.hash, "{} has wrong bytes", self.title);
    }
}
