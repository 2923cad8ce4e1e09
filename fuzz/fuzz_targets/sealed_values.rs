//! Sealed columns, and the keys that they are sealed with.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u16, &str, &[u8])| {
    let (changed_bit, text, value) = input;
    wagate_store::fuzzing::sealed_value("table", text.as_bytes(), value, changed_bit);
    wagate_store::fuzzing::master_keys(text);
});
