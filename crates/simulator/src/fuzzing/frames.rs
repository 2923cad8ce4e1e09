//! The byte stream beneath the handshake.

use wacore_binary::consts::WA_CONN_HEADER;

use crate::noise::{FrameError, Frames};

/// However a stream is divided, the same frames come out of it and it ends the same way;
/// and frames come out as they were put in.
pub fn frames(parts: &[&[u8]]) {
    for has_header in [false, true] {
        for is_established in [false, true] {
            let header = has_header.then_some(&WA_CONN_HEADER[..]);
            let pieces: Vec<&[u8]> = header.into_iter().chain(parts.iter().copied()).collect();
            let whole = pieces.concat();
            let cut = cut(&pieces, is_established);
            assert_eq!(cut, self::cut(&[&whole], is_established));
            let taken: usize = cut.0.iter().map(|frame| frame.len() + 3).sum();
            assert!(taken <= whole.len());
        }
    }
    let mut stream = WA_CONN_HEADER.to_vec();
    for part in parts {
        stream.extend(wacore_noise::framing::encode_frame(part, None).expect("parts are short"));
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    let (back, end) = cut(&bytes, true);
    assert_eq!(
        (back, end),
        (parts.iter().map(|part| part.to_vec()).collect(), None)
    );
}

/// The frames of a stream that comes in pieces, and what ended it.
fn cut(pieces: &[&[u8]], is_established: bool) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut stream = Frames::new();
    if is_established {
        stream.allow_large();
    }
    let mut frames = Vec::new();
    for piece in pieces {
        stream.feed(piece);
        loop {
            match stream.next() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
