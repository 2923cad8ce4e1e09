//! Sound: what it is, how long it lasts, and voice notes made of it.

mod amr;
mod decode;
mod encode;
mod file;
mod opus;
mod resample;
mod voice;
mod waveform;

pub(crate) use file::prepare;
pub(crate) use voice::prepare_voice;

/// Samples per second of Opus' clock, whatever it codes (RFC 7845).
pub(crate) const OPUS_RATE: u32 = 48_000;
/// The longest sound that is sent, in seconds.
pub(crate) const MAX_SECONDS: u32 = 24 * 60 * 60;
/// The longest voice note, in seconds: all of it is decoded.
pub(crate) const MAX_VOICE_SECONDS: u32 = 60 * 60;

#[cfg(test)]
pub(crate) use opus::mono as opus_samples;
#[cfg(test)]
pub(crate) use resample::Resampler;
