//! What the tests have covered, noted for `scripts/covered.sh`.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::Value;

/// Names the file in which it is noted; without it nothing is.
const FILE: &str = "TEST_COVERED";

/// Notes an operation that answered with success, or an event that was told.
pub(crate) fn note(kind: &str, name: &str) {
    let Ok(path) = std::env::var(FILE) else {
        return;
    };
    // Tests run side by side in many processes: a line is one write at the file's end.
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.expect("the file of what is covered can be written");
    let line = format!("{kind} {name}\n");
    let written = file.write_all(line.as_bytes());
    written.expect("the file of what is covered can be written");
}

/// Notes the event of an envelope; other frames say nothing.
pub(crate) fn note_event(envelope: &Value) {
    if envelope["schema"].is_string()
        && let Some(event) = envelope["event"].as_str()
    {
        note("event", event);
    }
}
