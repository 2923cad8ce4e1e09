//! The public HTTP API: routes, extractors, the error envelope, OpenAPI and realtime sockets.
//!
//! A handler takes extractors, makes one call into [`wagate_core`], and answers. What
//! a caller may do is a type that an extractor hands over ([`access`]), bodies are
//! validated against the document that is published ([`body`]), and every failure
//! becomes the envelope in one place ([`failure`]). `…/{id}:verb` is explained in
//! [`verbs`].

mod access;
mod allowance;
mod assets;
mod audit;
mod auth;
mod backfills;
mod body;
mod channels;
mod chats;
mod communities;
mod contacts;
mod events;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod group_invites;
mod groups;
mod labels;
mod media;
mod media_types;
mod message_extras;
mod messages;
mod observe;
mod openapi;
mod presence;
mod probes;
mod profile;
mod qr_image;
mod query;
mod realtime;
mod reference;
mod router;
mod scheduled;
mod search;
mod server;
mod sessions;
mod socket;
mod state;
mod status;
mod storage;
mod verbs;
mod webhook_actions;
mod webhooks;

pub use axum::Router;
pub use openapi::openapi;
pub use probes::probes_router;
pub use router::router;
pub use server::{ServerLimits, serve};
pub use state::{ApiConfig, ApiState};
