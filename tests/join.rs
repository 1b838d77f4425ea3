//! Joining: orders, polls and drops of everything in `mainspring::task` that awaits several; and the queue of delays.
//!
//! `tests/cancel/join.rs` drops each of them at each of its waits.
#![cfg(feature = "sim")]

#[path = "join/all.rs"]
mod all;
#[path = "join/delay_queue.rs"]
mod delay_queue;
#[path = "join/handles.rs"]
mod handles;
#[path = "join/hazards.rs"]
mod hazards;
#[path = "join/macros.rs"]
mod macros;
#[path = "join/models.rs"]
mod models;
#[path = "join/proof.rs"]
mod proof;
#[path = "join/rig.rs"]
mod rig;
#[path = "join/select.rs"]
mod select;
#[path = "join/set.rs"]
mod set;
