//! Live sessions with the real engine against the simulator.

mod inbound;
mod outbound;
mod ownership;
mod pairing;
mod world;
