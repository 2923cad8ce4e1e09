//! Writing Opus in Ogg (RFC 7845), as voice notes have it.

use ogg::PacketWriter;
use ogg::writing::PacketWriteEndInfo;
use ropus::{Application, Bitrate, Channels, Signal};

use crate::PrepareError;
use crate::audio::OPUS_RATE;

/// Samples in a packet: 20 ms.
const FRAME: usize = 960;
const BITS_PER_SECOND: u32 = 32_000;
/// Of 10: from here on more work is hardly heard.
const COMPLEXITY: u8 = 5;
/// Packets in a page: one second.
const PACKETS_PER_PAGE: u32 = 50;
/// A file holds one stream, so any number will do.
const SERIAL: u32 = 1;
const VENDOR: &[u8] = b"wagate";
/// The largest packet that Opus makes of one frame (RFC 6716, section 3.2.1).
const MAX_PACKET: usize = 1_275;

const FAILED: PrepareError = PrepareError::broken("it cannot be converted");

/// Takes samples and gives a file.
pub(crate) struct Encoder {
    codec: ropus::Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    /// Samples that do not fill a packet yet.
    pending: Vec<i16>,
    /// The last packet: whether it ends the stream is known only when another one comes.
    held: Option<Vec<u8>>,
    /// Packets that are made.
    packets: u32,
    /// Samples that were taken.
    taken: u64,
    pre_skip: u16,
}

impl Encoder {
    /// Begins a file of one channel.
    pub(crate) fn new() -> Result<Self, PrepareError> {
        let codec = ropus::Encoder::builder(OPUS_RATE, Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(BITS_PER_SECOND))
            .complexity(COMPLEXITY)
            .signal(Signal::Voice)
            .build()
            .map_err(|_| FAILED)?;
        let pre_skip = u16::try_from(codec.lookahead()).map_err(|_| FAILED)?;
        let mut encoder = Self {
            codec,
            pages: PacketWriter::new(Vec::new()),
            pending: Vec::with_capacity(2 * FRAME),
            held: None,
            packets: 0,
            taken: 0,
            pre_skip,
        };
        encoder.write(head(pre_skip), PacketWriteEndInfo::EndPage, 0)?;
        encoder.write(tags(), PacketWriteEndInfo::EndPage, 0)?;
        Ok(encoder)
    }

    /// Takes samples of 48 kHz, between −1 and 1.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<(), PrepareError> {
        self.taken += samples.len() as u64;
        self.feed(samples)
    }

    /// The file.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, PrepareError> {
        // What the codec still holds back comes out behind as much silence.
        let silence = vec![0.0; usize::from(self.pre_skip)];
        self.feed(&silence)?;
        if !self.pending.is_empty() {
            let missing = FRAME - self.pending.len();
            self.feed(&vec![0.0; missing])?;
        }
        // The last position says where the sound ends within the last packet.
        let end = u64::from(self.pre_skip) + self.taken;
        let last = self.held.take().ok_or(FAILED)?;
        self.write(last, PacketWriteEndInfo::EndStream, end)?;
        Ok(self.pages.into_inner())
    }

    fn feed(&mut self, samples: &[f32]) -> Result<(), PrepareError> {
        self.pending.extend(samples.iter().copied().map(to_integer));
        let mut start = 0;
        while self.pending.len() - start >= FRAME {
            let mut packet = vec![0; MAX_PACKET];
            let frame = &self.pending[start..start + FRAME];
            let length = self.codec.encode(frame, &mut packet).map_err(|_| FAILED)?;
            packet.truncate(length);
            self.keep(packet)?;
            start += FRAME;
        }
        self.pending.drain(..start);
        Ok(())
    }

    fn keep(&mut self, packet: Vec<u8>) -> Result<(), PrepareError> {
        if let Some(earlier) = self.held.replace(packet) {
            let ends_page = self.packets.is_multiple_of(PACKETS_PER_PAGE);
            let end = if ends_page {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            let position = u64::from(self.packets) * FRAME as u64;
            self.write(earlier, end, position)?;
        }
        self.packets += 1;
        Ok(())
    }

    fn write(
        &mut self,
        packet: Vec<u8>,
        end: PacketWriteEndInfo,
        position: u64,
    ) -> Result<(), PrepareError> {
        self.pages
            .write_packet(packet, SERIAL, end, position)
            .map_err(|_| FAILED)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is between the bounds of the type, and conversion saturates"
)]
fn to_integer(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16
}

fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    // Version and channels.
    head.extend([1, 1]);
    head.extend(pre_skip.to_le_bytes());
    head.extend(OPUS_RATE.to_le_bytes());
    // No gain, and the common order of channels.
    head.extend([0, 0, 0]);
    head
}

fn tags() -> Vec<u8> {
    let length = u32::try_from(VENDOR.len()).expect("it is a short name");
    let mut tags = b"OpusTags".to_vec();
    tags.extend(length.to_le_bytes());
    tags.extend(VENDOR);
    tags.extend(0_u32.to_le_bytes());
    tags
}
