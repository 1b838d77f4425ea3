//! The scripted backend: reports what a test wrote down, or what a real selector says, perturbed.
//!
//! *Role.* Tests of the loop use it to put an event exactly between two steps, to make `wait` fail,
//! and to lie as far as clauses B6 and B9 allow. Feature `sim` only.
//!
//! *Model.* A [`Script`] is a handle that the test keeps; the backend holds the other one. Each
//! `wait` takes one [`Step`] off the front; the backend looks at no descriptor at all.
//!
//! ```text
//!   step there?  ── yes ─► do it: report, fail, or return empty
//!        │ no
//!        ├─ Scripted::over ─► ask the selector below, perturb its answer
//!        └─ Scripted::with ─► empty; but if the wait is endless and nobody notifies within the
//!                             script's patience (zero by default): TimedOut, so no test hangs
//! ```
//!
//! *Perturbation* ([`Script::perturb`]), all of it from one seed. Every wait may report directions
//! that are not ready, on tokens that are registered (hz_c08). Over a real selector it also shuffles
//! the batch, splits reports in two, holds some back until the next wait (which then does not
//! sleep), and returns early. It drops nothing, and holds back nothing of what was removed (B8).
//!
//! *What it keeps of the contract.* B8, B10 and B11's table; B2 to B5 are the script's to keep or to
//! break. [`Selector::forgets_on_close`] is false here, so each descriptor is removed by name.
//!
//! *Cost.* Allocates, and keeps a log of every call: for tests only.

mod random;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Selector, check_add, drain_notifier, receiving_fd};
use crate::backend::{Backend, Deadline, Triggering};
use crate::event::{Event, Events, Interest, Ready, Token};
use crate::fault::{self, Call};
use crate::notify::{Mechanism, Notifier, pipe::Pipe};
use random::Random;

/// Whom a scripted report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The registration of this descriptor number.
    Fd(RawFd),
    /// This very token, registered or not: so a stale report can be made (hz_c09).
    Token(Token),
}

impl From<BorrowedFd<'_>> for Target {
    fn from(fd: BorrowedFd<'_>) -> Target {
        Target::Fd(fd.as_raw_fd())
    }
}

impl From<Token> for Target {
    fn from(token: Token) -> Target {
        Target::Token(token)
    }
}

/// What one `wait` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reports these, in this order. What exceeds the batch comes in the next `wait`.
    Report(Vec<(Target, Ready)>),
    /// Fails with this errno; EINTR is an empty return (B9).
    Error(i32),
    /// Returns empty, as after a signal or a spurious notification.
    Nothing,
}

/// A call that the backend received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the arguments of the calls")]
pub enum Received {
    /// `add`, also one that was refused.
    Add {
        fd: RawFd,
        token: Token,
        interest: Interest,
    },
    /// `rearm`, likewise.
    Rearm {
        fd: RawFd,
        token: Token,
        interest: Interest,
    },
    /// `remove`, likewise.
    Remove { fd: RawFd, token: Token },
    /// `wait`.
    Wait { deadline: Deadline },
}

/// The test's handle on a scripted backend. Clones are the same script.
#[derive(Clone, Debug, Default)]
pub struct Script(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    received: Vec<Received>,
    registered: Vec<Registration>,
    patience: Duration,
    random: Option<Random>,
    is_level: bool,
}

#[derive(Clone, Copy, Debug)]
struct Registration {
    fd: RawFd,
    token: Token,
    interest: Interest,
}

impl Script {
    /// An empty script.
    #[must_use]
    pub fn new() -> Script {
        Script::default()
    }

    /// Appends a step.
    pub fn then(&self, step: Step) -> &Script {
        self.0.borrow_mut().steps.push_back(step);
        self
    }

    /// Appends a step that reports `target` ready for `ready`.
    pub fn then_report(&self, target: impl Into<Target>, ready: Ready) -> &Script {
        self.then(Step::Report(vec![(target.into(), ready)]))
    }

    /// From now on every wait is perturbed, by `seed`; see the file's header.
    pub fn perturb(&self, seed: u64) -> &Script {
        self.0.borrow_mut().random = Some(Random::new(seed));
        self
    }

    /// How long an endless wait of an exhausted script waits for a notification before it fails.
    /// Only a test whose other *thread* notifies needs more than zero.
    pub fn set_patience(&self, patience: Duration) -> &Script {
        self.0.borrow_mut().patience = patience;
        self
    }

    /// What [`Selector::triggering`] says; a script without a selector below is edge-triggered
    /// unless told otherwise.
    pub fn set_triggering(&self, triggering: Triggering) -> &Script {
        self.0.borrow_mut().is_level = triggering == Triggering::Level;
        self
    }

    /// How many steps are left.
    #[must_use]
    pub fn steps_left(&self) -> usize {
        self.0.borrow().steps.len()
    }

    /// The calls received since the last time, oldest first.
    #[must_use]
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.borrow_mut().received)
    }

    /// The token and the interest under which `fd` is registered.
    #[must_use]
    pub fn registration(&self, fd: BorrowedFd<'_>) -> Option<(Token, Interest)> {
        self.0
            .borrow()
            .find(fd.as_raw_fd())
            .map(|found| (found.token, found.interest))
    }
}

impl State {
    fn find(&self, fd: RawFd) -> Option<Registration> {
        self.registered
            .iter()
            .copied()
            .find(|registration| registration.fd == fd)
    }

    fn token_of(&self, target: Target) -> Token {
        match target {
            Target::Token(token) => token,
            Target::Fd(fd) => match self.find(fd) {
                Some(registration) => registration.token,
                None => panic!("the script reports descriptor {fd}, which is not registered"),
            },
        }
    }

    /// Readiness that nobody has: some directions, and rarely a hint, on some of the tokens.
    fn spurious(&mut self) -> Vec<Event> {
        let Some(random) = &mut self.random else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for registration in &self.registered {
            let armed = Interest::from_bits_retain(random.below(8) as u8) & registration.interest;
            let mut ready = Ready::empty().with_armed(armed);
            if random.one_in(8) {
                ready |= Ready::from_bits_retain(8 << random.below(3));
            }
            if !ready.is_empty() {
                events.push(Event {
                    token: registration.token,
                    ready,
                });
            }
        }
        random.shuffle(&mut events);
        events
    }
}

/// The backend; see the file's header.
#[derive(Debug)]
pub struct Scripted {
    script: Script,
    below: Below,
    /// What was held back, or did not fit.
    pending: VecDeque<Event>,
}

#[derive(Debug)]
enum Below {
    /// Nothing: the script is all there is, and this notifier, a pipe.
    Nothing(Notifier),
    Selector {
        selector: Box<Selector>,
        events: Events,
    },
}

impl Scripted {
    /// A backend that follows `script` and looks at nothing else.
    ///
    /// # Errors
    /// As [`Backend::new`]: the notifier is a real one.
    pub fn with(script: &Script) -> io::Result<Scripted> {
        let notifier = Notifier::new(Mechanism::Pipe(Pipe::new()?));
        let below = Below::Nothing(notifier);
        Ok(Scripted {
            script: script.clone(),
            below,
            pending: VecDeque::new(),
        })
    }

    /// A backend that follows `script` while it lasts, and then `selector`, perturbed if the script
    /// says so.
    #[must_use]
    pub fn over(selector: Selector, script: &Script) -> Scripted {
        let below = Below::Selector {
            selector: Box::new(selector),
            events: Events::with_capacity(1),
        };
        Scripted {
            script: script.clone(),
            below,
            pending: VecDeque::new(),
        }
    }

    /// What the selector below says, or what [`Script::set_triggering`] was told.
    #[must_use]
    pub fn triggering(&self) -> Triggering {
        match &self.below {
            Below::Selector { selector, .. } => selector.triggering(),
            Below::Nothing(_) if self.script.0.borrow().is_level => Triggering::Level,
            Below::Nothing(_) => Triggering::Edge,
        }
    }

    /// Never: the table of what is registered would go stale.
    #[must_use]
    pub fn forgets_on_close(&self) -> bool {
        false
    }

    fn receive(&self, call: Received) {
        self.script.0.borrow_mut().received.push(call);
    }

    /// Does what `step` says.
    fn follow(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Nothing | Step::Error(libc::EINTR) => Ok(()),
            Step::Error(errno) => Err(io::Error::from_raw_os_error(errno)),
            Step::Report(reports) => {
                let state = self.script.0.borrow();
                for (target, ready) in reports {
                    self.pending.push_back(Event {
                        token: state.token_of(target),
                        ready,
                    });
                }
                Ok(())
            }
        }
    }

    /// Asks what is below the script, whose steps are used up.
    fn ask_below(&mut self, capacity: usize, deadline: Deadline) -> io::Result<()> {
        let Scripted {
            script,
            below,
            pending,
        } = self;
        match below {
            Below::Nothing(notifier) => {
                fault::check(Call::Wait, capacity)?;
                let state = script.0.borrow();
                let is_endless = deadline == Deadline::Never && pending.is_empty();
                let patience = if is_endless {
                    state.patience
                } else {
                    Duration::ZERO
                };
                if !swallow(notifier, patience)? && is_endless {
                    let message = "the script is exhausted and the wait would be for ever";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Ok(())
            }
            Below::Selector { selector, events } => {
                if events.capacity() != capacity {
                    *events = Events::with_capacity(capacity);
                }
                let mut state = script.0.borrow_mut();
                let is_early = state.random.as_mut().is_some_and(|random| random.one_in(8));
                let is_waiting = pending.is_empty() && !is_early;
                selector.wait(events, if is_waiting { deadline } else { Deadline::Now })?;
                match &mut state.random {
                    None => pending.extend(events.iter()),
                    Some(random) => pending.extend(random.tear(events)),
                }
                Ok(())
            }
        }
    }
}

impl Backend for Scripted {
    const NAME: &'static str = "scripted";
    const TRIGGERING: Triggering = Triggering::Edge;
    const FORGETS_ON_CLOSE: bool = false;
    const IS_INHERITED: bool = true;

    /// A backend with an empty script that nobody holds.
    fn new() -> io::Result<Scripted> {
        Scripted::with(&Script::new())
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd();
        self.receive(Received::Add {
            fd: number,
            token,
            interest,
        });
        check_add(token, interest)?;
        match &mut self.below {
            Below::Selector { selector, .. } => selector.add(fd, token, interest)?,
            Below::Nothing(_) => {
                fault::check(Call::Control, 0)?;
                if self.script.0.borrow().find(number).is_some() {
                    return Err(Errno::EXIST.into());
                }
            }
        }
        let mut state = self.script.0.borrow_mut();
        state
            .registered
            .retain(|registration| registration.fd != number);
        state.registered.push(Registration {
            fd: number,
            token,
            interest,
        });
        Ok(())
    }

    fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd();
        self.receive(Received::Rearm {
            fd: number,
            token,
            interest,
        });
        if let Below::Selector { selector, .. } = &mut self.below {
            selector.rearm(fd, token, interest)?;
        }
        let mut state = self.script.0.borrow_mut();
        let mut registered = state.registered.iter_mut();
        let found = registered.find(|registration| registration.fd == number);
        let registration = found.ok_or(Errno::NOENT)?;
        registration.token = token;
        registration.interest |= interest;
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let number = fd.as_raw_fd();
        self.receive(Received::Remove { fd: number, token });
        match &mut self.below {
            Below::Selector { selector, .. } => selector.remove(fd, token)?,
            Below::Nothing(_) => drop(fault::check(Call::Control, 0)?),
        }
        let mut state = self.script.0.borrow_mut();
        let registration = state.find(number).ok_or(Errno::NOENT)?;
        state
            .registered
            .retain(|registration| registration.fd != number);
        self.pending
            .retain(|event| event.token != registration.token);
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
        events.clear();
        self.receive(Received::Wait { deadline });
        let step = self.script.0.borrow_mut().steps.pop_front();
        let answer = match step {
            Some(step) => self.follow(step),
            None => self.ask_below(events.capacity(), deadline),
        };
        match answer {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            answer => answer?,
        }
        let mut state = self.script.0.borrow_mut();
        let is_over = matches!(self.below, Below::Selector { .. });
        while let Some(event) = self.pending.pop_front() {
            let random = state.random.as_mut();
            let is_held_back = is_over && random.is_some_and(|random| random.one_in(4));
            if is_held_back || !events.push(event) {
                self.pending.push_front(event);
                break;
            }
        }
        for event in state.spurious() {
            // What does not fit is not owed to anybody.
            let _ = events.push(event);
        }
        Ok(())
    }

    fn notifier(&self) -> Notifier {
        match &self.below {
            Below::Nothing(notifier) => notifier.clone(),
            Below::Selector { selector, .. } => selector.notifier(),
        }
    }

    /// That of the selector below. A script has none, as poll has none.
    fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.below {
            Below::Nothing(_) => None,
            Below::Selector { selector, .. } => selector.selector_fd(),
        }
    }

    fn submit(&mut self) -> io::Result<()> {
        match &mut self.below {
            Below::Nothing(_) => Ok(()),
            Below::Selector { selector, .. } => selector.submit(),
        }
    }

    fn after_fork(&mut self) -> io::Result<()> {
        match &mut self.below {
            Below::Nothing(notifier) => notifier.after_fork()?,
            Below::Selector { selector, .. } => selector.after_fork()?,
        }
        self.script.0.borrow_mut().registered.clear();
        self.pending.clear();
        Ok(())
    }
}

/// Takes a notification that comes within `patience`; whether there was one.
fn swallow(notifier: &Notifier, patience: Duration) -> io::Result<bool> {
    let timeout = Timespec {
        tv_sec: patience.as_secs() as _,
        tv_nsec: patience.subsec_nanos() as _,
    };
    let fd = receiving_fd(notifier).ok_or(io::ErrorKind::Unsupported)?;
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let is_notified = poll(&mut fds, Some(&timeout))? > 0;
    if is_notified {
        drain_notifier(notifier);
    }
    Ok(is_notified)
}

#[cfg(test)]
mod tests;
