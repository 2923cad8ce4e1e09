//! Stickers: WebP of 512 × 512 pixels.

use std::io::Cursor;

use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::imageops::{FilterType, overlay};
use image::{DynamicImage, ImageFormat, RgbaImage};

use crate::{Kind, PrepareError, Prepared, pictures};

/// The side of a sticker, in pixels.
const SIDE: u32 = 512;
/// What clients show as a sticker.
const MAX_BYTES: usize = 1024 * 1024;
const MIME: &str = "image/webp";

/// WebP that fits, or moves, stays as it is; other pictures become WebP with transparent edges.
pub(crate) fn prepare(file: &[u8]) -> Result<Prepared, PrepareError> {
    let format = pictures::format_of(Kind::Sticker, file)?;
    let is_animated = format == ImageFormat::WebP && moves(file)?;
    let picture = pictures::decode(file, format)?;
    let fits = picture.width() <= SIDE && picture.height() <= SIDE;
    let is_kept = format == ImageFormat::WebP && (fits || is_animated);
    if is_kept && file.len() > MAX_BYTES {
        return Err(PrepareError::TooLarge {
            unit: "bytes",
            limit: MAX_BYTES as u64,
        });
    }
    let (width, height) = (picture.width(), picture.height());
    let (converted, width, height) = if is_kept {
        (None, width, height)
    } else {
        (Some(webp(&squared(&picture))?), SIDE, SIDE)
    };
    Ok(Prepared {
        converted,
        mime: MIME.to_owned(),
        width: Some(width),
        height: Some(height),
        is_animated,
        ..Prepared::default()
    })
}

/// Whether it is an animation: its header announces frames, in chunks named `ANIM` and `ANMF`.
fn moves(file: &[u8]) -> Result<bool, PrepareError> {
    let decoder = WebPDecoder::new(Cursor::new(file)).map_err(|error| pictures::refusal(&error))?;
    Ok(decoder.has_animation())
}

/// The picture, as large as fits, in the middle of a transparent square.
fn squared(picture: &DynamicImage) -> RgbaImage {
    let scaled = picture
        .resize(SIDE, SIDE, FilterType::CatmullRom)
        .into_rgba8();
    let mut square = RgbaImage::new(SIDE, SIDE);
    let left = i64::from((SIDE - scaled.width().min(SIDE)) / 2);
    let top = i64::from((SIDE - scaled.height().min(SIDE)) / 2);
    overlay(&mut square, &scaled, left, top);
    square
}

fn webp(picture: &RgbaImage) -> Result<Vec<u8>, PrepareError> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(WebPEncoder::new_lossless(&mut bytes))
        .map_err(|error| pictures::refusal(&error))?;
    Ok(bytes)
}
