//! The way in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Kind, PrepareError, Prepared, Wanted, audio, documents, pictures, stickers, videos};

/// Finds out what a file is and makes of it what official clients send.
///
/// # Errors
///
/// A file that is empty, something else than wanted, broken, too large once unpacked, or in a
/// format that cannot be sent so.
pub fn prepare(file: &[u8], wanted: &Wanted) -> Result<Prepared, PrepareError> {
    // The decoders are others' work on strangers' files: one that panics costs that file only.
    catch_unwind(AssertUnwindSafe(|| examine(file, wanted)))
        .unwrap_or(Err(PrepareError::broken("its decoder gave up")))
}

/// The same without the net, for tests that look for panics.
pub(crate) fn examine(file: &[u8], wanted: &Wanted) -> Result<Prepared, PrepareError> {
    if file.is_empty() {
        return Err(PrepareError::Empty);
    }
    match wanted.kind {
        Kind::Image => pictures::prepare(file),
        Kind::Video => videos::prepare(file),
        Kind::Audio if wanted.is_voice => audio::prepare_voice(file, wanted.voice_seconds),
        Kind::Audio => audio::prepare(file),
        Kind::Document => Ok(documents::prepare(file, wanted)),
        Kind::Sticker => stickers::prepare(file),
    }
}
