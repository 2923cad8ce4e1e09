//! Voice notes: Opus in Ogg, with a waveform.

use crate::audio::encode::Encoder;
use crate::audio::resample::Resampler;
use crate::audio::waveform::Loudness;
use crate::audio::{MAX_VOICE_SECONDS, OPUS_RATE, decode, file, opus};
use crate::sniff::OGG_OPUS;
use crate::{Kind, PrepareError, Prepared, boxes, sniff};

/// Opus in Ogg stays as it is; what else can be decoded becomes that. The sound is worked off
/// packet by packet, and never in memory as a whole.
///
/// What is longer than so many seconds is refused: all of it would be decoded.
pub(crate) fn prepare_voice(file: &[u8], most_seconds: u32) -> Result<Prepared, PrepareError> {
    let limit = Limit(most_seconds.min(MAX_VOICE_SECONDS));
    match sniff(file) {
        Some(OGG_OPUS) => kept(file, limit),
        Some("audio/mp4" | "video/mp4" | "video/3gpp" | "video/quicktime") => {
            file::in_boxes(file)?;
            converted(file, limit)
        }
        Some("audio/mpeg" | "audio/aac" | "audio/ogg" | "audio/wav" | "audio/flac") => {
            converted(file, limit)
        }
        other => Err(PrepareError::other(Kind::Audio, other, &["audio"])),
    }
}

fn kept(file: &[u8], limit: Limit) -> Result<Prepared, PrepareError> {
    limit.refuse_long(opus::duration(file)?)?;
    let mut loudness = Loudness::default();
    opus::mono(file, &mut |samples| {
        loudness.push(samples);
        limit.check(loudness.taken())
    })?;
    prepared(None, loudness)
}

fn converted(file: &[u8], limit: Limit) -> Result<Prepared, PrepareError> {
    let (_, seconds) = decode::duration(file)?;
    limit.refuse_long(seconds)?;
    let mut loudness = Loudness::default();
    let mut encoder = Encoder::new()?;
    let mut resampler: Option<Resampler> = None;
    let mut output = Vec::new();
    decode::mono(file, &mut |rate, samples| {
        output.clear();
        if resampler
            .as_ref()
            .is_none_or(|earlier| earlier.rate() != rate)
            && let Some(earlier) = resampler.replace(Resampler::new(rate)?)
        {
            earlier.finish(&mut output);
        }
        if let Some(resampler) = &mut resampler {
            resampler.push(samples, &mut output);
        }
        loudness.push(&output);
        limit.check(loudness.taken())?;
        encoder.push(&output)
    })?;
    if let Some(resampler) = resampler {
        output.clear();
        resampler.finish(&mut output);
        loudness.push(&output);
        encoder.push(&output)?;
    }
    if loudness.taken() == 0 {
        return Err(PrepareError::broken("there is no sound in it"));
    }
    prepared(Some(encoder.finish()?), loudness)
}

/// The longest voice note, in seconds.
#[derive(Clone, Copy)]
struct Limit(u32);

impl Limit {
    /// Refuses what is too long before any work is done; what a file says of itself is not
    /// believed afterwards.
    fn refuse_long(self, seconds: Option<u32>) -> Result<(), PrepareError> {
        match seconds {
            Some(seconds) if seconds > self.0 => Err(self.refusal()),
            _ => Ok(()),
        }
    }

    fn check(self, samples: u64) -> Result<(), PrepareError> {
        if samples > u64::from(self.0) * u64::from(OPUS_RATE) {
            return Err(self.refusal());
        }
        Ok(())
    }

    fn refusal(self) -> PrepareError {
        PrepareError::TooLarge {
            unit: "seconds",
            limit: self.0.into(),
        }
    }
}

fn prepared(converted: Option<Vec<u8>>, loudness: Loudness) -> Result<Prepared, PrepareError> {
    let duration_seconds = boxes::seconds(loudness.taken(), OPUS_RATE)
        .ok_or(PrepareError::broken("there is no sound in it"))?;
    Ok(Prepared {
        converted,
        mime: OGG_OPUS.to_owned(),
        duration_seconds: Some(duration_seconds),
        waveform: Some(loudness.waveform()),
        ..Prepared::default()
    })
}
