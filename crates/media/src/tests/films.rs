//! Films.

use super::written::{Film, boxed, m4a, prepared};
use crate::{Kind, PrepareError};

#[test]
fn boxes_say_how_large_and_how_long() {
    for (brand, mime) in [
        (*b"isom", "video/mp4"),
        (*b"mp42", "video/mp4"),
        (*b"3gp5", "video/3gpp"),
        (*b"qt  ", "video/quicktime"),
    ] {
        let film = Film {
            brand,
            ..Film::default()
        };
        let video = prepared(&film.written(), Kind::Video).unwrap();
        assert_eq!(video.mime, mime);
        assert_eq!(video.converted, None);
        assert_eq!((video.width, video.height), (Some(640), Some(360)));
        assert_eq!(video.duration_seconds, Some(12));
    }
}

#[test]
fn a_film_is_shown_as_its_camera_was_held() {
    let film = Film {
        is_sideways: true,
        ..Film::default()
    };
    let video = prepared(&film.written(), Kind::Video).unwrap();
    assert_eq!((video.width, video.height), (Some(360), Some(640)));
}

#[test]
fn the_shortest_film_lasts_a_second() {
    let film = Film {
        length: 40,
        ..Film::default()
    };
    let video = prepared(&film.written(), Kind::Video).unwrap();
    assert_eq!(video.duration_seconds, Some(1));
}

#[test]
fn a_film_in_fragments_says_its_length_elsewhere() {
    let film = Film {
        length: 0,
        in_fragments: Some(61_000),
        ..Film::default()
    };
    let video = prepared(&film.written(), Kind::Video).unwrap();
    assert_eq!(video.duration_seconds, Some(61));
    let film = Film {
        in_fragments: None,
        ..film
    };
    let video = prepared(&film.written(), Kind::Video).unwrap();
    assert_eq!(video.duration_seconds, None);
}

#[test]
fn sound_alone_is_no_film() {
    let film = Film {
        handler: *b"soun",
        ..Film::default()
    };
    for file in [film.written(), m4a(10)] {
        let error = prepared(&file, Kind::Video).unwrap_err();
        let wanted = PrepareError::NotThis {
            expected: Kind::Video,
            found: "audio/mp4".to_owned(),
        };
        assert_eq!(error, wanted);
    }
}

#[test]
fn other_films_are_named() {
    let webm = b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm\x42\x87\x81\x04";
    let wanted = PrepareError::Unsupported {
        mime: "video/webm".to_owned(),
    };
    assert_eq!(prepared(webm, Kind::Video), Err(wanted));
}

#[test]
fn films_that_are_cut_off_are_broken() {
    let file = Film::default().written();
    for end in [20, 100, file.len() - 1] {
        let error = prepared(&file[..end], Kind::Video).unwrap_err();
        assert!(
            matches!(error, PrepareError::Broken { .. }),
            "{end}: {error:?}"
        );
    }
    let head = boxed(*b"ftyp", b"isom\0\0\0\0isom");
    let error = prepared(&head, Kind::Video).unwrap_err();
    assert_eq!(error, PrepareError::broken("it does not say what is in it"));
    let tiny = [&head[..], &[0, 0, 0, 3], b"moov"].concat();
    let error = prepared(&tiny, Kind::Video).unwrap_err();
    assert_eq!(
        error,
        PrepareError::broken("a box in it is smaller than its header")
    );
}
