//! Small files of every kind, made here, and what becomes of them.

mod any_input;
mod documents;
mod films;
mod pictures;
mod sounds;
mod stickers;
mod voices;
mod written;
