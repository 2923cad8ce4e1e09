//! Whatever comes in: an answer, within bounds.

use image::ImageFormat;
use proptest::prelude::*;

use super::written::{
    BLUE, CLEAR, Film, RED, adts, amr, encoded, flac, gif, halves, m4a, moving_webp, mp3, tone,
    turned, voice,
};
use crate::fuzzing;

fn files() -> Vec<Vec<u8>> {
    let picture = halves(24, 16, RED, CLEAR);
    let jpeg = encoded(&picture, ImageFormat::Jpeg);
    let sound = tone(16_000, 1, 0.1, |_| 0.5);
    vec![
        turned(&jpeg, 8),
        jpeg,
        encoded(&picture, ImageFormat::Png),
        encoded(&picture, ImageFormat::WebP),
        encoded(&picture, ImageFormat::Bmp),
        gif(&[picture, halves(24, 16, BLUE, RED)]),
        moving_webp(16, 2),
        voice(&sound).unwrap().converted.unwrap(),
        sound,
        mp3(4),
        adts(4),
        flac(2),
        m4a(4),
        amr(4),
        Film::default().written(),
        b"%PDF-1.4 1 0 obj << /Type /Pages /Kids [] /Count 3 >> endobj".to_vec(),
    ]
}

#[test]
fn files_hold_as_they_are() {
    for file in files() {
        fuzzing::file(&file);
    }
}

/// A good file in which some bytes are others, and which may be cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let places = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let end = prop::option::of(any::<prop::sample::Index>());
    (prop::sample::select(files()), places, end).prop_map(|(mut file, places, end)| {
        for (place, byte) in places {
            // The first bytes decide which reader gets the rest.
            let at = place.index(file.len()).max(3);
            if let Some(old) = file.get_mut(at) {
                *old = byte;
            }
        }
        if let Some(end) = end {
            file.truncate(end.index(file.len()));
        }
        file
    })
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::file(&bytes);
    }

    #[test]
    fn any_page_is_read(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        title in "\\PC{0,400}",
    ) {
        fuzzing::page(&bytes);
        fuzzing::page(format!("<title>{title}</title><meta name='description' content='{title}'>").as_bytes());
    }

    #[test]
    fn damaged_files_are_judged(file in damaged()) {
        fuzzing::file(&file);
    }
}
