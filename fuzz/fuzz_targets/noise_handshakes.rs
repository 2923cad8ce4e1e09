//! Handshakes of strangers, and of clients on a damaged line.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (Option<u16>, &[u8], &[u8])| {
    let (changed_bit, first, second) = input;
    wagate_simulator::fuzzing::handshake(first, second);
    wagate_simulator::fuzzing::xx_handshake(second, changed_bit);
    wagate_simulator::fuzzing::ik_handshake(second, changed_bit);
});
