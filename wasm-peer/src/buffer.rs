//! Bytes out of JavaScript's memory into ours, leaving nothing behind.

use js_sys::{ArrayBuffer, Uint8Array};

/// Copies the bytes out and gives the buffer's memory back at once. Left to the garbage collector, the
/// buffers of a fast transfer come to hundreds of megabytes: it sees small objects and no hurry.
pub(crate) fn take(buffer: &ArrayBuffer) -> Vec<u8> {
    let bytes = Uint8Array::new(buffer).to_vec();
    // Detaches the buffer. Where a browser cannot (before Chromium 114, Firefox 122), the collector must.
    let _ = buffer.transfer_with_length(0);
    bytes
}
