//! Addresses inside of messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wagate_engine::fuzzing::address(text));
