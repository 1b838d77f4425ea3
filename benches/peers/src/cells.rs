//! What is measured: the list of cells, and which of them ask what of a peer.
//!
//! *Adding a cell.* One function in a file of `cells/`, one line in the `of_…` function whose trait it
//! needs, one line in [`CELLS`].

use crate::figures::Figures;
use crate::peers::{
    Blocks, Channels, Children, Datagrams, Files, Groups, Lines, Locks, Net, Pipes, Signals, Tasks,
    Timers, Workers,
};

pub mod blocking;
pub mod children;
pub mod connections;
pub mod datagrams;
pub mod echo;
pub mod files;
pub mod groups;
pub mod lines;
pub mod ping;
pub mod signals;
pub mod spawn;
pub mod switch;
pub mod timers;
pub mod wakes;
pub mod workers;

/// Runs a cell with a number of operations.
pub type Run = Box<dyn FnOnce(u64) -> Figures>;

/// One row.
pub struct Cell {
    pub name: &'static str,
    pub group: Group,
    /// What one operation is.
    pub about: &'static str,
    /// The figure that is compared; a run may report others.
    pub figure: &'static str,
    pub count: u64,
    /// The bar: our figure over that of the best rival.
    pub target: Option<f64>,
}

/// Cells that are shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Echo,
    Spawn,
    Switch,
    Ping,
    Timers,
    Wakes,
    Idle,
    Blocking,
    Files,
    Children,
    Workers,
    Groups,
}

impl Group {
    /// The letter and the heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Echo => "A. Echo over TCP and UDP",
            Group::Spawn => "B. Spawn and join",
            Group::Switch => "C. Switch between tasks",
            Group::Ping => "D. There and back between two tasks",
            Group::Timers => "E. Timers",
            Group::Wakes => "F. From another thread",
            Group::Idle => "G. Connections that wait",
            Group::Blocking => "H. Work that blocks",
            Group::Groups => "L. Locks and groups",
            Group::Files => "I. Files",
            Group::Children => "J. Children and signals",
            Group::Workers => "K. Several loops",
        }
    }

    /// The name of its picture.
    pub fn file(self) -> &'static str {
        match self {
            Group::Echo => "echo",
            Group::Spawn => "spawn",
            Group::Switch => "switch",
            Group::Ping => "ping",
            Group::Timers => "timers",
            Group::Wakes => "wakes",
            Group::Idle => "idle",
            Group::Blocking => "blocking",
            Group::Groups => "groups",
            Group::Files => "files",
            Group::Children => "children",
            Group::Workers => "workers",
        }
    }
}

const fn cell(
    name: &'static str,
    group: Group,
    about: &'static str,
    figure: &'static str,
    count: u64,
    target: Option<f64>,
) -> Cell {
    Cell {
        name,
        group,
        about,
        figure,
        count,
        target,
    }
}

/// All of them, in the order of the table.
#[rustfmt::skip]
pub const CELLS: &[Cell] = &[
    cell("echo-1", Group::Echo, "64 bytes there and back, 1 connection", "cpu_ns", 20_000, Some(1.0)),
    cell("echo-50", Group::Echo, "the same, 50 connections", "cpu_ns", 100_000, Some(1.0)),
    cell("echo-1000", Group::Echo, "the same, 1000 connections", "cpu_ns", 100_000, Some(1.0)),
    cell("echo-16k", Group::Echo, "16 KiB there and back, 64 connections", "cpu_ns", 64_000, Some(1.0)),
    cell("churn", Group::Echo, "connect, 64 bytes there and back, close, 32 at once", "cpu_ns", 20_000, Some(0.93)),
    cell("lines", Group::Echo, "lines of a socket through a buffered reader", "cpu_ns", 1_000_000, Some(0.70)),
    cell("udp-1", Group::Echo, "datagrams of 64 bytes there and back, 128 under way", "cpu_ns", 100_000, Some(1.0)),
    cell("udp-batch", Group::Echo, "the same, in batches where the peer has them", "cpu_ns", 100_000, Some(0.60)),
    cell("spawn-batch", Group::Spawn, "spawn and join, 1000 at a time", "cpu_ns", 1_000_000, Some(0.55)),
    cell("spawn-all", Group::Spawn, "spawn and join, all at once", "cpu_ns", 1_000_000, Some(1.0)),
    cell("spawn-idle", Group::Spawn, "memory of a task that waits for ever", "bytes", 1_000_000, None),
    cell("yield", Group::Switch, "1000 tasks yield in turn", "cpu_ns", 4_000_000, Some(0.40)),
    cell("yield-wake", Group::Switch, "the same by a bare wake", "cpu_ns", 4_000_000, Some(0.40)),
    cell("ping-bounded", Group::Ping, "over two channels with room for one", "cpu_ns", 1_000_000, Some(0.35)),
    cell("ping-unbounded", Group::Ping, "over two channels without bound", "cpu_ns", 1_000_000, Some(0.45)),
    cell("ping-oneshot", Group::Ping, "over two oneshots, new each time", "cpu_ns", 1_000_000, Some(0.55)),
    cell("timer-cancel", Group::Timers, "a million sleeps, polled once each, then dropped", "cpu_ns", 1_000_000, Some(0.20)),
    cell("timer-roll", Group::Timers, "1000 outstanding, one replaced", "cpu_ns", 2_000_000, Some(0.20)),
    cell("timer-fire", Group::Timers, "100 000 tasks sleep 0 to 1 s", "cpu_ns", 100_000, Some(0.75)),
    cell("timeout-ready", Group::Timers, "a body that is ready", "cpu_ns", 10_000_000, Some(1.0)),
    cell("timeout-pending", Group::Timers, "a body that waits once", "cpu_ns", 1_000_000, Some(0.22)),
    cell("wake-oneway", Group::Wakes, "from the wake to the poll, the loop being asleep", "p50_ns", 10_000, Some(1.0)),
    cell("wake-rtt", Group::Wakes, "the same, and back to the thread that waits", "p50_ns", 10_000, Some(1.0)),
    cell("wake-storm", Group::Wakes, "wakes as fast as a thread can, both threads' CPU", "cpu_ns", 1_000_000, Some(0.80)),
    cell("x-throughput", Group::Wakes, "messages from a thread, both threads' CPU", "cpu_ns", 1_000_000, Some(0.45)),
    cell("idle-conns", Group::Idle, "memory of a connection that waits with a buffer of 512 bytes", "bytes", 9_000, Some(0.80)),
    cell("blocking", Group::Blocking, "a job that does nothing, and back, all threads' CPU", "cpu_ns", 20_000, Some(1.0)),
    cell("blocking-1000", Group::Blocking, "the same, 1000 at a time", "cpu_ns", 200_000, Some(0.80)),
    cell("file-read", Group::Files, "a file of 4 KiB in the page cache, opened and read, all threads' CPU", "cpu_ns", 20_000, Some(0.80)),
    cell("dir-walk", Group::Files, "the lengths of 10 000 files in 100 folders, per file, all threads' CPU", "cpu_ns", 200_000, Some(0.80)),
    cell("spawn-wait", Group::Children, "start the least program and wait for its end, the child's CPU included", "cpu_ns", 2_000, Some(0.90)),
    cell("spawn-wait-1g", Group::Children, "the same with 1 GiB of memory in use", "cpu_ns", 2_000, Some(0.90)),
    cell("spawn-true", Group::Children, "the same with the system's `true`, which is linked dynamically", "cpu_ns", 1_000, None),
    cell("pipe-cat", Group::Children, "64 KiB to a child `cat` and back", "cpu_ns", 16_000, None),
    cell("signal-resume", Group::Children, "from `kill` to the task that awaits the signal, the loop being asleep", "p50_ns", 10_000, None),
    cell("workers-1", Group::Workers, "64 bytes there and back between two tasks of one loop, 32 connections", "cpu_ns", 100_000, None),
    cell("workers-2", Group::Workers, "the same by two loops on two threads, which share the port", "cpu_ns", 100_000, None),
    cell("lock-handoff", Group::Groups, "two tasks take one lock in turn", "cpu_ns", 1_000_000, Some(0.50)),
    cell("children-1000", Group::Groups, "1000 children that wait once, waited for together", "cpu_ns", 1_000_000, Some(0.60)),
];

/// The cell of this name.
pub fn find(name: &str) -> Option<&'static Cell> {
    CELLS.iter().find(|cell| cell.name == name)
}

/// Runs a cell's body as a task: the main future is a special case, and a dear one, for some peers.
fn in_task<P: Tasks>(body: impl Future<Output = Figures> + 'static) -> Figures {
    P::run(async { P::spawn(body).await })
}

/// A cell that is a plain function.
fn run(function: fn(u64) -> Figures) -> Option<Run> {
    Some(Box::new(function))
}

/// Those that only need tasks.
pub fn of_tasks<P: Tasks>(cell: &str) -> Option<Run> {
    run(match cell {
        "spawn-batch" => spawn::batch::<P>,
        "spawn-all" => spawn::all::<P>,
        "spawn-idle" => spawn::idle::<P>,
        "yield" => switch::yields::<P>,
        "yield-wake" => switch::wakes::<P>,
        _ => return None,
    })
}

/// Those that arm timers and do not wait for them.
pub fn of_arming<P: Timers>(cell: &str) -> Option<Run> {
    run(match cell {
        "timer-cancel" => timers::cancel::<P>,
        "timer-roll" => timers::roll::<P>,
        "timeout-ready" => timers::timeout_ready::<P>,
        "timeout-pending" => timers::timeout_pending::<P>,
        _ => return None,
    })
}

/// Those whose timers fire.
pub fn of_firing<P: Timers>(cell: &str) -> Option<Run> {
    run(match cell {
        "timer-fire" => timers::fire::<P>,
        _ => return None,
    })
}

/// Those that wake a task from another thread.
pub fn of_wakes<P: Tasks>(cell: &str) -> Option<Run> {
    run(match cell {
        "wake-oneway" => wakes::one_way::<P>,
        "wake-rtt" => wakes::round_trip::<P>,
        "wake-storm" => wakes::storm::<P>,
        _ => return None,
    })
}

/// Those over channels.
pub fn of_channels<P: Channels>(cell: &str) -> Option<Run> {
    run(match cell {
        "ping-bounded" => ping::bounded::<P>,
        "ping-unbounded" => ping::unbounded::<P>,
        "ping-oneshot" => ping::oneshot::<P>,
        "x-throughput" => ping::throughput::<P>,
        _ => return None,
    })
}

/// Those of the pool.
pub fn of_blocking<P: Blocks>(cell: &str) -> Option<Run> {
    run(match cell {
        "blocking" => blocking::one_at_a_time::<P>,
        "blocking-1000" => blocking::batch::<P>,
        _ => return None,
    })
}

/// Those of locks.
pub fn of_locks<P: Locks>(cell: &str) -> Option<Run> {
    run(match cell {
        "lock-handoff" => groups::lock_handoff::<P>,
        _ => return None,
    })
}

/// Those of groups of tasks.
pub fn of_groups<P: Groups>(cell: &str) -> Option<Run> {
    run(match cell {
        "children-1000" => groups::children::<P>,
        _ => return None,
    })
}

/// Those of files.
pub fn of_files<P: Files>(cell: &str) -> Option<Run> {
    run(match cell {
        "file-read" => files::read::<P>,
        "dir-walk" => files::walk::<P>,
        _ => return None,
    })
}

/// Those of children that only run.
pub fn of_children<P: Children>(cell: &str) -> Option<Run> {
    run(match cell {
        "spawn-wait" => children::spawn_wait::<P>,
        "spawn-true" => children::spawn_true::<P>,
        "spawn-wait-1g" => children::spawn_wait_beside_1_gib::<P>,
        _ => return None,
    })
}

/// Those of children that are talked to.
pub fn of_pipes<P: Pipes>(cell: &str) -> Option<Run> {
    run(match cell {
        "pipe-cat" => children::cat::<P>,
        _ => return None,
    })
}

/// Those of signals.
pub fn of_signals<P: Signals>(cell: &str) -> Option<Run> {
    run(match cell {
        "signal-resume" => signals::resume::<P>,
        _ => return None,
    })
}

/// Those of several loops.
pub fn of_workers<P: Workers>(cell: &str) -> Option<Run> {
    run(match cell {
        "workers-1" => workers::one::<P>,
        "workers-2" => workers::two::<P>,
        _ => return None,
    })
}

/// Those over the network.
pub fn of_net<P: Net>(cell: &str) -> Option<Run> {
    if let Some(load) = echo::Load::of(cell) {
        return Some(Box::new(move |count| echo::echo::<P>(load, count)));
    }
    run(match cell {
        "churn" => connections::churn::<P>,
        "idle-conns" => connections::crowd::<P>,
        _ => return None,
    })
}

/// Those over datagrams.
pub fn of_datagrams<P: Datagrams>(cell: &str) -> Option<Run> {
    run(match cell {
        "udp-1" => datagrams::single::<P>,
        "udp-batch" => datagrams::batch::<P>,
        _ => return None,
    })
}

/// Those of buffered readers.
pub fn of_lines<P: Lines>(cell: &str) -> Option<Run> {
    run(match cell {
        "lines" => lines::lines::<P>,
        _ => return None,
    })
}
