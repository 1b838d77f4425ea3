//! Child processes, at the level of their users, on both backends, and where there is no descriptor of a child.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "process/crowds.rs"]
mod crowds;
#[path = "process/ends.rs"]
mod ends;
#[path = "process/options.rs"]
mod options;
#[path = "process/orphans.rs"]
mod orphans;
#[path = "process/starts.rs"]
mod starts;
#[path = "process/talk.rs"]
mod talk;
