//! What others than Opus code: MP3, AAC, Vorbis, FLAC and WAV.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{
    FORMAT_ID_ADTS, FORMAT_ID_FLAC, FORMAT_ID_OGG, FORMAT_ID_WAVE,
};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use crate::audio::MAX_SECONDS;
use crate::{PrepareError, boxes};

/// More than a day of the shortest packets that are common.
const MAX_PACKETS: u32 = 6_000_000;
/// Channels beyond these are nobody's: each costs memory for every packet.
const MAX_CHANNELS: usize = 16;

/// Takes the samples of a packet, and how many there are per second.
type Sink<'a> = dyn FnMut(u32, &[f32]) -> Result<(), PrepareError> + 'a;

const NO_SOUND: PrepareError = PrepareError::broken("there is no sound in it");
const TOO_LONG: PrepareError = PrepareError::TooLarge {
    unit: "seconds",
    limit: MAX_SECONDS as u64,
};

fn open<'a>(file: &'a [u8]) -> Result<Box<dyn FormatReader + 'a>, PrepareError> {
    let stream = MediaSourceStream::new(
        Box::new(Cursor::new(file)),
        MediaSourceStreamOptions::default(),
    );
    symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|_| PrepareError::broken("it cannot be read"))
}

/// The packets of one track, up to the first that cannot be read.
struct Packets<'a> {
    reader: Box<dyn FormatReader + 'a>,
    track: u32,
    left: u32,
}

impl Packets<'_> {
    fn next(&mut self) -> Result<Option<Packet>, PrepareError> {
        loop {
            self.left = self.left.checked_sub(1).ok_or(TOO_LONG)?;
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                // What is cut off is played as far as it goes.
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }
}

/// The format, and the length in seconds, found without decoding.
pub(crate) fn duration(file: &[u8]) -> Result<(&'static str, Option<u32>), PrepareError> {
    let reader = open(file)?;
    let mime = match reader.format_info().format {
        FORMAT_ID_ADTS => "audio/aac",
        FORMAT_ID_OGG => "audio/ogg",
        FORMAT_ID_WAVE => "audio/wav",
        FORMAT_ID_FLAC => "audio/flac",
        _ => "audio/mpeg",
    };
    let track = reader.default_track(TrackType::Audio).ok_or(NO_SOUND)?;
    let base = track.time_base.ok_or(NO_SOUND)?;
    let mut packets = Packets {
        track: track.id,
        reader,
        left: MAX_PACKETS,
    };
    let mut units: u64 = 0;
    while let Some(packet) = packets.next()? {
        units = units.saturating_add(packet.dur.get());
    }
    let units = units.saturating_mul(base.numer.get().into());
    let seconds = boxes::seconds(units, base.denom.get()).ok_or(NO_SOUND)?;
    if seconds > MAX_SECONDS {
        return Err(TOO_LONG);
    }
    Ok((mime, Some(seconds)))
}

/// Decodes all of it, mixed to one channel; `sink` gets the samples of each packet, between −1
/// and 1, and how many there are per second.
pub(crate) fn mono(file: &[u8], sink: &mut Sink<'_>) -> Result<(), PrepareError> {
    let reader = open(file)?;
    let track = reader.default_track(TrackType::Audio).ok_or(NO_SOUND)?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio());
    let mut codec = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or(NO_SOUND)?, &AudioDecoderOptions::default())
        .map_err(|_| PrepareError::broken("its sound cannot be decoded"))?;
    let mut packets = Packets {
        track: track.id,
        reader,
        left: MAX_PACKETS,
    };
    let (mut samples, mut mixed) = (Vec::new(), Vec::new());
    while let Some(packet) = packets.next()? {
        let decoded = match codec.decode(&packet) {
            Ok(decoded) => decoded,
            // One packet that is broken is a moment that is missing.
            Err(Error::DecodeError(_) | Error::IoError(_)) => continue,
            Err(_) => break,
        };
        let rate = decoded.spec().rate();
        let channels = decoded.spec().channels().count();
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(PrepareError::broken("it has too many channels"));
        }
        decoded.copy_to_vec_interleaved::<f32>(&mut samples);
        mix(&samples, channels, &mut mixed);
        sink(rate, &mixed)?;
    }
    Ok(())
}

fn mix(samples: &[f32], channels: usize, mixed: &mut Vec<f32>) {
    let share = 1.0 / f32::from(u8::try_from(channels).unwrap_or(u8::MAX));
    mixed.clear();
    mixed.extend(samples.chunks_exact(channels).map(|frame| {
        let mean = frame.iter().sum::<f32>() * share;
        // Files of floating-point numbers hold whatever they like.
        if mean.is_finite() {
            mean.clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }));
}
