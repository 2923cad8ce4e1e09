//! URLs of webhooks, and ranges of addresses that operators open.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    wagate_delivery::fuzzing::url(text);
    wagate_delivery::fuzzing::url(&format!("http://{text}"));
    wagate_delivery::fuzzing::range(text);
});
