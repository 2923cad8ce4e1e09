//! Bodies and queries of the control API.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    wagate_simulator::fuzzing::send_request(body);
    if let Ok(text) = std::str::from_utf8(body) {
        wagate_simulator::fuzzing::message_query(text);
    }
});
