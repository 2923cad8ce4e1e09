//! Ids, API keys, and names of gateways and events.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    wagate_model::fuzzing::id(text);
    let names: Vec<&str> = text.split(',').collect();
    wagate_model::fuzzing::event_selector(&names);
});
