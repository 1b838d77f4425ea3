//! Lines out of a socket, through a buffered reader.

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::load;
use crate::peers::Lines;

/// Reads `count` lines, one at a time.
pub fn lines<P: Lines>(count: u64) -> Figures {
    let listener = load::listen();
    let client = load::start_as("lines", load::port_of(&listener), &[count]);
    let figures = in_task::<P>(async move {
        let listener = P::listener(listener);
        let stream = P::accept(&listener).await;
        let cpu = Cpu::of_process();
        let read = P::count_lines(stream).await;
        assert_eq!(read, count, "all lines have come");
        Figures::cpu_per_op(cpu, count)
    });
    client.finish();
    figures
}
