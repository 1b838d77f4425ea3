//! Runs a scenario with each fault at each place, and looks at what comes of it. `tests/net_sweep.rs` says what holds.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mainspring::net::ConnectError;
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::sleep;
use mainspring::{Runtime, yield_to_io};

use crate::errnos;
use crate::ledger::Ledger;
use crate::rig::{On, open_fds, soak};

/// How long a run may take: virtual time, where nothing but the kernel takes part.
const LIMIT: Duration = Duration::from_secs(8);

/// How often a run may ask the selector. A run in which each of 600 bytes travels alone takes some 2000.
const WAITS_MAX: u64 = 6000;

/// How often in a row a call fails that fails "for ever". Who comes so far spins where no selector is asked, and
/// gets out of it by this.
const FOR_EVER: u64 = 20_000;

/// How often in a row a call is interrupted, or meets a connection that died: each is made up for at once, so
/// one that never ends would be a loop inside the call.
const PASSING_MAX: u64 = 20;

/// How the nth call of a kind fares, and those behind it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    scenario: &'static str,
    pub(crate) call: Call,
    first: u64,
    times: u64,
    pub(crate) fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Errno(errno) if self.call == Call::Resolve => format!("code {errno}"),
            Fault::Errno(errno) => io::Error::from_raw_os_error(errno).to_string(),
            Fault::Short(most) => format!("at most {most}"),
        };
        let Case { call, first, .. } = self;
        let times = match self.times {
            FOR_EVER => "for ever".to_string(),
            times => format!("{times} times"),
        };
        let scenario = self.scenario;
        write!(f, "{scenario}: {call:?} from {first} on, {times}: {fault}")
    }
}

/// A program to run, and what is special about it.
pub(crate) struct Scenario<S> {
    pub(crate) name: &'static str,
    pub(crate) program: S,
    /// What holds in each run beside its case.
    pub(crate) base: fn(Plan) -> Plan,
    /// Whether threads take part, for which virtual time would not wait.
    pub(crate) has_threads: bool,
    /// Whether a short count cuts a message, which must be told.
    pub(crate) are_datagrams: bool,
    /// Calls whose failure another way makes up for, so that nobody need hear of it.
    pub(crate) made_up_for: &'static [Call],
    /// Calls that are repeated as long as the system lacks something: then the limit of time may end the run.
    pub(crate) waited_for: &'static [(Call, &'static [i32])],
    /// What an end sees when the other one failed.
    pub(crate) consequences: &'static [ErrorKind],
    /// Errnos that say something else here than that a call failed.
    pub(crate) not_swept: &'static [(Call, i32)],
    /// What is done once before the first run: what opens that which the process keeps.
    pub(crate) warm_up: fn(&Runtime),
    /// What is to be brought in order after a run, before it is looked at what stayed.
    pub(crate) settle: fn(&Runtime, Case),
    /// How many runs there are at least; fewer say that the sweep is broken.
    pub(crate) runs_min: u64,
}

/// A program about which nothing is special, in virtual time.
pub(crate) fn usual<S>(name: &'static str, program: S) -> Scenario<S> {
    Scenario {
        name,
        program,
        base: |plan| plan,
        has_threads: false,
        are_datagrams: false,
        made_up_for: &[],
        waited_for: &[],
        consequences: &[],
        not_swept: &[],
        warm_up: |_| {},
        settle: |_, _| {},
        runs_min: 50,
    }
}

/// How a run came out.
struct Outcome {
    result: io::Result<()>,
    /// How many calls of the case's kind there were.
    calls: u64,
}

/// Everything about a scenario that stays from one run to the next.
struct Sweep<'a, S> {
    on: On,
    runtime: &'a Runtime,
    scenario: &'a Scenario<S>,
    runs: u64,
}

impl<S: AsyncFn(&Ledger) -> io::Result<()>> Scenario<S> {
    /// Runs it with every fault at every place.
    pub(crate) fn sweep(&self, on: On) {
        on.alone(|| {
            let runtime = if self.has_threads {
                on.runtime()
            } else {
                on.sim_runtime_of(Duration::from_millis(1))
            };
            (self.warm_up)(&runtime);
            let mut sweep = Sweep {
                on,
                runtime: &runtime,
                scenario: self,
                runs: 0,
            };
            sweep.run_all();
            let runs = sweep.runs;
            assert!(runs > self.runs_min, "{}: only {runs} runs", self.name);
        });
    }
}

impl<S: AsyncFn(&Ledger) -> io::Result<()>> Sweep<'_, S> {
    fn run_all(&mut self) {
        // The first one opens what the loop, and the process, keep.
        let used = self.calls_of_a_clean_run();
        assert!(used.len() >= 2, "{}: {used:?}", self.scenario.name);
        for call in used {
            for &errno in errnos::of(call) {
                let is_lost =
                    errno == libc::EAGAIN && self.on.is_edge() && !errnos::is_final(call, errno);
                let is_strange = self.scenario.are_datagrams && errnos::is_of_streams(call, errno);
                let is_left_out = self.scenario.not_swept.contains(&(call, errno));
                if !is_lost && !is_strange && !is_left_out {
                    self.run_everywhere(call, Fault::Errno(errno));
                }
            }
            if errnos::can_be_short(call) {
                let shortest = usize::from(!matches!(call, Call::Connect | Call::Resolve));
                for most in shortest..=shortest.max(soak(1, 3)) {
                    self.run_everywhere(call, Fault::Short(most));
                }
            }
        }
    }

    fn calls_of_a_clean_run(&mut self) -> BTreeSet<Call> {
        let nothing = Case {
            scenario: self.scenario.name,
            call: Call::Write,
            first: u64::MAX,
            times: 1,
            fault: Fault::Short(0),
        };
        for _ in 0..2 {
            let outcome = self.run(nothing);
            assert!(outcome.result.is_ok(), "{nothing}: {:?}", outcome.result);
        }
        let is_used = |call: &Call| count_of(*call) > 0;
        errnos::CALLS.iter().copied().filter(is_used).collect()
    }

    /// The first call, the second, and so on until a run makes no such call; then every call.
    fn run_everywhere(&mut self, call: Call, fault: Fault) {
        let scenario = self.scenario.name;
        for first in 1.. {
            let case = Case {
                scenario,
                call,
                first,
                times: 1,
                fault,
            };
            let outcome = self.run(case);
            if outcome.calls < first {
                assert!(outcome.result.is_ok(), "{case}: {:?}", outcome.result);
                break;
            }
            self.judge(case, &outcome);
        }
        let times = match fault {
            // To virtual time an interrupted wait is one in which nothing happened, so it jumps.
            _ if call == Call::Wait => 1,
            Fault::Errno(errno) if errnos::is_passing(call, errno) => PASSING_MAX,
            // To a level-triggered selector that would be a spin of the plan's own making.
            Fault::Errno(libc::EAGAIN) if !errnos::is_final(call, libc::EAGAIN) => PASSING_MAX,
            Fault::Errno(libc::EINTR) => PASSING_MAX,
            _ => FOR_EVER,
        };
        for first in 1..=soak(1, 3) as u64 {
            let case = Case {
                scenario,
                call,
                first,
                times,
                fault,
            };
            let outcome = self.run(case);
            if outcome.calls >= first {
                self.judge(case, &outcome);
            }
        }
    }

    /// One run. What holds whatever failed is asserted here.
    fn run(&mut self, case: Case) -> Outcome {
        self.runs += 1;
        let before = open_fds();
        let ledger = Ledger::default();
        let plan = Plan::new().from(case.call, case.first, case.times, case.fault);
        // Who spins comes to an end by this.
        let plan = (self.scenario.base)(plan).from(
            Call::Wait,
            WAITS_MAX,
            u64::MAX,
            Fault::Errno(libc::EIO),
        );
        let guard = plan.install();
        let ended = self.runtime.block_on(async {
            let result = limited((self.scenario.program)(&ledger)).await;
            // The last ones have heard of their end, and come to it.
            for _ in 0..8 {
                if mainspring::task::all().is_empty() {
                    break;
                }
                yield_to_io().await;
            }
            result
        });
        let calls = count_of(case.call);
        let waits = count_of(Call::Wait);
        drop(guard);
        assert!(calls < FOR_EVER, "{case}: it spins; {calls} calls");
        (self.scenario.settle)(self.runtime, case);
        let is_waited_for = self.is_waited_for(case);
        let result = match ended {
            Ok(Some(result)) => result,
            Ok(None) if is_waited_for || ledger.has_told() => Err(ErrorKind::TimedOut.into()),
            Ok(None) => panic!("{case}: it hangs; {calls} calls, {waits} waits"),
            Err(error) => panic!("{case}: it spins; {calls} calls, {waits} waits: {error}"),
        };
        let tasks = self.runtime.tasks();
        assert!(tasks.is_empty(), "{case}: tasks are left: {tasks:?}");
        assert_eq!(open_fds(), before, "{case}: descriptors");
        ledger.assert_prefixes(&case);
        if result.is_ok() && !ledger.has_told() {
            ledger.assert_whole(&case);
        }
        // What was told first is the cause, and the rest its consequences.
        let result = ledger.take_told().map_or(result, Err);
        Outcome { result, calls }
    }

    /// Whether the right thing was told.
    fn judge(&self, case: Case, outcome: &Outcome) {
        let scenario = self.scenario;
        match (&outcome.result, case.fault) {
            (Ok(()), Fault::Errno(errno)) => {
                let is_made_up_for = errnos::is_passing(case.call, errno)
                    || scenario.made_up_for.contains(&case.call)
                    || self.is_waited_for(case)
                    || errnos::is_harmless(case.call, errno);
                assert!(is_made_up_for, "{case}: nobody was told");
            }
            (Ok(()), Fault::Short(_)) => {}
            (Err(error), Fault::Short(0)) if case.call == Call::Resolve => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{case}: {error}");
            }
            (Err(error), Fault::Short(_)) => {
                let is_cut = scenario.are_datagrams && error.kind() == ErrorKind::InvalidData;
                assert!(is_cut, "{case}: {error}");
            }
            (Err(error), Fault::Errno(errno)) => {
                assert!(!errnos::is_passing(case.call, errno), "{case}: {error}");
                let is_told = errnos::is_code(case.call)
                    || is_this(error, errno)
                    || scenario.consequences.contains(&error.kind())
                    || self.is_waited_for(case) && error.kind() == ErrorKind::TimedOut;
                assert!(is_told, "{case}: {error:?} was told");
            }
        }
    }

    fn is_waited_for(&self, case: Case) -> bool {
        let is_it = |(call, errnos): &(Call, &[i32])| match case.fault {
            Fault::Errno(errno) => *call == case.call && errnos.contains(&errno),
            Fault::Short(_) => false,
        };
        self.scenario.waited_for.iter().any(is_it)
    }
}

/// Whether `error` is the errno, or has it inside, as one of a race's.
fn is_this(error: &io::Error, errno: i32) -> bool {
    let inner = error.get_ref().and_then(|it| it.downcast_ref());
    error.raw_os_error() == Some(errno)
        || inner.is_some_and(|race: &ConnectError| {
            let mut failures = race.failures().iter();
            failures.any(|(_, failure)| failure.raw_os_error() == Some(errno))
        })
        || error.to_string().contains(&text_of(errno))
}

fn text_of(errno: i32) -> String {
    io::Error::from_raw_os_error(errno).to_string()
}

/// `None`, if it is not done in time.
async fn limited<T>(program: impl Future<Output = T>) -> Option<T> {
    let limit = async {
        sleep(LIMIT).await;
        // Virtual time may have jumped while the kernel was still carrying something.
        for _ in 0..300 {
            yield_to_io().await;
            std::thread::yield_now();
        }
    };
    let (mut program, mut limit) = (pin!(program), pin!(limit));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = program.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        limit.as_mut().poll(cx).map(|()| None)
    })
    .await
}
