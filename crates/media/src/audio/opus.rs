//! Opus in Ogg (RFC 7845): packets, how long they last, and what is in them.

use std::io::Cursor;

use ogg::PacketReader;
use ropus::{Channels, DecodeMode, Decoder};

use crate::audio::{MAX_SECONDS, OPUS_RATE};
use crate::{PrepareError, boxes};

/// The most samples of one channel that a packet holds: 120 ms.
pub(crate) const MAX_PACKET_SAMPLES: usize = 5_760;

const NO_SOUND: PrepareError = PrepareError::broken("there is no sound in it");

/// The packets of the first stream of Opus in a file.
pub(crate) struct Stream<'a> {
    reader: PacketReader<Cursor<&'a [u8]>>,
    serial: u32,
    /// Samples at the beginning that are not played.
    pre_skip: u64,
    /// How the channels are laid out: 0 for one or two in the common order.
    family: u8,
}

impl<'a> Stream<'a> {
    /// Reads the headers.
    pub(crate) fn open(file: &'a [u8]) -> Result<Self, PrepareError> {
        const BROKEN: PrepareError = PrepareError::broken("its headers cannot be read");
        let mut reader = PacketReader::new(Cursor::new(file));
        let head = reader.read_packet().ok().flatten().ok_or(BROKEN)?;
        let [
            b'O',
            b'p',
            b'u',
            b's',
            b'H',
            b'e',
            b'a',
            b'd',
            version,
            channels,
            low,
            high,
            _,
            _,
            _,
            _,
            _,
            _,
            family,
            ..,
        ] = head.data[..]
        else {
            return Err(BROKEN);
        };
        // The upper half of the version says whether a reader of version 1 understands it.
        if version >> 4 != 0 || channels == 0 {
            return Err(BROKEN);
        }
        let serial = head.stream_serial();
        let tags = reader.read_packet().ok().flatten().ok_or(BROKEN)?;
        if tags.stream_serial() != serial || !tags.data.starts_with(b"OpusTags") {
            return Err(BROKEN);
        }
        Ok(Self {
            reader,
            serial,
            pre_skip: u16::from_le_bytes([low, high]).into(),
            family,
        })
    }

    /// The next packet with the number of samples in it; none at the end, or where the file is
    /// cut off.
    fn next(&mut self) -> Option<(Vec<u8>, u64)> {
        loop {
            let packet = self.reader.read_packet().ok().flatten()?;
            if packet.stream_serial() != self.serial {
                continue;
            }
            // Players pass over a packet that is none.
            if let Some(samples) = samples(&packet.data) {
                return Some((packet.data, samples));
            }
        }
    }
}

/// How many samples of Opus' clock a packet holds (RFC 6716, section 3).
pub(crate) fn samples(packet: &[u8]) -> Option<u64> {
    let first = *packet.first()?;
    let each = match first >> 3 {
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        config @ 12..16 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 0x3f),
    };
    let samples = each * frames;
    (samples > 0 && samples <= MAX_PACKET_SAMPLES as u64).then_some(samples)
}

/// The length in seconds: what the packets hold, less what is skipped at the beginning. What the
/// pages say is not asked: a part of a recording goes on counting from its whole.
pub(crate) fn duration(file: &[u8]) -> Result<Option<u32>, PrepareError> {
    let mut stream = Stream::open(file)?;
    let mut total: u64 = 0;
    while let Some((_, samples)) = stream.next() {
        total += samples;
    }
    let played = total.saturating_sub(stream.pre_skip);
    let seconds = boxes::seconds(played, OPUS_RATE).ok_or(NO_SOUND)?;
    if seconds > MAX_SECONDS {
        return Err(PrepareError::TooLarge {
            unit: "seconds",
            limit: MAX_SECONDS.into(),
        });
    }
    Ok(Some(seconds))
}

/// Decodes all of it, mixed to one channel; `sink` gets the samples of each packet.
pub(crate) fn mono(
    file: &[u8],
    sink: &mut dyn FnMut(&[f32]) -> Result<(), PrepareError>,
) -> Result<(), PrepareError> {
    let mut stream = Stream::open(file)?;
    if stream.family != 0 {
        return Err(PrepareError::Unsupported {
            mime: "audio/ogg; codecs=opus with more than two channels".to_owned(),
        });
    }
    let mut codec = Decoder::new(OPUS_RATE, Channels::Mono)
        .map_err(|_| PrepareError::broken("its sound cannot be decoded"))?;
    let mut buffer = vec![0.0; MAX_PACKET_SAMPLES];
    let mut skip = usize::try_from(stream.pre_skip).unwrap_or(usize::MAX);
    let mut is_any_decoded = false;
    while let Some((packet, samples)) = stream.next() {
        let length = codec.decode_float(&packet, &mut buffer, DecodeMode::Normal);
        is_any_decoded |= length.is_ok();
        // One packet that is broken is a moment of silence.
        let length = length.unwrap_or_else(|_| {
            buffer.fill(0.0);
            usize::try_from(samples).unwrap_or(0)
        });
        let decoded = buffer.get(..length).unwrap_or(&buffer);
        let skipped = skip.min(decoded.len());
        skip -= skipped;
        sink(&decoded[skipped..])?;
    }
    if is_any_decoded {
        Ok(())
    } else {
        Err(NO_SOUND)
    }
}
