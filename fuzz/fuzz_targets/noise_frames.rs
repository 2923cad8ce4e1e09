//! The byte stream beneath the handshake.

#![no_main]

libfuzzer_sys::fuzz_target!(|parts: Vec<&[u8]>| wagate_simulator::fuzzing::frames(&parts));
