//! The kernel, made small: selectors, notifiers, clocks and sockets for the `mainspring` loop.
//!
//! *Role.* All system calls of mainspring live here, and EINTR is decided here, call by call. This
//! crate knows no futures and no wakers; `mainspring` above it names no operating system.
//!
//! *Map.* [`event`] is the vocabulary and [`backend`] the contract of a selector; [`selector`] picks
//! the target's own backend; [`notify`] wakes a waiting selector; [`clock`] reads the time, [`clock_watch`] tells when it jumps; [`fd`]
//! owns a descriptor; [`socket`] makes and drives sockets; [`mod@pipe`] pipes and FIFOs; [`child`] starts programs; [`signal`]
//! hears signals; [`terminal`] has terminals, [`stdio`] standard streams; [`sendfile`] and [`splice`] move bytes past us;
//! [`resolve`] looks names up; [`mod@file`] reads a small file; [`watch`] tells what happens to files; [`thread`] starts a thread,
//! [`affinity`] holds it on a processor; [`mod@fork`] notices forks; [`bytes`] searches bytes; [`fault`] makes any
//! of it fail on demand.

pub mod affinity;
pub mod backend;
pub mod bytes;
pub mod child;
pub mod clock;
pub mod clock_watch;
pub mod event;
pub mod fault;
pub mod fd;
pub mod file;
pub mod fork;
mod kqueue;
pub mod notify;
pub mod pipe;
pub mod resolve;
pub mod selector;
pub mod sendfile;
pub mod signal;
mod sigpipe;
pub mod socket;
pub mod splice;
pub mod stdio;
#[cfg(all(mainspring_storm, target_os = "linux"))]
mod storm;
pub mod terminal;
pub mod thread;
pub mod watch;

pub use clock::{BootTime, Clock, Instant, WallTime};
pub use event::{Event, Events, Interest, Ready, Token};
pub use fd::Fd;
pub use selector::{BackendKind, Selector};
