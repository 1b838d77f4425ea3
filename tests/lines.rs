//! Lines and pieces: what std finds in the whole input, however it comes, and never more than the limit.
#![cfg(feature = "sim")]

#[path = "lines/drive.rs"]
#[macro_use]
mod drive;

#[path = "lines/hazards.rs"]
mod hazards;
#[path = "lines/pieces.rs"]
mod pieces;
#[path = "io/slow.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod slow;
#[path = "lines/streams.rs"]
mod streams;
