//! Voice notes: Opus in Ogg, with a waveform.

use crate::audio::encode::Encoder;
use crate::audio::resample::Resampler;
use crate::audio::waveform::Loudness;
use crate::audio::{MAX_VOICE_SECONDS, OPUS_RATE, decode, file, opus};
use crate::sniff::OGG_OPUS;
use crate::{Kind, PrepareError, Prepared, boxes, sniff};

const MAX_SAMPLES: u64 = MAX_VOICE_SECONDS as u64 * OPUS_RATE as u64;

const TOO_LONG: PrepareError = PrepareError::TooLarge {
    unit: "seconds",
    limit: MAX_VOICE_SECONDS as u64,
};

/// Opus in Ogg stays as it is; what else can be decoded becomes that. The sound is worked off
/// packet by packet, and never in memory as a whole.
pub(crate) fn prepare_voice(file: &[u8]) -> Result<Prepared, PrepareError> {
    match sniff(file) {
        Some(OGG_OPUS) => kept(file),
        Some("audio/mp4" | "video/mp4" | "video/3gpp" | "video/quicktime") => {
            file::in_boxes(file)?;
            converted(file)
        }
        Some("audio/mpeg" | "audio/aac" | "audio/ogg" | "audio/wav" | "audio/flac") => {
            converted(file)
        }
        other => Err(PrepareError::other(Kind::Audio, other, &["audio"])),
    }
}

fn kept(file: &[u8]) -> Result<Prepared, PrepareError> {
    refuse_long(opus::duration(file)?)?;
    let mut loudness = Loudness::default();
    opus::mono(file, &mut |samples| {
        loudness.push(samples);
        within(loudness.taken())
    })?;
    prepared(None, loudness)
}

fn converted(file: &[u8]) -> Result<Prepared, PrepareError> {
    let (_, seconds) = decode::duration(file)?;
    refuse_long(seconds)?;
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
        within(loudness.taken())?;
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

/// Refuses what is too long before any work is done; what a file says of itself is not
/// believed afterwards.
fn refuse_long(seconds: Option<u32>) -> Result<(), PrepareError> {
    match seconds {
        Some(seconds) if seconds > MAX_VOICE_SECONDS => Err(TOO_LONG),
        _ => Ok(()),
    }
}

fn within(samples: u64) -> Result<(), PrepareError> {
    if samples > MAX_SAMPLES {
        return Err(TOO_LONG);
    }
    Ok(())
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
