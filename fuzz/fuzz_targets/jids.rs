//! Addresses of chats and people, and phone numbers.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wagate_model::fuzzing::jid(text));
