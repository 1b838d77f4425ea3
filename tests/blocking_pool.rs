//! The blocking pool: threads on demand, limits, aborts, panics, ends; and its hazards, group G.
//!
//! A job that has to last is held by a channel until the test lets it go: see [`rig::Held`].
#![cfg(feature = "sim")]

#[path = "blocking_pool/rig.rs"]
mod rig;

#[path = "blocking_pool/ends.rs"]
mod ends;
#[path = "blocking_pool/hazards.rs"]
mod hazards;
#[path = "blocking_pool/jobs.rs"]
mod jobs;
#[path = "blocking_pool/streams.rs"]
mod streams;
#[path = "blocking_pool/threads.rs"]
mod threads;
