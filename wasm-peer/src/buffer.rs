//! Bytes out of JavaScript's memory into ours and back, and no garbage left to pile up behind them.
//!
//! Every message and every slice of a file comes in an `ArrayBuffer` of its own. A garbage collector sees
//! small objects and no hurry, and so a fast transfer leaves it behind by hundreds of megabytes. Two
//! things are done about that, since browsers differ:
//!
//! * The buffer is detached, which gives its memory back at once in Firefox. Chromium's own object behind
//!   the buffer keeps the memory until it is collected, while V8 takes it for gone and waits longer.
//! * So now and then a buffer is made and dropped that is large enough by itself for V8 to start
//!   collecting: it does so once the memory outside its heap has grown by 64 MiB (its
//!   `kExternalAllocationSoftLimit`). Nobody writes to that buffer: it takes addresses but no memory.
//!
//! `cargo xtask bench memory` shows what comes of it.

use std::cell::Cell;

use js_sys::{Array, ArrayBuffer, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use web_sys::Blob;

/// Bytes taken between two weights. Collecting costs a few milliseconds, as little is alive.
const WEIGH_EVERY: u32 = 8 << 20;
/// Bytes of a weight: V8's limit.
const WEIGHT: u32 = 64 << 20;

thread_local! {
    /// Bytes taken since the last weight.
    static TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// Copies the bytes out of a buffer that nobody else needs.
pub(crate) fn take(buffer: &ArrayBuffer) -> Vec<u8> {
    let bytes = Uint8Array::new(buffer).to_vec();
    leave(buffer, bytes.len());
    bytes
}

/// A blob of these bytes, which the browser keeps in memory.
pub(crate) fn blob(bytes: &[u8]) -> Result<Blob, JsValue> {
    let array = Uint8Array::from(bytes);
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&array));
    leave(&array.buffer(), bytes.len());
    blob
}

/// Gives a buffer of so many bytes back.
fn leave(buffer: &ArrayBuffer, length: usize) {
    // Before Chromium 114 and Firefox 122 it throws, and the collector has to do.
    let _ = buffer.transfer_with_length(0);
    let taken = TAKEN.get().saturating_add(length as u32);
    if taken < WEIGH_EVERY {
        TAKEN.set(taken);
    } else {
        TAKEN.set(0);
        // Throws where addresses are short, and there the collector is in a hurry by itself.
        let _ = Reflect::construct(&buffer.constructor(), &Array::of1(&WEIGHT.into()));
    }
}
