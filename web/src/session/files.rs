//! What people ask about the files of shares, and want of them.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::{FileChoice, FileDetail, FileList, Found, Priority, Selection};
use web::front::browser;
use web::text::text;
use web::tree;

use super::Session;

/// The files of a share, each at its place.
pub(crate) struct Listed {
    /// Their paths, one on each line.
    pub(crate) paths: String,
    pub(crate) sizes: Vec<f64>,
    /// Numbers of their priorities.
    pub(crate) priorities: Vec<u8>,
    /// Numbers of what opening them may do.
    pub(crate) risks: Vec<u8>,
}

impl Session {
    /// The files of a share; `None` if it is gone.
    pub(crate) async fn files(self, id: String) -> Option<Listed> {
        let list = self.peer.get_value()?.files(id).await.ok()?;
        let list: FileList = serde_wasm_bindgen::from_value(list).ok()?;
        Some(Listed {
            sizes: list.sizes.to_vec(),
            priorities: list.priorities.to_vec(),
            risks: list.risks.to_vec(),
            paths: list.paths,
        })
    }

    /// How some files of a share are; nothing if it is gone.
    pub(crate) async fn look(self, id: String, files: Vec<u32>) -> Vec<FileDetail> {
        let Some(peer) = self.peer.get_value() else { return Vec::new() };
        let details = peer.look(id, files).await.unwrap_or_default();
        serde_wasm_bindgen::from_value(details).unwrap_or_default()
    }

    /// The shares in which all words of `text` occur.
    pub(crate) async fn search(self, text: String) -> Vec<Found> {
        let Some(peer) = self.peer.get_value() else { return Vec::new() };
        let found = peer.search(text).await.unwrap_or_default();
        serde_wasm_bindgen::from_value(found).unwrap_or_default()
    }

    /// Wants these files of a share: for each the number of its priority.
    pub(crate) fn select(self, id: String, priorities: &[u8]) {
        let (rest, runs) = tree::choice(priorities);
        let file = |(file, count, number)| FileChoice {
            file,
            count,
            priority: Priority::from_number(number),
        };
        let files = runs.into_iter().map(file).collect();
        let selection = Selection { rest: Priority::from_number(rest), files };
        self.ask_about(id.clone(), async move |peer| {
            peer.select(id, serde_wasm_bindgen::to_value(&selection)?).await
        });
    }

    /// How urgent a share is among several.
    pub(crate) fn set_priority(self, id: String, priority: Priority) {
        self.ask_about(id.clone(), async move |peer| {
            peer.set_priority(id, serde_wasm_bindgen::to_value(&priority)?).await
        });
    }

    /// Whether a share is passed on to others.
    pub(crate) fn set_serving(self, id: String, serve: bool) {
        self.ask_about(id.clone(), async move |peer| peer.set_serving(id, serve).await);
    }

    /// Hands one file of a share to the browser as a download.
    pub(crate) fn save_file(self, id: String, file: u32) {
        let Some(peer) = self.peer.get_value() else { return };
        spawn_local(async move {
            if let Err(error) = peer.save(id.clone(), Some(file)).await {
                self.tell_trouble(id, (text().not_saved)(&browser::sentence(&error)));
            }
        });
    }

    /// To be called where something is to be looked at again every second.
    pub(crate) fn every_second(self) {
        self.clock.track();
    }
}
