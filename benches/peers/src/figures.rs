//! What a run measured: clocks, percentiles, memory, and the line of JSON that says so.

use std::fmt::Write;

/// Names and values, in the order in which they are printed.
#[derive(Debug, Default)]
pub struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    /// With one more figure.
    pub fn with(mut self, name: &'static str, value: f64) -> Figures {
        self.0.push((name, value));
        self
    }

    /// One figure: CPU time per operation.
    pub fn cpu_per_op(cpu: Cpu, count: u64) -> Figures {
        Figures::default().with("cpu_ns", cpu.elapsed_ns() as f64 / count as f64)
    }

    /// With the median and the 99th percentile of samples in nanoseconds.
    pub fn with_percentiles(self, mut samples: Vec<u64>) -> Figures {
        samples.sort_unstable();
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize] as f64;
        let (p50, p99) = (at(0.50), at(0.99));
        self.with("p50_ns", p50).with("p99_ns", p99)
    }

    /// A flat JSON object on one line.
    pub fn to_json(&self) -> String {
        let mut line = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(line, "{comma}\"{name}\":{value:.2}").expect("a string grows");
        }
        line + "}"
    }
}

/// CPU time since a moment: of the whole process, helper threads of a peer included, or of one thread.
///
/// The load of the echo cells is another process, so that it never counts.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    clock: libc::clockid_t,
    start_ns: u64,
}

impl Cpu {
    /// Of every thread of this process, from now on.
    pub fn of_process() -> Cpu {
        Cpu::of(libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// Of the calling thread, from now on.
    pub fn of_thread() -> Cpu {
        Cpu::of(libc::CLOCK_THREAD_CPUTIME_ID)
    }

    fn of(clock: libc::clockid_t) -> Cpu {
        let start_ns = read_ns(clock);
        Cpu { clock, start_ns }
    }

    /// For `of_thread`: to be asked on the same thread.
    pub fn elapsed_ns(&self) -> u64 {
        read_ns(self.clock) - self.start_ns
    }
}

/// CPU time of all children that were waited for, theirs included: from the moment of `fork` on, so also what a
/// child does before it becomes another program.
pub fn children_ns() -> u64 {
    // SAFETY: zeros are a value of it; the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let status = libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        assert_eq!(status, 0, "the question is allowed");
        usage
    };
    let ns = |time: libc::timeval| (time.tv_sec * 1_000_000 + time.tv_usec) as u64 * 1000;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

/// The monotonic clock, the same for every peer, also for the one in C.
pub fn now_ns() -> u64 {
    read_ns(libc::CLOCK_MONOTONIC)
}

fn read_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec that outlives the call.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(status, 0, "the clock exists");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Resident memory of this process in bytes.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = text.split(' ').nth(1).expect("the second is RSS");
    // SAFETY: a question without arguments in memory.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.parse::<u64>().expect("a count") * page as u64
}
