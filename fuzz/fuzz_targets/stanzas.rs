//! Stanzas of devices to the server: each is preceded by who sends it and by its length, two bytes.

#![no_main]

use wagate_simulator::fuzzing::{Sender, stanzas};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut sent = Vec::new();
    let mut rest = bytes;
    while let [from, high, low, tail @ ..] = rest {
        let from = [Sender::First, Sender::Second, Sender::Unpaired][usize::from(*from) % 3];
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (stanza, tail) = tail.split_at(len);
        sent.push((from, stanza));
        rest = tail;
    }
    stanzas(&sent);
});
