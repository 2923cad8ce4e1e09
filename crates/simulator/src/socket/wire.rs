//! A WebSocket that carries frames.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::{Bytes, BytesMut};

use crate::noise::Frames;

/// A client that does not take what is written in this time is cut.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client takes no longer than this to close its side as well.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The frames of one WebSocket.
pub(super) struct Wire {
    socket: WebSocket,
    frames: Frames,
}

/// The connection is over: closed, broken, too slow or not speaking the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over;

impl Wire {
    pub(super) fn new(socket: WebSocket) -> Self {
        Self {
            socket,
            frames: Frames::new(),
        }
    }

    pub(super) fn allow_large_frames(&mut self) {
        self.frames.allow_large();
    }

    /// The next frame. May be dropped while it waits: nothing is lost.
    pub(super) async fn frame(&mut self) -> Result<BytesMut, Over> {
        loop {
            match self.frames.next() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "cut a connection");
                    return Err(Over);
                }
            }
            match self.socket.recv().await {
                Some(Ok(Message::Binary(bytes))) => self.frames.feed(&bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None => {
                    return Err(Over);
                }
            }
        }
    }

    /// Writes bytes that are framed already.
    pub(super) async fn write(&mut self, framed: Bytes) -> Result<(), Over> {
        let write = self.socket.send(Message::Binary(framed));
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }

    /// Ends the WebSocket properly: says so, and reads on until the client has closed its side.
    ///
    /// A client may be writing at that moment. When its bytes find the socket gone it is reset, and
    /// many clients then never get to read the last stanza, such as the one that says why.
    pub(super) async fn close(mut self) {
        let ending = async {
            if self.socket.send(Message::Close(None)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        // Whoever is gone need not be told.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, ending).await;
    }
}
