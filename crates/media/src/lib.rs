//! What a file is, and what an official client adds to it before it is sent.
//!
//! Everything here computes and waits for nothing: it reads what it is given, and belongs on a
//! thread for such work. Files come from strangers, so what is decoded is bounded in pixels,
//! time and memory, and a decoder that panics is a broken file.
//!
//! | sent as | taken as it is | converted |
//! |---|---|---|
//! | image | JPEG | PNG, WebP, GIF (its first frame) and BMP, to JPEG |
//! | video | MP4, 3GPP, QuickTime | – |
//! | audio | MP3, AAC, M4A, AMR, Ogg (Opus, Vorbis), WAV, FLAC | – |
//! | voice note | Opus in Ogg | MP3, AAC-LC, M4A, Ogg Vorbis, WAV and FLAC, to Opus in Ogg |
//! | sticker | WebP of 512 × 512 pixels at most, animated WebP | larger WebP, PNG, JPEG, GIF (its first frame) and BMP, to WebP |
//! | document | anything | – |

mod audio;
mod boxes;
mod documents;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod kinds;
mod pages;
mod pictures;
mod prepare;
mod sniff;
mod stickers;
mod videos;

#[cfg(test)]
mod tests;

pub use error::PrepareError;
pub use kinds::{Kind, Prepared, WAVEFORM_POINTS, Wanted};
pub use pages::{PageFacts, page_facts};
pub use pictures::{square_picture, thumbnail_of};
pub use prepare::prepare;
pub use sniff::sniff;
