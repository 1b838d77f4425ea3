//! `Signal`: a signal by its number.

use std::fmt;
use std::io;

/// A signal. Which numbers exist, and what they are called, differs between systems; a number that is none is refused
/// where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

macro_rules! signals {
    ($($(#[doc = $doc:literal])* $name:ident = $number:ident,)*) => {
        impl Signal {
            $($(#[doc = $doc])* pub const $name: Signal = Signal(libc::$number);)*
        }

        const NAMES: &[(i32, &str)] = &[$((libc::$number, stringify!($number)),)*];
    };
}

signals! {
    /// The terminal is gone; by custom: read your configuration again.
    HUP = SIGHUP,
    /// ^C.
    INT = SIGINT,
    /// ^\.
    QUIT = SIGQUIT,
    /// An instruction that is none.
    ILL = SIGILL,
    /// A breakpoint.
    TRAP = SIGTRAP,
    /// `abort`.
    ABRT = SIGABRT,
    /// A fault of the memory bus.
    BUS = SIGBUS,
    /// Arithmetic that has no result.
    FPE = SIGFPE,
    /// The end, which nobody can refuse.
    KILL = SIGKILL,
    /// The program's own.
    USR1 = SIGUSR1,
    /// A fault of memory.
    SEGV = SIGSEGV,
    /// The program's own.
    USR2 = SIGUSR2,
    /// A write that nobody will read.
    PIPE = SIGPIPE,
    /// A timer of `alarm` or `setitimer`.
    ALRM = SIGALRM,
    /// Please end.
    TERM = SIGTERM,
    /// A child has ended, or stopped.
    CHLD = SIGCHLD,
    /// Go on.
    CONT = SIGCONT,
    /// Stop, which nobody can refuse.
    STOP = SIGSTOP,
    /// ^Z.
    TSTP = SIGTSTP,
    /// A read from the terminal, in the background.
    TTIN = SIGTTIN,
    /// A write to the terminal, in the background.
    TTOU = SIGTTOU,
    /// Urgent data on a socket.
    URG = SIGURG,
    /// Too much time on the processor.
    XCPU = SIGXCPU,
    /// Too large a file.
    XFSZ = SIGXFSZ,
    /// A timer of the time on the processor.
    VTALRM = SIGVTALRM,
    /// A timer of the profiler.
    PROF = SIGPROF,
    /// The size of the terminal has changed.
    WINCH = SIGWINCH,
    /// A descriptor is ready, for who asked to be told so.
    IO = SIGIO,
    /// A system call that is none.
    SYS = SIGSYS,
}

impl Signal {
    /// The signal with this number.
    #[must_use]
    pub const fn from_number(number: i32) -> Signal {
        Signal(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// `SIGTERM`, say; `None` for a real-time signal, and for what is none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let found = NAMES.iter().find(|(number, _)| *number == self.0);
        found.map(|(_, name)| *name)
    }

    /// The signal that is called so, `SIGTERM` or `TERM`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Signal> {
        let found = NAMES.iter().find(|(_, known)| {
            name.eq_ignore_ascii_case(known) || name.eq_ignore_ascii_case(&known[3..])
        });
        found.map(|(number, _)| Signal(*number))
    }

    /// Whether a handler for it is allowed here.
    ///
    /// # Errors
    /// `InvalidInput`, with the reason: nobody can catch KILL and STOP; a fault of the program itself (SEGV, BUS, ILL, FPE) must
    /// not return from its handler; a number that is no signal, or one above 64.
    pub fn check_can_be_caught(self) -> io::Result<()> {
        let reason = match self.0 {
            libc::SIGKILL | libc::SIGSTOP => "no program can catch it",
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
                "it says that this program went wrong, and would come again at once"
            }
            number if !(1..=super::handler::NUMBER_MAX).contains(&number) => {
                "its number is not between 1 and 64"
            }
            _ => return Ok(()),
        };
        let text = format!("{self} cannot be listened to: {reason}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Whether it says that the program went wrong.
    pub(crate) fn is_failure(self) -> bool {
        matches!(
            self.0,
            libc::SIGSEGV
                | libc::SIGBUS
                | libc::SIGILL
                | libc::SIGFPE
                | libc::SIGTRAP
                | libc::SIGSYS
                | libc::SIGABRT
        )
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}
