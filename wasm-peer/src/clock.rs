//! The worker's clock, and waiting by it.

use futures_channel::oneshot;
use js_sys::Promise;
use protocol::time::Instant;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageChannel, WorkerGlobalScope};

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

/// Waits so many milliseconds.
pub(crate) async fn sleep(milliseconds: i32) {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let promise = Promise::new(&mut |resolve, _| {
        // Of a function and a number it does not throw.
        let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    // The promise is never rejected.
    let _ = JsFuture::from(promise).await;
}

/// Lets everything else that waits have its turn. Timers would do too, but wait for milliseconds.
pub(crate) async fn pause() {
    let Ok(channel) = MessageChannel::new() else { return };
    let (sender, turn) = oneshot::channel::<()>();
    let on_message = Closure::once(move || drop(sender));
    channel.port1().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        // Either way it is our turn again.
        let _ = turn.await;
    }
    channel.port1().close();
}
