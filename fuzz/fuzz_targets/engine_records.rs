//! Records of the engine, and their keys.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wagate_store::fuzzing::engine_record(bytes);
    wagate_store::fuzzing::engine_record(&[&[1], bytes].concat());
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').collect();
    if let Some((last, leading)) = parts.split_last() {
        wagate_store::fuzzing::composite_key(leading, last);
    }
});
