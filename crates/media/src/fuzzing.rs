//! What must hold of any file and any page, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use crate::prepare::examine;
use crate::{Kind, PrepareError, Prepared, Wanted, page_facts, prepare, sniff};

const KINDS: [(Kind, bool); 6] = [
    (Kind::Image, false),
    (Kind::Video, false),
    (Kind::Audio, false),
    (Kind::Audio, true),
    (Kind::Document, false),
    (Kind::Sticker, false),
];

/// Whatever the bytes are: nothing panics, what comes out is bounded, and what was made of a
/// file is taken as it is from then on.
pub fn file(bytes: &[u8]) {
    for (kind, is_voice) in KINDS {
        let wanted = Wanted {
            is_voice,
            ..Wanted::new(kind)
        };
        match examine(bytes, &wanted) {
            Ok(prepared) => taken(bytes, &wanted, &prepared),
            Err(error) => refused(bytes, kind, &error),
        }
    }
}

/// Whatever a page holds: nothing panics, and what it says of itself is short and on one line.
pub fn page(bytes: &[u8]) {
    for content_type in [
        None,
        Some("text/html; charset=utf-16le"),
        Some("text/html; charset=x"),
    ] {
        let facts = page_facts(bytes, content_type);
        for (text, most) in [(&facts.title, 256), (&facts.description, 512)] {
            let text = text.as_deref().unwrap_or("-");
            assert!(!text.is_empty() && text.chars().count() <= most);
            assert!(!text.contains(['\n', '\r']));
        }
    }
}

fn taken(bytes: &[u8], wanted: &Wanted, prepared: &Prepared) {
    assert!(!bytes.is_empty());
    assert!(prepared.mime.contains('/'));
    assert_ne!(prepared.width, Some(0));
    assert_ne!(prepared.height, Some(0));
    assert_ne!(prepared.duration_seconds, Some(0));
    assert_eq!(prepared.waveform.is_some(), wanted.is_voice);
    assert!(prepared.thumbnail.is_none() || wanted.kind == Kind::Image);
    // What is converted was decoded, and so it has one.
    let is_converted = wanted.kind == Kind::Image && prepared.converted.is_some();
    assert!(prepared.thumbnail.is_some() || !is_converted);
    if let Some(waveform) = &prepared.waveform {
        assert!(waveform.iter().all(|point| *point <= 100));
    }
    if let Some(thumbnail) = &prepared.thumbnail {
        assert!(thumbnail.len() < 32 * 1024);
        assert_eq!(sniff(thumbnail), Some("image/jpeg"));
    }
    if let Some(converted) = &prepared.converted {
        let again = prepare(converted, wanted).expect("what was made of it can be sent");
        assert_eq!(again.converted, None);
        assert_eq!(again.mime, prepared.mime);
        assert_eq!(
            (again.width, again.height),
            (prepared.width, prepared.height)
        );
    }
}

fn refused(bytes: &[u8], kind: Kind, error: &PrepareError) {
    assert_eq!(bytes.is_empty(), *error == PrepareError::Empty);
    assert!(kind != Kind::Document || bytes.is_empty());
    assert!(!error.to_string().is_empty());
}
