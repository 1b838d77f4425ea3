//! The methods of readers, writers and seekers: on memory that is slow, wrong or broken, and on sockets.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "io/buffers.rs"]
mod buffers;
#[path = "io/inspect.rs"]
mod inspect;
#[path = "io/read.rs"]
mod read;
#[path = "io/slow.rs"]
mod slow;
#[path = "io/sockets.rs"]
mod sockets;
#[path = "io/write.rs"]
mod write;
