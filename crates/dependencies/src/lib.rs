//! Nothing but a manifest: every crate depends on this one, so that whichever of
//! them is built, shared dependencies are compiled with the same features and once.
