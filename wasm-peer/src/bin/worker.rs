//! The dedicated worker, as a program of its own so that the page does not carry the core.

fn main() {
    wasm_peer::driver::run();
}
