//! The map of a share's pieces, in a room of a Chromium tab that shares, a command that has received it, and
//! a Firefox tab that receives:
//! - the receiver's map fills while pieces come, and says in words what it shows;
//! - in the end it is all in the colours of those who sent it, each as much as "Who sent what" tells;
//! - the origin's map tells how many others have each piece;
//! - a graph tells how fast it goes with whom.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::wait::{Look, while_progressing};
use tests::{Browser, BrowserKind, Page, Server, Shoal, turn_to_wait};

use crate::{MIB, PIECE, Workbench};

const SIZE: u64 = 48 * MIB;
const PIECES: u64 = SIZE / PIECE;

/// What the map of the only share shows: its name, its description, and how many pixels have each of its
/// colours, by the class that gives it.
const LOOK: &str = "
    const canvas = document.querySelector('canvas[role=img]');
    const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const count = {};
    for (let i = 0; i < image.length; i += 4)
        if (image[i + 3] === 255) {
            const colour = `rgb(${image[i]}, ${image[i + 1]}, ${image[i + 2]})`;
            count[colour] = (count[colour] ?? 0) + 1;
        }
    const inks = [...document.querySelectorAll('.map-inks > *')];
    return {
        name: canvas.getAttribute('aria-label'),
        words: document.getElementById(canvas.getAttribute('aria-describedby')).textContent,
        pixels: Object.fromEntries(inks.map(ink =>
            [ink.className, count[getComputedStyle(ink).color] ?? 0])),
    };";

struct Seen {
    name: String,
    words: String,
    pixels: BTreeMap<String, u64>,
}

impl Seen {
    async fn at(page: &Page<'_>) -> Self {
        let look = page.execute(LOOK).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pixels = look["pixels"].as_object().into_iter().flatten();
        Self {
            name: text(&look["name"]),
            words: text(&look["words"]),
            pixels: pixels.map(|(ink, n)| (ink.clone(), n.as_u64().unwrap_or(0))).collect(),
        }
    }

    /// How many pieces are here, in its words.
    fn here(&self) -> u64 {
        let number = self.words.split(' ').next().and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("{:?} does not begin with a number", self.words))
    }

    /// Pixels in the colours of those who sent something, the most first.
    fn sent(&self) -> Vec<u64> {
        let tones = self.pixels.iter().filter(|(ink, _)| ink.starts_with("ink-tone-"));
        let mut sent: Vec<u64> = tones.map(|(_, n)| *n).filter(|n| *n > 0).collect();
        sent.sort_by_key(|n| std::cmp::Reverse(*n));
        sent
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_fills_in_the_colours_of_those_who_send() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("mapped.bin", SIZE);
    let (chromium, firefox) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Firefox).await);

    let origin = chromium.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let link = origin.invite_link().await;
    origin.open_details(&file.name).await;
    origin.says(&format!("{PIECES} that only you have")).await;
    let page = firefox.open(&link).await;
    page.article(&file.name).await;
    page.open_details(&file.name).await;
    page.says(&format!("{PIECES} missing that only one person has")).await;
    let empty = Seen::at(&page).await;
    assert_eq!(empty.name, format!("Piece map of {}", file.name));
    assert_eq!(empty.sent(), [] as [u64; 0], "{:?}", empty.pixels);
    assert!(empty.pixels["ink-rare"] > 0, "{:?}", empty.pixels);

    let into = bench.folder("into");
    let mut command = Shoal::receive(&link, &into, &["--stay", "--name", "terminal"]);
    command.complete().await;
    origin.says(&format!("{PIECES} that one other has")).await;
    page.says(&format!("{PIECES} missing, several people have them")).await;

    page.press_on(&file.name, "Receive").await;
    let mut looks = Vec::new();
    while_progressing("the map to be full", async || {
        let look = Seen::at(&page).await;
        let (here, sent) = (look.here(), look.sent().iter().sum::<u64>());
        looks.push((here, sent));
        if here == PIECES { Look::Done(()) } else { Look::Progress(here) }
    })
    .await;
    page.complete(&file.name).await;
    let done = Seen::at(&page).await;
    let all: u64 = done.sent().iter().sum();
    for (here, sent) in &looks {
        assert_eq!(*sent, all * here / PIECES, "{here} pieces of {PIECES}: {looks:?}");
    }
    assert!(looks.iter().any(|(here, _)| (1..PIECES).contains(here)), "at once full: {looks:?}");

    // Percentages are rounded down.
    let contributions = page.contributions(&file.name).await;
    assert_eq!(contributions.len(), 2, "{contributions:?}");
    let mut told: Vec<u64> = contributions.iter().map(|line| percentage(line)).collect();
    told.sort_by_key(|percent| std::cmp::Reverse(*percent));
    let drawn: Vec<u64> = done.sent().iter().map(|pixels| pixels * 100 / all).collect();
    assert_eq!(drawn, told, "{contributions:?} {:?}", done.pixels);

    origin.says(&format!("{PIECES} that two others have")).await;
    for name in ["terminal", &file.name] {
        let graph = format!("Rates of the last minute: {name}, at most ");
        let script = format!(
            "return [...document.querySelectorAll('svg[role=img]')].find(graph =>
                graph.getAttribute('aria-label').startsWith({graph:?}) &&
                /,0\\.0( |$)/.test(graph.querySelector('polyline').getAttribute('points'))
            )?.getAttribute('aria-label') ?? null;"
        );
        page.until(&graph, &script).await;
    }
    chromium.assert_no_complaints().await;
}

/// Of a line that ends with one in parentheses.
fn percentage(line: &str) -> u64 {
    let end = line.rsplit_once('(').map_or("", |(_, end)| end);
    let digits: String = end.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("there is no percentage in {line:?}"))
}
