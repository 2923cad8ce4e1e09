//! QR codes and typed codes.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    wagate_simulator::fuzzing::qr_code(text);
    wagate_simulator::fuzzing::link_code(text);
});
