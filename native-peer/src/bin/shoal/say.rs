//! What people say to the room: one line given with `--say`, or the lines of standard input.

use std::io::BufRead;

use tokio::sync::mpsc;

/// Stands for standard input in place of a text.
const STANDARD_INPUT: &str = "-";
/// Lines that may wait to be said; whoever writes more waits.
const WAITING_LINES: usize = 16;

/// Where what is to be said comes from.
pub(crate) struct Words(Option<mpsc::Receiver<String>>);

impl Words {
    /// Of the `--say` in a command line. Standard input is read by a thread of its own, since nothing can
    /// take back a read that waits for people; it ends with the process.
    pub(crate) fn of(say: Option<String>) -> Self {
        let Some(said) = say else { return Self(None) };
        let (sender, words) = mpsc::channel(WAITING_LINES);
        if said == STANDARD_INPUT {
            std::thread::spawn(move || {
                let lines = std::io::stdin().lock().lines().map_while(Result::ok);
                for line in lines.filter(|line| !line.trim().is_empty()) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
        } else {
            sender.try_send(said).expect("the channel is new");
        }
        Self(Some(words))
    }

    /// The next thing to be said, when there is one.
    pub(crate) async fn next(&mut self) -> String {
        if let Some(words) = &mut self.0 {
            if let Some(said) = words.recv().await {
                return said;
            }
            self.0 = None;
        }
        std::future::pending().await
    }
}
