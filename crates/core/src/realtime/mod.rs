//! Realtime: tickets, and the streams that they open.

mod holder;
mod stream;
mod tails;
mod tickets;

pub use stream::{EventStream, StreamItem};
pub use tickets::{FoundTicket, IssuedTicket, StreamScope, TicketRequest};
