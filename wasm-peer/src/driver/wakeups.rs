//! What wakes the worker up: the time that the core named, the network, the end of sleep.

use std::cell::Cell;

use protocol::time::Instant;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::WorkerGlobalScope;

use super::{Input, Worker};
use crate::clock;

/// How often it is looked whether the machine slept, and the delay that counts as sleep: timers of workers
/// may be late by a second or two where much is going on.
const LOOK_MS: i32 = 5_000;
pub(super) const ASLEEP_MS: u64 = 10_000;

/// Hears from the browser that the network comes and goes.
pub(super) fn watch_network(worker: &Worker) {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    for (event, up) in [("online", true), ("offline", false)] {
        let worker = worker.clone();
        let heard = Closure::<dyn FnMut()>::new(move || worker.handle(Input::Network { up }));
        let heard = heard.into_js_value();
        // The scope has these events; for an unknown one nothing would be heard.
        let _ = scope.add_event_listener_with_callback(event, heard.unchecked_ref());
    }
}

/// Notices that the machine slept or that the page was frozen: then a wait takes far longer than it
/// should. By the time of day, as other clocks stand still while a machine sleeps.
async fn wait_and_see() -> bool {
    let before = clock::unix_ms();
    clock::sleep(LOOK_MS).await;
    clock::unix_ms().saturating_sub(before) > LOOK_MS as u64 + ASLEEP_MS
}

pub(super) fn watch_sleep(worker: Worker) {
    spawn_local(async move {
        loop {
            if wait_and_see().await {
                worker.handle(Input::Woken);
            }
        }
    });
}

/// Wakes the driver up. A wake-up that is not needed any more comes all the same: it does no harm.
pub(super) struct Timer {
    on_timeout: Closure<dyn FnMut()>,
    set: Cell<Option<(i32, Instant)>>,
}

impl Timer {
    pub(super) fn new(worker: &Worker) -> Self {
        let worker = worker.clone();
        let on_timeout = Closure::new(move || worker.handle(Input::Wake));
        Self { on_timeout, set: Cell::new(None) }
    }

    /// Gives the time for which it was set, if it was.
    pub(super) fn fired(&self) -> Option<Instant> {
        self.set.take().map(|(_, at)| at)
    }

    /// Wakes up at `wake` or before.
    pub(super) fn wake_at(&self, wake: Instant) {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        if let Some((timer, at)) = self.set.get() {
            if at <= wake {
                return;
            }
            scope.clear_timeout_with_handle(timer);
        }
        let wait = wake.saturating_since(clock::now()).as_micros().div_ceil(1_000);
        let wait = i32::try_from(wait).unwrap_or(i32::MAX);
        let timer = scope.set_timeout_with_callback_and_timeout_and_arguments_0(
            self.on_timeout.as_ref().unchecked_ref(),
            wait,
        );
        self.set.set(timer.ok().map(|timer| (timer, wake)));
    }
}
