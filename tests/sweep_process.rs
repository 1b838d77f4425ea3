//! The fault plan over every call of children, signals, pipes and FIFOs: as `tests/net_sweep.rs` does it for sockets, with the
//! same driver; here no child stays either, and no handler of a signal.
//!
//! *What it leaves out.* What fails in the child, between its start and its exec: no plan reaches it, so
//! `tests/process/starts.rs` and `options.rs` make it fail in earnest. Files: their calls are made by threads of the pool,
//! each of which has a plan of its own (`tests/fs/faults.rs`).
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "net_sweep/drive.rs"]
mod drive;
#[path = "sweep_process/errnos.rs"]
mod errnos;
#[path = "net_sweep/ledger.rs"]
mod ledger;
#[path = "sweep_process/scenarios.rs"]
mod scenarios;
