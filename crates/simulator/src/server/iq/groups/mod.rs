//! Groups (`w:g2`; wacore `iq::groups`).

mod act;
mod communities;
mod create;
mod joining;
mod members;
mod mex;
mod people;
mod picture;
mod query;
mod router;
mod settings;

pub(super) use router::Fault;
