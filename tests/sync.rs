//! The primitives of one thread: order, models, hazards, and what a report says of who waits.
#![cfg(feature = "sim")]

#[path = "sync/rig.rs"]
mod rig;

#[path = "sync/model_locks.rs"]
mod model_locks;
