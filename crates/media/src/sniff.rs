//! What a file's first bytes say it is.

/// Opus in Ogg, as official clients write it.
pub(crate) const OGG_OPUS: &str = "audio/ogg; codecs=opus";

/// Signatures at the very beginning, in no need of a second look.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"MThd", "audio/midi"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
    ),
    (b"{\\rtf", "application/rtf"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"\0\0\x01\xba", "video/mpeg"),
];

/// The MIME type that the first bytes of a file show; 64 bytes are enough.
pub fn sniff(head: &[u8]) -> Option<&'static str> {
    BEGINNINGS
        .iter()
        .find(|(signature, _)| head.starts_with(signature))
        .map(|(_, mime)| *mime)
        .or_else(|| in_container(head))
        .or_else(|| bitmap(head))
        .or_else(|| sound(head))
}

fn in_container(head: &[u8]) -> Option<&'static str> {
    let after = head.get(8..12);
    match head.get(..4)? {
        b"RIFF" => match after? {
            b"WEBP" => Some("image/webp"),
            b"WAVE" => Some("audio/wav"),
            b"AVI " => Some("video/x-msvideo"),
            _ => None,
        },
        b"FORM" => matches!(after?, b"AIFF" | b"AIFC").then_some("audio/aiff"),
        b"OggS" => Some(ogg(head)),
        // Matroska: its document type stands in the first bytes of the header.
        b"\x1a\x45\xdf\xa3" => {
            let start = head.get(..head.len().min(64))?;
            let is_webm = start.windows(4).any(|word| word == b"webm");
            Some(if is_webm {
                "video/webm"
            } else {
                "video/x-matroska"
            })
        }
        _ => match head.get(4..8)? {
            b"ftyp" => Some(brand(after?)),
            // QuickTime from before there were brands.
            b"moov" | b"mdat" | b"wide" => Some("video/quicktime"),
            _ => None,
        },
    }
}

/// The first packet follows the header of a page with one segment.
fn ogg(head: &[u8]) -> &'static str {
    let packet = head.get(28..).unwrap_or_default();
    if packet.starts_with(b"OpusHead") {
        OGG_OPUS
    } else if packet.starts_with(b"\x80theora") {
        "video/ogg"
    } else {
        "audio/ogg"
    }
}

/// ISO base media files (ISO/IEC 14496-12) by their major brand.
fn brand(brand: &[u8]) -> &'static str {
    match brand {
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        b"qt  " => "video/quicktime",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => "image/heic",
        b"avif" | b"avis" => "image/avif",
        [b'3', b'g', b'p' | b'2', _] => "video/3gpp",
        _ => "video/mp4",
    }
}

/// Two letters prove little: the size of the header behind them must fit too.
fn bitmap(head: &[u8]) -> Option<&'static str> {
    let is_bitmap = head.starts_with(b"BM")
        && matches!(
            head.get(14..18),
            Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
        );
    is_bitmap.then_some("image/bmp")
}

/// Frames of sound without a container around them begin with eleven or twelve bits set.
fn sound(head: &[u8]) -> Option<&'static str> {
    let [0xff, second, third, ..] = *head else {
        return None;
    };
    if second & 0xf6 == 0xf0 {
        // ADTS (ISO/IEC 13818-7): sampling frequencies beyond 12 are reserved.
        return ((third >> 2) & 0x0f <= 12).then_some("audio/aac");
    }
    // MPEG audio, layers II and III. Layer I would be UTF-16's byte order mark, too.
    let version = (second >> 3) & 3;
    let layer = (second >> 1) & 3;
    let is_frame = second & 0xe0 == 0xe0
        && version != 1
        && matches!(layer, 1 | 2)
        && third >> 4 != 0x0f
        && (third >> 2) & 3 != 3;
    is_frame.then_some("audio/mpeg")
}
