//! The byte stream beneath the handshake: an introduction, then frames with three bytes of length.

use bytes::{Buf, BytesMut};
use wacore_binary::consts::WA_CONN_HEADER;

/// `ED`, zero, one: the client repeats routing information that the server gave it
/// (wacore-noise `edge_routing`).
const EDGE_ROUTING: [u8; 4] = [b'E', b'D', 0, 1];

/// Routing information is a few bytes; more is nonsense.
const MAX_ROUTING_LEN: usize = 1_024;

/// A first message is a few hundred bytes.
pub(crate) const MAX_HANDSHAKE_FRAME_LEN: usize = 16 * 1_024;

/// Stanzas are small, but patches of app state and many-device messages are not.
pub(crate) const MAX_FRAME_LEN: usize = 2 * 1_024 * 1_024;

/// Above this the buffer is given back once it is empty.
const KEPT_CAPACITY: usize = 4 * 1_024;

/// Why a byte stream is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream does not begin as WhatsApp's do.
    #[error("the stream does not begin with the header of a version that is spoken here")]
    Header,
    /// A frame is longer than this state allows.
    #[error("a frame is too long")]
    TooLong,
}

/// Cuts the incoming byte stream into frames.
#[derive(Debug)]
pub(crate) struct Frames {
    buffer: BytesMut,
    is_introduced: bool,
    max_len: usize,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            is_introduced: false,
            max_len: MAX_HANDSHAKE_FRAME_LEN,
        }
    }

    /// Allows the frames of an established connection.
    pub(crate) fn allow_large(&mut self) {
        self.max_len = MAX_FRAME_LEN;
    }

    /// Takes bytes in; the caller cuts all complete frames out before it feeds more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, when it is complete.
    pub(crate) fn next(&mut self) -> Result<Option<BytesMut>, FrameError> {
        if !self.is_introduced && !self.introduction()? {
            return Ok(None);
        }
        let Some(length) = self.buffer.first_chunk::<3>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.max_len {
            return Err(FrameError::TooLong);
        }
        if self.buffer.len() < 3 + length {
            return Ok(None);
        }
        self.buffer.advance(3);
        let frame = self.buffer.split_to(length);
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = BytesMut::new();
        }
        Ok(Some(frame))
    }

    /// Takes routing information and the header off the stream; false when more bytes are needed.
    fn introduction(&mut self) -> Result<bool, FrameError> {
        let mut at = 0;
        if starts_like(&self.buffer, &EDGE_ROUTING) {
            let Some(length) = self.buffer.get(4..7) else {
                return Ok(false);
            };
            let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > MAX_ROUTING_LEN {
                return Err(FrameError::Header);
            }
            at = 7 + length;
        }
        let rest = self.buffer.get(at..).unwrap_or_default();
        if !starts_like(rest, &WA_CONN_HEADER) {
            return Err(FrameError::Header);
        }
        if rest.len() < WA_CONN_HEADER.len() {
            return Ok(false);
        }
        self.buffer.advance(at + WA_CONN_HEADER.len());
        self.is_introduced = true;
        Ok(true)
    }
}

/// Whether the bytes that are there agree with the pattern.
fn starts_like(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes
        .iter()
        .zip(pattern)
        .all(|(byte, wanted)| byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        wacore_noise::framing::encode_frame(payload, None).unwrap()
    }

    #[test]
    fn routing_information_comes_before_the_header() {
        let (header, used) = wacore_noise::build_handshake_header(Some(&[1, 2, 3]));
        assert!(used);
        let mut frames = Frames::new();
        for byte in header.iter().chain(&frame(b"hello")).take(header.len() + 7) {
            frames.feed(&[*byte]);
            assert_eq!(frames.next().unwrap(), None);
        }
        frames.feed(b"o");
        assert_eq!(frames.next().unwrap().unwrap(), b"hello"[..]);
    }

    #[test]
    fn other_versions_are_refused() {
        for header in [*b"WA\x05\x03", *b"WA\x06\x02", *b"GET "] {
            let mut frames = Frames::new();
            frames.feed(&header);
            assert_eq!(frames.next(), Err(FrameError::Header));
        }
    }

    #[test]
    fn frames_are_limited_by_their_announced_length() {
        let mut frames = Frames::new();
        frames.feed(&WA_CONN_HEADER);
        frames.feed(&[0x00, 0x40, 0x01]);
        assert_eq!(frames.next(), Err(FrameError::TooLong));
        let mut frames = Frames::new();
        frames.feed(&WA_CONN_HEADER);
        assert_eq!(frames.next(), Ok(None));
        frames.allow_large();
        frames.feed(&[0x20, 0x00, 0x01]);
        assert_eq!(frames.next(), Err(FrameError::TooLong));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_divided(
            has_routing in any::<bool>(),
            parts in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..64),
                    // Short frames, so that whole ones are among them.
                    proptest::collection::vec(0_u8..3, 0..64),
                ],
                0..16,
            ),
        ) {
            let (header, _) = wacore_noise::build_handshake_header(has_routing.then_some(&[1, 2, 3]));
            let mut pieces: Vec<&[u8]> = header.chunks(3).collect();
            pieces.extend(parts.iter().map(Vec::as_slice));
            crate::fuzzing::frames(&pieces);
        }
    }
}
