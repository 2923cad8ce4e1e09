//! What else a request to the API holds: path, query and headers.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    wagate_api::fuzzing::path(text);
    wagate_api::fuzzing::query(text);
    wagate_api::fuzzing::headers(text.as_bytes(), text);
    wagate_api::fuzzing::request_body(Some(text.as_bytes()), b"{}");
});
