//! The fault plan over every call of the socket layer: each call of a few small programs fails once with each
//! errno that its manual page names, then every time, then goes short; and whatever fails, four things hold.
//!
//! *Model.* A [`Scenario`] is a program whose both ends belong to one loop. It writes into a [`Ledger`] what it
//! means to send and what arrived. A run of it is one [`Case`]: this call, from the nth on, so often, meets
//! this fault. `n` grows until a run makes no nth call any more, and that run must be clean.
//!
//! | what holds | how it is seen |
//! |---|---|
//! | it ends, and does not spin | it has [`LIMIT`] of time, [`WAITS_MAX`] questions to the selector, and fewer than [`FOR_EVER`] calls |
//! | nothing is lost in silence | what arrived is what was sent, to its end, unless an error was told; then its beginning |
//! | the error is the one that was injected | or a consequence of it that [`Scenario::consequences`] names; EINTR is none |
//! | nothing stays | descriptors and tasks are as before |
//!
//! *What it leaves out.* EAGAIN at an edge-triggered selector: the kernel says it only of a queue that is empty
//! or full, and a plan that says it of another loses the edge. The wait itself ends the loop (hz_c28).
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "net_sweep/drive.rs"]
mod drive;
#[path = "net_sweep/errnos.rs"]
mod errnos;
#[path = "net_sweep/ledger.rs"]
mod ledger;
#[path = "net_sweep/scenarios.rs"]
mod scenarios;
