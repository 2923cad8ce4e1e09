//! A realtime socket.

use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::PATIENCE;
use crate::covered::note_event;

/// An open socket.
#[derive(Debug)]
pub struct Realtime(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Realtime {
    /// Opens the socket of a ticket's URL and takes its first frame.
    ///
    /// # Panics
    ///
    /// When the upgrade is refused or the first frame is not `connected`.
    pub async fn open(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.expect("the ticket opens a socket");
        let mut realtime = Self(socket);
        let first = realtime.next().await.expect("a first frame");
        assert_eq!(first["event"], "connected", "{first}");
        realtime
    }

    /// The next frame, pings included; `None` when the socket is closed.
    ///
    /// # Panics
    ///
    /// When none comes in time, or one that is not JSON.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(&text).expect("a frame is JSON");
                    note_event(&frame);
                    return Some(frame);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    /// The next event that a test accepts; others are skipped.
    ///
    /// # Panics
    ///
    /// When none comes in time, or the socket closes.
    pub async fn wait_for(&mut self, mut is_wanted: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.expect("the socket stays open");
            if is_wanted(&frame) {
                return frame;
            }
        }
    }
}
