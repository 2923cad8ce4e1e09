//! Decrypted messages, and answers to them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wagate_engine::fuzzing::message(bytes);
    wagate_engine::fuzzing::quote(bytes);
});
