#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::native_journal(bytes));
