//! Child processes: started, fed, listened to, signalled, waited for.
//!
//! *Role.* [`Command`] says what is to be started and how; [`Child`] is what was; [`Pipeline`] joins several.
//!
//! *Model.* How a child ends, and when its pipes do, are two things: a grandchild may keep a pipe open for years.
//! [`Child::wait`] tells of the end alone, [`Child::communicate`] of both, with a limit for what comes after the end.
//!
//! ```text
//!   Command ── spawn ──► Child ─┬─ stdin, stdout, stderr ─► pipes
//!                               ├─ wait, try_wait ────────► ExitStatus
//!                               ├─ signal, terminate, kill, stop
//!                               └─ dropped ─► goes on; is waited for all the same, so no zombie stays
//! ```
//!
//! *Whose children.* Only children that were started here are ever waited for; those of others are left alone. A signal goes
//! out only while the child has not been waited for: then its number is still its own.
//!
//! *Groups.* What a shell has started is not our child, and a signal to the shell does not reach it. A program that leads a group
//! ([`Command::process_group`] with 0) has it in there, as far as it stays: [`Child::signal_group`] and [`Child::stop_group`]
//! reach all of the group, and [`Command::kill_group_at_end`] lets nothing of it outlive the program.
//!
//! *Orphans.* Other processes become children of this one only if it asks for that: [`become_subreaper`], [`try_wait_orphan`].
//!
//! *Cost.* A start is one `clone` that copies no page tables, however large this process is; it blocks the loop until
//! the program is loaded. With its end that is 0.08 ms of CPU time for the least program, the child's included (cell
//! spawn-wait of `docs/performance.md`). An end is one event and one `wait4`. No thread.

mod child;
mod command;
mod communicate;
mod options;
mod pipeline;
mod reaper;
mod stdio;
mod stop;

pub use child::{Child, Wait};
pub use command::Command;
pub use communicate::{Communicate, Output};
pub use mainspring_sys::child::{Limit, Usage};
pub use mainspring_sys::signal::Signal;
pub use pipeline::{Pipeline, PipelineOutput};
pub use reaper::{Orphan, become_subreaper, try_wait_orphan};
pub use std::process::ExitStatus;
pub use stdio::Stdio;
pub use stop::Stop;
