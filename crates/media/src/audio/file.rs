//! Sound that is sent as it is.

use crate::audio::{amr, decode, opus};
use crate::sniff::OGG_OPUS;
use crate::{Kind, PrepareError, Prepared, boxes, sniff};

/// Finds out the format and the length.
pub(crate) fn prepare(file: &[u8]) -> Result<Prepared, PrepareError> {
    let sniffed = sniff(file);
    let (mime, duration_seconds) = match sniffed {
        Some(OGG_OPUS) => (OGG_OPUS, opus::duration(file)?),
        Some("audio/mpeg" | "audio/aac" | "audio/ogg" | "audio/wav" | "audio/flac") => {
            decode::duration(file)?
        }
        Some(mime @ ("audio/amr" | "audio/amr-wb")) => (mime, amr::duration(file)?),
        Some("audio/mp4" | "video/mp4" | "video/3gpp" | "video/quicktime") => in_boxes(file)?,
        other => return Err(PrepareError::other(Kind::Audio, other, &["audio"])),
    };
    Ok(Prepared {
        mime: mime.to_owned(),
        duration_seconds,
        ..Prepared::default()
    })
}

/// Refuses a film, and says how long the sound lasts.
pub(crate) fn in_boxes(file: &[u8]) -> Result<(&'static str, Option<u32>), PrepareError> {
    let movie = boxes::read(file)?;
    if movie.track(*b"vide").is_some() {
        return Err(PrepareError::NotThis {
            expected: Kind::Audio,
            found: sniff(file)
                .unwrap_or("video/mp4")
                .replace("audio/", "video/"),
        });
    }
    if movie.track(*b"soun").is_none() {
        return Err(PrepareError::broken("there is no sound in it"));
    }
    Ok(("audio/mp4", movie.duration_seconds))
}
