//! What phones get inside of stanzas.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wagate_simulator::fuzzing::phone_message(bytes);
    wagate_simulator::fuzzing::device_identity(bytes);
    wagate_simulator::fuzzing::key_bundle(bytes);
});
