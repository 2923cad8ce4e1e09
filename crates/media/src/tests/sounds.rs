//! Sound that is sent as it is.

use super::written::{Film, adts, amr, flac, m4a, mp3, prepared, tone, voice};
use crate::{Kind, PrepareError};

#[test]
fn every_format_tells_its_length() {
    let opus = voice(&tone(48_000, 1, 3.2, |_| 0.5))
        .unwrap()
        .converted
        .unwrap();
    let tagged = [
        b"ID3\x04\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0".to_vec(),
        mp3(100),
    ]
    .concat();
    for (file, mime, seconds) in [
        (mp3(100), "audio/mpeg", 3),
        (tagged, "audio/mpeg", 3),
        (adts(100), "audio/aac", 2),
        (m4a(100), "audio/mp4", 2),
        (flac(60), "audio/flac", 6),
        (tone(8_000, 2, 4.6, |_| 0.5), "audio/wav", 5),
        (amr(110), "audio/amr", 2),
        (opus, "audio/ogg; codecs=opus", 3),
    ] {
        let audio = prepared(&file, Kind::Audio).unwrap();
        assert_eq!(audio.mime, mime);
        assert_eq!(audio.duration_seconds, Some(seconds), "{mime}");
        assert_eq!(audio.converted, None);
        assert_eq!(audio.waveform, None);
    }
}

#[test]
fn a_film_is_no_sound() {
    let error = prepared(&Film::default().written(), Kind::Audio).unwrap_err();
    let wanted = PrepareError::NotThis {
        expected: Kind::Audio,
        found: "video/mp4".to_owned(),
    };
    assert_eq!(error, wanted);
}

#[test]
fn what_has_no_sound_is_broken() {
    for file in [
        &b"OggS"[..],
        b"fLaC",
        b"#!AMR\n",
        b"#!AMR\n\x48",
        b"ID3\x04",
        b"\xff\xfb\x90\xc4",
    ] {
        let error = prepared(file, Kind::Audio).unwrap_err();
        assert!(
            matches!(error, PrepareError::Broken { .. }),
            "{file:?}: {error:?}"
        );
    }
    let head = tone(8_000, 1, 0.0, |_| 0.5);
    let error = prepared(&head, Kind::Audio).unwrap_err();
    assert!(matches!(error, PrepareError::Broken { .. }), "{error:?}");
}

#[test]
fn sound_in_other_formats_is_named() {
    let error = prepared(b"FORM\0\0\0\x10AIFFCOMM", Kind::Audio).unwrap_err();
    let wanted = PrepareError::Unsupported {
        mime: "audio/aiff".to_owned(),
    };
    assert_eq!(error, wanted);
    let error = prepared(b"\xff\xfea text that begins with a mark", Kind::Audio).unwrap_err();
    assert!(matches!(error, PrepareError::NotThis { .. }), "{error:?}");
}
