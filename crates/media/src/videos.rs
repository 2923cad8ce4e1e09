//! Films: what their boxes say.

use crate::{Kind, PrepareError, Prepared, boxes, sniff};

/// MP4, 3GPP and QuickTime are sent as they are; they get no thumbnail, which would take a
/// decoder of films.
pub(crate) fn prepare(file: &[u8]) -> Result<Prepared, PrepareError> {
    let mime = match sniff(file) {
        Some(mime @ ("video/mp4" | "video/3gpp" | "video/quicktime")) => mime,
        other => return Err(PrepareError::other(Kind::Video, other, &["video"])),
    };
    let movie = boxes::read(file)?;
    let Some(track) = movie.track(*b"vide") else {
        return Err(match movie.track(*b"soun") {
            Some(_) => PrepareError::NotThis {
                expected: Kind::Video,
                found: mime.replace("video/", "audio/"),
            },
            None => PrepareError::broken("there is no track of pictures in it"),
        });
    };
    Ok(Prepared {
        mime: mime.to_owned(),
        width: Some(track.width).filter(|width| *width > 0),
        height: Some(track.height).filter(|height| *height > 0),
        duration_seconds: movie.duration_seconds,
        ..Prepared::default()
    })
}
