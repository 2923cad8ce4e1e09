//! The bus: in this process, and over the NATS server of `TEST_NATS_URL` where that is set.

#![expect(
    clippy::unwrap_used,
    reason = "the linter knows test functions, not what they call"
)]

mod bus;
mod proxy;
