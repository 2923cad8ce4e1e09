//! Files that are to be sent: pictures, films, sound and documents.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wagate_media::fuzzing::file(bytes));
