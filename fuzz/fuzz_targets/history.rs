//! History that a phone sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wagate_engine::fuzzing::history(bytes));
