//! Files that the tests write.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgba, RgbaImage};

use crate::{Kind, PrepareError, Prepared, Wanted, prepare};

/// A file as it is prepared of which only the kind is said.
pub(super) fn prepared(file: &[u8], kind: Kind) -> Result<Prepared, PrepareError> {
    prepare(file, &Wanted::new(kind))
}

/// The same, as a voice note.
pub(super) fn voice(file: &[u8]) -> Result<Prepared, PrepareError> {
    let wanted = Wanted {
        is_voice: true,
        ..Wanted::new(Kind::Audio)
    };
    prepare(file, &wanted)
}

pub(super) const RED: Rgba<u8> = Rgba([220, 20, 20, 255]);
pub(super) const BLUE: Rgba<u8> = Rgba([20, 20, 220, 255]);
pub(super) const CLEAR: Rgba<u8> = Rgba([0, 0, 0, 0]);

/// Two colors, side by side.
pub(super) fn halves(width: u32, height: u32, left: Rgba<u8>, right: Rgba<u8>) -> DynamicImage {
    let picture = RgbaImage::from_fn(
        width,
        height,
        |x, _| if x < width / 2 { left } else { right },
    );
    picture.into()
}

pub(super) fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let opaque;
    let picture = match format {
        ImageFormat::Jpeg | ImageFormat::Bmp => {
            opaque = DynamicImage::from(picture.to_rgb8());
            &opaque
        }
        _ => picture,
    };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn gif(frames: &[DynamicImage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for frame in frames {
        encoder.encode_frame(Frame::new(frame.to_rgba8())).unwrap();
    }
    drop(encoder);
    bytes
}

/// The JPEG with EXIF data behind its first marker that say how it is to be turned.
pub(super) fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap();
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend(length.to_be_bytes());
    file.extend(exif);
    file.extend(&jpeg[2..]);
    file
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let mut chunk = name.to_vec();
    chunk.extend(length.to_le_bytes());
    chunk.extend(content);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

fn three_bytes(number: u32) -> [u8; 3] {
    let [low, middle, high, _] = number.to_le_bytes();
    [low, middle, high]
}

/// An animated WebP of as many equal frames.
pub(super) fn moving_webp(side: u32, frames: usize) -> Vec<u8> {
    let still = encoded(&halves(side, side, RED, CLEAR), ImageFormat::WebP);
    let picture = &still[12..];
    let mut header = vec![0x12, 0, 0, 0];
    header.extend(three_bytes(side - 1));
    header.extend(three_bytes(side - 1));
    let mut frame = vec![0; 6];
    frame.extend(three_bytes(side - 1));
    frame.extend(three_bytes(side - 1));
    frame.extend(three_bytes(100));
    frame.push(0);
    frame.extend(picture);
    let mut content = b"WEBP".to_vec();
    content.extend(chunk(*b"VP8X", &header));
    content.extend(chunk(*b"ANIM", &[0; 6]));
    for _ in 0..frames {
        content.extend(chunk(*b"ANMF", &frame));
    }
    chunk(*b"RIFF", &content)
}

/// A tone of 440 Hz in 16 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the amplitude is below one, and times are positive"
)]
pub(super) fn tone(
    rate: u32,
    channels: u16,
    seconds: f64,
    loudness: impl Fn(f64) -> f64,
) -> Vec<u8> {
    let count = (f64::from(rate) * seconds) as u32;
    let mut samples = Vec::new();
    for index in 0..count {
        let time = f64::from(index) / f64::from(rate);
        let value = (time * 440.0 * std::f64::consts::TAU).sin() * loudness(time);
        for _ in 0..channels {
            samples.extend(((value * 32_767.0) as i16).to_le_bytes());
        }
    }
    wav(rate, channels, 16, &samples)
}

pub(super) fn wav(rate: u32, channels: u16, bits: u16, samples: &[u8]) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut format = 1_u16.to_le_bytes().to_vec();
    format.extend(channels.to_le_bytes());
    format.extend(rate.to_le_bytes());
    format.extend((rate * u32::from(block)).to_le_bytes());
    format.extend(block.to_le_bytes());
    format.extend(bits.to_le_bytes());
    let mut content = b"WAVE".to_vec();
    content.extend(chunk(*b"fmt ", &format));
    content.extend(chunk(*b"data", samples));
    chunk(*b"RIFF", &content)
}

/// Silence in MP3: frames of 1,152 samples at 44.1 kHz.
pub(super) fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0xc4]);
    frame.repeat(frames)
}

/// Silence in AAC-LC: what a frame of 1,024 samples of one channel holds.
pub(super) const AAC_FRAME: [u8; 6] = [0x00, 0xc8, 0x00, 0x80, 0x23, 0x80];

/// Silence in AAC as a stream: frames of 1,024 samples at 44.1 kHz.
pub(super) fn adts(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xf1, 0x50, 0x40, 0x01, 0xbf, 0xfc];
    frame.extend(AAC_FRAME);
    frame.repeat(frames)
}

fn crc(bytes: &[u8], polynomial: u16, bits: u32) -> u16 {
    let top = 1_u16 << (bits - 1);
    bytes.iter().fold(0, |mut crc: u16, byte| {
        crc ^= u16::from(*byte) << (bits - 8);
        for _ in 0..8 {
            let carry = crc & top != 0;
            crc <<= 1;
            if carry {
                crc ^= polynomial;
            }
        }
        if bits == 8 { crc & 0xff } else { crc }
    })
}

/// A constant sample in FLAC: frames of 4,096 samples of one channel at 44.1 kHz.
pub(super) fn flac(frames: u8) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    let total = u64::from(frames) * 4_096;
    let described = (44_100_u64 << 44) | (15_u64 << 36) | total;
    file.extend(described.to_be_bytes());
    file.extend([0; 16]);
    for number in 0..frames {
        let mut frame = vec![0xff, 0xf8, 0xc9, 0x08, number];
        frame.push(crc(&frame, 0x07, 8).to_le_bytes()[0]);
        // A constant of 16 bits.
        frame.extend([0, 0x10, 0]);
        frame.extend(crc(&frame, 0x8005, 16).to_be_bytes());
        file.extend(frame);
    }
    file
}

pub(super) fn amr(frames: usize) -> Vec<u8> {
    let mut frame = vec![0x3c];
    frame.resize(32, 0);
    let mut file = b"#!AMR\n".to_vec();
    file.extend(frame.repeat(frames));
    file
}

pub(super) fn boxed(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(name);
    bytes.extend(content);
    bytes
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const SIDEWAYS: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000];

/// What an MP4 file tells.
pub(super) struct Film {
    pub(super) brand: [u8; 4],
    pub(super) handler: [u8; 4],
    pub(super) size: (u32, u32),
    pub(super) is_sideways: bool,
    /// In milliseconds.
    pub(super) length: u32,
    /// In milliseconds, where it is written in fragments.
    pub(super) in_fragments: Option<u32>,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            brand: *b"isom",
            handler: *b"vide",
            size: (640, 360),
            is_sideways: false,
            length: 12_400,
            in_fragments: None,
        }
    }
}

impl Film {
    pub(super) fn written(&self) -> Vec<u8> {
        self.with_table(&[])
    }

    fn with_table(&self, table: &[u8]) -> Vec<u8> {
        let mut track = words(&[0, 0, 0, 1, 0, self.length, 0, 0, 0, 0]);
        track.extend(words(if self.is_sideways {
            &SIDEWAYS
        } else {
            &UPRIGHT
        }));
        track.extend(words(&[self.size.0 << 16, self.size.1 << 16]));
        let mut handler = vec![0; 8];
        handler.extend(self.handler);
        handler.extend([0; 13]);
        let mut media = boxed(*b"mdhd", &words(&[0, 0, 0, 1_000, self.length, 0]));
        media.extend(boxed(*b"hdlr", &handler));
        media.extend(boxed(*b"minf", &boxed(*b"stbl", table)));
        let mut header = words(&[0, 0, 0, 1_000, self.length, 0x1_0000, 0x100_0000, 0, 0]);
        header.extend(words(&UPRIGHT));
        header.extend(words(&[0, 0, 0, 0, 0, 0, 2]));
        let mut movie = boxed(*b"mvhd", &header);
        movie.extend(boxed(
            *b"trak",
            &[boxed(*b"tkhd", &track), boxed(*b"mdia", &media)].concat(),
        ));
        if let Some(length) = self.in_fragments {
            movie.extend(boxed(*b"mvex", &boxed(*b"mehd", &words(&[0, length]))));
        }
        let mut file = boxed(*b"ftyp", &[&self.brand[..], &[0; 4], b"isom"].concat());
        file.extend(boxed(*b"moov", &movie));
        file.extend(boxed(*b"mdat", &[0; 100]));
        file
    }
}

/// Silence in AAC-LC in an MP4 file: frames of 1,024 samples at 44.1 kHz.
pub(super) fn m4a(frames: u32) -> Vec<u8> {
    let sound = Film {
        brand: *b"M4A ",
        handler: *b"soun",
        size: (0, 0),
        length: frames * 1_024 * 10 / 441,
        ..Film::default()
    };
    let length = sound.with_table(&aac_table(frames, 0)).len();
    // The last box holds 100 bytes, which the sound takes the place of.
    let at = u32::try_from(length - 100).unwrap();
    let mut file = sound.with_table(&aac_table(frames, at));
    file.truncate(length - 108);
    let frames = AAC_FRAME.repeat(usize::try_from(frames).unwrap());
    file.extend(boxed(*b"mdat", &frames));
    file
}

fn aac_table(frames: u32, at: u32) -> Vec<u8> {
    // An ES descriptor with a decoder's, which is AAC-LC, 44.1 kHz, one channel.
    let mut stream = vec![0, 0, 0, 0, 0x03, 0x19, 0, 1, 0];
    stream.extend([0x04, 0x11, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    stream.extend([0x05, 0x02, 0x12, 0x08, 0x06, 0x01, 0x02]);
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    entry.extend([0, 1, 0, 16, 0, 0, 0, 0]);
    entry.extend((44_100_u32 << 16).to_be_bytes());
    entry.extend(boxed(*b"esds", &stream));
    let mut description = words(&[0, 1]);
    description.extend(boxed(*b"mp4a", &entry));
    [
        boxed(*b"stsd", &description),
        boxed(*b"stts", &words(&[0, 1, frames, 1_024 * 10 / 441])),
        boxed(*b"stsc", &words(&[0, 1, 1, frames, 1])),
        boxed(*b"stsz", &words(&[0, 6, frames])),
        boxed(*b"stco", &words(&[0, 1, at])),
    ]
    .concat()
}
