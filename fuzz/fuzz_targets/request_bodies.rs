//! Bodies of requests to the API.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| wagate_api::fuzzing::request_body(None, body));
