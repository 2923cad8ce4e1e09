//! The chat socket: WebSocket, Noise, login, and one task per connection.

mod connection;
mod handshake;
pub(crate) mod login;
mod pairing;
mod route;
mod wire;

pub(crate) use route::router;
