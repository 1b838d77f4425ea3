//! Children: started and waited for, and talked to.
//!
//! *What counts.* A child that was made and is not yet another program does the parent's work, and whoever does more there
//! does less here; so `cpu_ns` is the CPU time of the parent and of the children it waited for. `own_ns` is the parent's
//! alone. The program is the least there is (`children/true.c`): the system's `true` takes ten times as long as all
//! the rest, in its linker and C library, and hides it. `cat` is a load, as the clients of the echo cells are, and
//! does not count.

use std::hint::black_box;
use std::path::PathBuf;

use super::in_task;
use crate::figures::{Cpu, Figures, children_ns, now_ns};
use crate::peers::{Children, Pipes};

/// The system's, by its path, so that how long PATH is does not matter.
const TRUE: &str = "/bin/true";
/// How many are started before the count begins.
const WARM_UP: u64 = 20;
const GIB: usize = 1 << 30;
/// What a task writes, and another reads, at once.
const BLOCK_LEN: usize = 64 * 1024;

/// One child after the other.
pub fn spawn_wait<P: Children>(count: u64) -> Figures {
    match least_true() {
        Some(path) => run::<P>(path, count),
        None => run::<P>(PathBuf::from(TRUE), count),
    }
}

/// The same with the system's program.
pub fn spawn_true<P: Children>(count: u64) -> Figures {
    run::<P>(PathBuf::from(TRUE), count)
}

/// What `run.sh` has built, next to this program.
fn least_true() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("least-true");
    path.is_file().then_some(path)
}

fn run<P: Children>(program: PathBuf, count: u64) -> Figures {
    in_task::<P>(async move {
        for _ in 0..WARM_UP {
            P::run_program(&program).await;
        }
        let (cpu, children) = (Cpu::of_process(), children_ns());
        for _ in 0..count {
            P::run_program(&program).await;
        }
        let own = cpu.elapsed_ns();
        let all = own + children_ns() - children;
        Figures::default()
            .with("cpu_ns", all as f64 / count as f64)
            .with("own_ns", own as f64 / count as f64)
    })
}

/// The same, with so much memory that a copy of its page tables would show.
pub fn spawn_wait_beside_1_gib<P: Children>(count: u64) -> Figures {
    let memory = vec![7u8; GIB];
    let figures = spawn_wait::<P>(count);
    black_box(memory);
    figures
}

/// So many blocks through `cat`.
pub fn cat<P: Pipes>(count: u64) -> Figures {
    in_task::<P>(async move {
        let block = vec![7; BLOCK_LEN];
        P::through_cat(block.clone(), 16).await;
        let (cpu, start_ns) = (Cpu::of_process(), now_ns());
        let bytes = P::through_cat(block, count).await;
        assert_eq!(bytes, count * BLOCK_LEN as u64, "all came back");
        let wall_ns = now_ns() - start_ns;
        Figures::cpu_per_op(cpu, count).with("wall_ns", wall_ns as f64 / count as f64)
    })
}
