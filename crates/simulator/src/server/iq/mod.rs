//! Requests of devices, one file per namespace.

mod app_state;
mod blocklist;
mod business;
mod dirty;
mod encrypt;
mod groups;
mod linking;
mod media;
mod mex;
mod newsletters;
mod passive;
mod picture;
mod ping;
mod privacy;
mod props;
mod router;
mod status;
mod usync;
