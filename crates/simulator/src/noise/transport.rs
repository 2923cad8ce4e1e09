//! The established connection: frames in both directions, each with its counter.

use bytes::{BufMut, Bytes, BytesMut};
use wacore_noise::NoiseCipher;

/// Why a frame could not be opened or sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The frame is not from the other end of this connection, or out of order.
    #[error("a frame does not authenticate")]
    Decrypt,
    /// The frame is too long, or this connection has carried all that its counters allow.
    #[error("a frame cannot be sealed")]
    Encrypt,
}

/// The two ciphers of a connection with their counters.
pub struct Transport {
    outgoing: NoiseCipher,
    incoming: NoiseCipher,
    sent: u32,
    received: u32,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("sent", &self.sent)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Transport {
    /// A transport with the ciphers that a handshake ended with.
    pub fn new(outgoing: NoiseCipher, incoming: NoiseCipher) -> Self {
        Self {
            outgoing,
            incoming,
            sent: 0,
            received: 0,
        }
    }

    /// Seals a marshalled stanza into a frame, length included.
    pub fn seal(&mut self, stanza: &[u8]) -> Result<Bytes, TransportError> {
        let mut sealed = BytesMut::with_capacity(stanza.len() + 16);
        sealed.put_slice(stanza);
        self.outgoing
            .encrypt_in_place_with_counter(self.sent, &mut sealed)
            .map_err(|_| TransportError::Encrypt)?;
        self.sent = self.sent.checked_add(1).ok_or(TransportError::Encrypt)?;
        let length = u32::try_from(sealed.len())
            .ok()
            .filter(|length| *length < 1 << 24)
            .ok_or(TransportError::Encrypt)?;
        let mut frame = BytesMut::with_capacity(3 + sealed.len());
        frame.put_slice(&length.to_be_bytes()[1..]);
        frame.put_slice(&sealed);
        Ok(frame.freeze())
    }

    /// Opens a frame without its length.
    pub fn open(&mut self, mut frame: BytesMut) -> Result<BytesMut, TransportError> {
        self.incoming
            .decrypt_in_place_with_counter(self.received, &mut frame)
            .map_err(|_| TransportError::Decrypt)?;
        self.received = self
            .received
            .checked_add(1)
            .ok_or(TransportError::Decrypt)?;
        Ok(frame)
    }
}
