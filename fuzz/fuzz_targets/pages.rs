//! Web pages that texts link to.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wagate_media::fuzzing::page(bytes));
