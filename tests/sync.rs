//! The primitives of one thread: order, models, hazards, and what a report says of who waits.
#![cfg(feature = "sim")]

#[path = "sync/rig.rs"]
mod rig;

#[path = "sync/bounds.rs"]
mod bounds;
#[path = "sync/each.rs"]
mod each;
#[path = "sync/forgotten.rs"]
mod forgotten;
#[path = "sync/model_locks.rs"]
mod model_locks;
#[path = "sync/model_signals.rs"]
mod model_signals;
#[path = "sync/order.rs"]
mod order;
#[path = "sync/seen.rs"]
mod seen;
#[path = "sync/strangers.rs"]
mod strangers;
