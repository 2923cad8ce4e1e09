//! Voice notes.

use std::io::Cursor;

use ogg::PacketReader;

use super::written::{adts, amr, flac, m4a, mp3, tone, voice, wav};
use crate::audio::{Resampler, opus_samples};
use crate::{Kind, PrepareError, Wanted, prepare, sniff};

const OPUS: &str = "audio/ogg; codecs=opus";

/// What a player plays.
fn played(file: &[u8]) -> Vec<f32> {
    let mut all = Vec::new();
    opus_samples(file, &mut |samples| {
        all.extend_from_slice(samples);
        Ok(())
    })
    .unwrap();
    all
}

/// How often a tone swings in a second.
#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
fn pitch(samples: &[f32]) -> f64 {
    let crossings = samples
        .windows(2)
        .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
        .count();
    crossings as f64 * 48_000.0 / samples.len() as f64
}

#[test]
fn any_rate_becomes_opus_of_the_same_tone() {
    for (rate, channels) in [
        (8_000, 1),
        (16_000, 2),
        (22_050, 1),
        (44_100, 2),
        (48_000, 1),
        (96_000, 1),
    ] {
        let note = voice(&tone(rate, channels, 2.0, |_| 0.6)).unwrap();
        assert_eq!(note.mime, OPUS);
        assert_eq!(note.duration_seconds, Some(2));
        let file = note.converted.unwrap();
        assert_eq!(sniff(&file), Some(OPUS));
        let samples = played(&file);
        let middle = &samples[12_000..84_000];
        assert!(
            (pitch(middle) - 440.0).abs() < 5.0,
            "{rate}: {}",
            pitch(middle)
        );
        let loudest = middle.iter().copied().fold(0.0, f32::max);
        assert!((0.4..0.8).contains(&loudest), "{rate}: {loudest}");
    }
}

#[test]
fn pages_say_where_the_sound_ends() {
    let file = voice(&tone(44_100, 1, 2.5, |_| 0.6))
        .unwrap()
        .converted
        .unwrap();
    let mut reader = PacketReader::new(Cursor::new(&file[..]));
    let head = reader.read_packet().unwrap().unwrap();
    assert!(head.first_in_stream() && head.last_in_page());
    assert_eq!(head.data[..10], *b"OpusHead\x01\x01");
    let pre_skip = u64::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = reader.read_packet().unwrap().unwrap();
    assert!(tags.data.starts_with(b"OpusTags") && tags.last_in_page());
    let mut packets = 0;
    let mut last = None;
    while let Some(packet) = reader.read_packet().unwrap() {
        packets += 1;
        last = Some((packet.absgp_page(), packet.last_in_stream()));
    }
    assert_eq!(last, Some((pre_skip + 120_000, true)));
    assert_eq!(packets, (120_000 + pre_skip).div_ceil(960));
}

#[test]
fn the_waveform_follows_the_loudness() {
    let file = tone(16_000, 1, 4.0, |time| if time < 2.0 { 0.1 } else { 0.8 });
    let note = voice(&file).unwrap();
    let waveform = note.waveform.unwrap();
    assert!(
        waveform[2..30].iter().all(|point| (8..=17).contains(point)),
        "{waveform:?}"
    );
    assert!(
        waveform[34..62].iter().all(|point| *point > 90),
        "{waveform:?}"
    );
    assert_eq!(waveform.iter().max(), Some(&100));
    // Kept as it is, it looks nearly the same.
    let again = voice(&note.converted.unwrap()).unwrap();
    assert_eq!(again.converted, None);
    assert_eq!(again.mime, OPUS);
    assert_eq!(again.duration_seconds, Some(4));
    let waveform = again.waveform.unwrap();
    assert!(
        waveform[2..30].iter().all(|point| *point < 25),
        "{waveform:?}"
    );
    assert!(
        waveform[34..62].iter().all(|point| *point > 75),
        "{waveform:?}"
    );
}

#[test]
fn other_codecs_become_opus_too() {
    for (name, file, seconds) in [
        ("mp3", mp3(100), 3),
        ("aac", adts(100), 2),
        ("m4a", m4a(100), 2),
        ("flac", flac(60), 6),
    ] {
        let note = voice(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(note.duration_seconds, Some(seconds), "{name}");
        assert_eq!(sniff(&note.converted.unwrap()), Some(OPUS), "{name}");
    }
}

#[test]
fn silence_and_moments_have_a_waveform() {
    let silence = voice(&tone(16_000, 1, 1.0, |_| 0.0)).unwrap();
    assert_eq!(silence.waveform, Some([0; 64]));
    let moment = voice(&tone(16_000, 1, 0.01, |_| 0.5)).unwrap();
    assert_eq!(moment.duration_seconds, Some(1));
    assert_eq!(moment.waveform.unwrap().iter().max(), Some(&100));
}

#[test]
fn what_cannot_be_a_voice_note_is_refused() {
    let hours = wav(4_000, 1, 8, &vec![0x80; 4_000 * 3_700]);
    let error = voice(&hours).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::TooLarge {
                unit: "seconds",
                ..
            }
        ),
        "{error:?}"
    );
    let error = voice(&amr(10)).unwrap_err();
    assert!(
        matches!(error, PrepareError::Unsupported { .. }),
        "{error:?}"
    );
    let error = voice(b"\x89PNG\r\n\x1a\n").unwrap_err();
    assert!(matches!(error, PrepareError::NotThis { .. }), "{error:?}");
    let slow = wav(1_000, 1, 8, &[0x80; 4_000]);
    let error = voice(&slow).unwrap_err();
    assert!(matches!(error, PrepareError::Broken { .. }), "{error:?}");
}

#[test]
fn a_voice_note_is_as_long_as_is_allowed() {
    let wanted = |voice_seconds| Wanted {
        is_voice: true,
        voice_seconds,
        ..Wanted::new(Kind::Audio)
    };
    let sound = tone(16_000, 1, 2.0, |_| 0.5);
    let note = prepare(&sound, &wanted(3)).unwrap().converted.unwrap();
    for file in [sound, note] {
        let error = prepare(&file, &wanted(1)).unwrap_err();
        let (unit, limit) = ("seconds", 1);
        assert_eq!(error, PrepareError::TooLarge { unit, limit });
    }
}

#[test]
fn what_is_cut_off_is_sent_as_far_as_it_goes() {
    let file = voice(&tone(16_000, 1, 4.0, |_| 0.5))
        .unwrap()
        .converted
        .unwrap();
    let note = voice(&file[..file.len() / 2]).unwrap();
    assert!(matches!(note.duration_seconds, Some(1..=2)), "{note:?}");
    let error = voice(&file[..40]).unwrap_err();
    assert!(matches!(error, PrepareError::Broken { .. }), "{error:?}");
}

#[test]
fn resampling_keeps_a_tone_and_its_length() {
    for rate in [4_000_u32, 11_025, 16_000, 44_100, 48_000, 96_000, 191_999] {
        let wave = |index: u32, rate: u32| {
            let time = f64::from(index) / f64::from(rate);
            (time * 440.0 * std::f64::consts::TAU).sin()
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "samples are between -1 and 1"
        )]
        let input: Vec<f32> = (0..rate).map(|index| wave(index, rate) as f32).collect();
        let mut resampler = Resampler::new(rate).unwrap();
        let mut output = Vec::new();
        for part in input.chunks(1_000) {
            resampler.push(part, &mut output);
        }
        resampler.finish(&mut output);
        assert_eq!(output.len(), 48_000, "{rate}");
        for (index, sample) in (0_u32..).zip(&output).skip(1_000).take(46_000) {
            let off = (f64::from(*sample) - wave(index, 48_000)).abs();
            assert!(off < 0.005, "{rate}: {off} at {index}");
        }
    }
}
