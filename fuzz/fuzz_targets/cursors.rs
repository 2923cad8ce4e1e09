//! Cursors of lists, as they are shown and as what they hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    if let Ok(text) = std::str::from_utf8(content) {
        wagate_model::fuzzing::cursor(text);
    }
    wagate_model::fuzzing::cursor_content(content);
});
