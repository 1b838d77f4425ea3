//! Buffered writers: the marks, pieces that are taken as a whole, errors, and what a drop says.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "buf_writer/dropped.rs"]
mod dropped;
#[path = "buf_writer/gate.rs"]
mod gate;
#[path = "buf_writer/marks.rs"]
mod marks;
#[path = "io/slow.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod slow;
#[path = "buf_writer/sockets.rs"]
mod sockets;
