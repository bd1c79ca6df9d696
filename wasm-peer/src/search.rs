//! Looking for titles and paths among all shares of a room. There may be millions of paths, so that
//! everything else of the worker has its turn in between, and a search that nobody waits for any more
//! ends.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use protocol::manifest::{Manifest, ShareId};

use crate::api::Found;
use crate::{clock, view};

/// Paths that are looked at in one go: some milliseconds.
const AT_ONCE: usize = 4_096;
/// So many paths are told of each share.
const FIRST: usize = 5;

/// The searches of one room, of which the last one counts.
#[derive(Clone, Default)]
pub(crate) struct Searches(Rc<Cell<u32>>);

impl Searches {
    /// Where in these shares all words of `text` occur; `None` if another search was begun meanwhile.
    pub(crate) fn find(
        &self,
        shares: Vec<(ShareId, Arc<Manifest>)>,
        text: &str,
    ) -> impl Future<Output = Option<Vec<Found>>> + use<> {
        let number = self.0.get().wrapping_add(1);
        self.0.set(number);
        let (last, wanted) = (self.0.clone(), Words::new(text));
        async move {
            let (mut found, mut looked_at) = (Vec::new(), 0);
            for (share, manifest) in shares {
                let mut it = Found {
                    share: share.to_string(),
                    title: wanted.are_in(&manifest.title()),
                    files: 0,
                    first: Vec::new(),
                };
                for (_, entry) in manifest.files() {
                    looked_at += 1;
                    if looked_at % AT_ONCE == 0 {
                        clock::pause().await;
                        if last.get() != number {
                            return None;
                        }
                    }
                    let path = entry.path.as_str();
                    if wanted.are_in(path) {
                        it.files += 1;
                        if it.first.len() < FIRST {
                            it.first.push(view::shown(path));
                        }
                    }
                }
                if it.title || it.files > 0 {
                    found.push(it);
                }
            }
            Some(found)
        }
    }
}

/// Words to be found, in any order and in small or capital letters.
struct Words(Vec<String>);

impl Words {
    fn new(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }

    fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().all(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_be_there_in_any_order_and_letters() {
        let words = Words::new(" report  ÄRGER ");
        assert!(words.are_in("2026/Ärger/Report.pdf"));
        assert!(!words.are_in("2026/Report.pdf"));
        assert!(Words::new("").are_in("anything"));
    }
}
