//! What is told of a panic: where it happened, never what it says.

use std::panic::PanicHookInfo;

/// Tells of panics in the log from now on.
///
/// A panic's own text may quote what was being worked on, such as a message.
pub(crate) fn tell_by_place() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location();
    tracing::error!(
        thread = thread.name(),
        file = place.map(std::panic::Location::file),
        line = place.map(std::panic::Location::line),
        "a thread panicked"
    );
}
