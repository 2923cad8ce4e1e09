//! One live connection of a device, seen from the router.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What the router asks a connection to do.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Send this marshalled stanza.
    Stanza(Bytes),
    /// Send this marshalled stanza, then close.
    Last(Bytes),
    /// Wait this many milliseconds before sending; what comes after waits as well.
    Slow(Bytes, u64),
    /// Look at the queue again: the device has become active.
    Wake,
}

#[derive(Debug)]
enum Lane {
    /// A socket: a client that does not read is cut.
    Bounded(mpsc::Sender<Outgoing>),
    /// An in-process device, trusted to read.
    Unbounded(mpsc::UnboundedSender<Outgoing>),
}

/// The sending half of a connection; the router's only way to reach it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Distinguishes this connection from earlier ones of the same device.
    pub(crate) id: u64,
    lane: Lane,
    cut: CancellationToken,
}

/// The receiving half, read by the connection's task or the device's port.
#[derive(Debug)]
pub(crate) enum LinkReceiver {
    Bounded(mpsc::Receiver<Outgoing>),
    Unbounded(mpsc::UnboundedReceiver<Outgoing>),
}

impl LinkReceiver {
    pub(crate) async fn recv(&mut self) -> Option<Outgoing> {
        match self {
            Self::Bounded(rx) => rx.recv().await,
            Self::Unbounded(rx) => rx.recv().await,
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<Outgoing> {
        match self {
            Self::Bounded(rx) => rx.try_recv().ok(),
            Self::Unbounded(rx) => rx.try_recv().ok(),
        }
    }
}

impl Link {
    /// A link for a socket that is cut when `capacity` stanzas wait to be written.
    pub(crate) fn bounded(
        id: u64,
        capacity: usize,
        shutdown: &CancellationToken,
    ) -> (Self, LinkReceiver) {
        let (tx, rx) = mpsc::channel(capacity);
        (
            Self::new(id, Lane::Bounded(tx), shutdown),
            LinkReceiver::Bounded(rx),
        )
    }

    /// A link for a device inside the process.
    pub(crate) fn unbounded(id: u64, shutdown: &CancellationToken) -> (Self, LinkReceiver) {
        let (tx, rx) = mpsc::unbounded_channel();
        (
            Self::new(id, Lane::Unbounded(tx), shutdown),
            LinkReceiver::Unbounded(rx),
        )
    }

    fn new(id: u64, lane: Lane, shutdown: &CancellationToken) -> Self {
        Self {
            id,
            lane,
            cut: shutdown.child_token(),
        }
    }

    /// Whether the connection has more to write than it may: its client reads slowly.
    ///
    /// Room is left for what is not kept, such as the answers to requests.
    pub(crate) fn is_full(&self) -> bool {
        match &self.lane {
            Lane::Bounded(tx) => tx.capacity() <= tx.max_capacity() / 4,
            Lane::Unbounded(_) => false,
        }
    }

    /// Whether nothing reaches the connection any more.
    pub(crate) fn is_over(&self) -> bool {
        self.cut.is_cancelled()
            || match &self.lane {
                Lane::Bounded(tx) => tx.is_closed(),
                Lane::Unbounded(tx) => tx.is_closed(),
            }
    }

    /// Hands something to the connection; a connection that cannot take it is cut.
    pub(crate) fn push(&self, outgoing: Outgoing) -> bool {
        let is_taken = match &self.lane {
            Lane::Bounded(tx) => tx.try_send(outgoing).is_ok(),
            Lane::Unbounded(tx) => tx.send(outgoing).is_ok(),
        };
        if !is_taken {
            self.cut.cancel();
        }
        is_taken
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    /// Cancelled when the connection is to end, and when the simulator shuts down.
    pub(crate) fn cut_token(&self) -> CancellationToken {
        self.cut.clone()
    }
}
