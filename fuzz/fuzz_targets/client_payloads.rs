//! What clients say of themselves in the handshake.

#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| wagate_simulator::fuzzing::client_payload(payload));
