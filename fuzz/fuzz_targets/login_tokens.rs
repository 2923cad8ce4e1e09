//! Login tokens, sets of keys, and what a browser brings back from a provider.

#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    wagate_identity::fuzzing::key_set(content);
    if let Ok(text) = std::str::from_utf8(content) {
        wagate_identity::fuzzing::token(text);
        wagate_identity::fuzzing::sign_in_state(text, text, content.len());
    }
});
