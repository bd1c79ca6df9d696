//! The worker's clock.

use protocol::time::Instant;
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

/// Now, measured since the worker started.
pub(crate) fn now() -> Instant {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let milliseconds = scope.performance().map_or(0.0, |performance| performance.now());
    Instant::from_micros((milliseconds * 1_000.0) as u64)
}

/// The time of day in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    js_sys::Date::now() as u64
}
