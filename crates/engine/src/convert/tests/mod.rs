//! Snapshots of conversions, and that nothing makes them panic.

mod any_input;
mod events;
mod history;
mod kinds;
mod people;
mod show;
