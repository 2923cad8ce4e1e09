//! The `Retry-After` of receivers.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (i64, &str)| wagate_delivery::fuzzing::retry_after(
    input.1, input.0
));
