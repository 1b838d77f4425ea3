//! The fault plan: which system call fails, the how-manieth time, and how; and how often each ran.
//!
//! *Role.* Every function of this crate that enters the kernel asks `intercept` first. Without
//! feature `sim` that is a constant `None`, and the question compiles to nothing. With it, a test
//! lays down a [`Plan`] for its own thread, and reads the counts afterwards.
//!
//! *Model.* A plan is a list of rules *(call, nth, fault)*. `nth` counts from 1, from the moment the
//! plan was installed. A fault is an errno instead of the call, or a shorter length for it. Besides, a plan may have something done before
//! each call, as another process may do it.
//!
//! *Why in front of the system call and not around it.* A call that must fail must not happen: an
//! injected EAGAIN after a real `recv` would have eaten the bytes.

/// The kinds of system call that a plan can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Call {
    /// `epoll_create`, `kqueue`, `eventfd`, `pipe`: a selector's object, or its notifier's.
    Open,
    /// `epoll_wait`, `epoll_pwait2`, `kevent` with room for events, `poll`, `ppoll`.
    Wait,
    /// `epoll_ctl`, `kevent` with changes alone. poll(2) has none.
    Control,
    /// The write, or the trigger, that wakes a selector.
    Notify,
    /// `clock_gettime`.
    ClockGet,
    /// `timerfd_create`, of what tells that a clock was set. With an error, whoever waits for such a clock looks at it
    /// now and then.
    ClockWatch,
    /// `socket`, `socketpair`.
    Socket,
    /// `accept`, `accept4`.
    Accept,
    /// `connect`.
    Connect,
    /// `bind`.
    Bind,
    /// `listen`.
    Listen,
    /// `lstat`, `chmod`, `unlink` of the file that a Unix socket is bound to.
    SocketFile,
    /// `recv`, `recvfrom`.
    Recv,
    /// `send`, `sendto`.
    Send,
    /// `recvmsg`.
    RecvMsg,
    /// `sendmsg` with control messages: descriptors, say.
    SendMsg,
    /// `recvmmsg`: a batch of datagrams. With `Short`, so many of them at most.
    RecvMany,
    /// `sendmmsg`; as for `RecvMany`.
    SendMany,
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `sendfile`.
    Sendfile,
    /// `splice`.
    Splice,
    /// `shutdown`.
    Shutdown,
    /// `getsockopt`, `setsockopt`.
    SocketOption,
    /// `open`, of the descriptor that a listener holds back.
    OpenReserve,
    /// A thread of the pool, or of a worker, which `clone` makes.
    ThreadStart,
    /// `sched_setaffinity` and its like.
    Affinity,
    /// `getaddrinfo`, `getnameinfo`, `if_nametoindex`. For the first two an errno stands for a code, EAI_AGAIN
    /// for example; EAI_SYSTEM comes with EMFILE. With at most 0 bytes the list is empty.
    Resolve,
    /// `pipe`, `pipe2`, of a pipe that is not a selector's own.
    Pipe,
    /// `fcntl`, of what is to block, or not to, though it was made otherwise.
    Flags,
    /// `open` of a file, a FIFO, a terminal.
    OpenFile,
    /// What makes, removes or changes a name in a folder: `mkfifo`, `mkdir`, `unlink`, `rename`.
    FileName,
    /// `clone`, `fork`: the start of a child. `Pipe` and `OpenFile` come before it, where it needs them.
    Spawn,
    /// What makes a pidfd. With an error, a child is watched without one.
    PidfdOpen,
    /// `wait4`.
    WaitChild,
    /// `kill`, `pidfd_send_signal`.
    Kill,
    /// `sigaction`, and what a loop is rung with at a signal.
    Signal,
    /// What asks or tells a terminal its modes or its size, and what makes a pair of them.
    Terminal,
    /// `preadv2` with RWF_NOWAIT, and `openat2` with RESOLVE_CACHED: what the loop's own thread may ask of a file.
    /// With an error, the pool is asked instead.
    FileNow,
    /// `lseek`.
    Seek,
    /// `fsync`, `fdatasync`.
    FileSync,
    /// `stat` and its kin, `readlink`, `realpath`.
    FileStat,
    /// What changes a file but its bytes: `ftruncate`, `chmod`, `chown`, `utimens`, `fallocate`, `flock`.
    FileChange,
    /// `copy_file_range`, FICLONE, `clonefile`. With an error that says that it cannot be, bytes are copied.
    FileCopy,
    /// A folder's next entries: `getdents`.
    ReadFolder,
    /// What makes a watch: `inotify_init1`, `kqueue`.
    WatchOpen,
    /// `inotify_add_watch`; `open` and `kevent` for a file to be watched.
    WatchAdd,
    /// `inotify_rm_watch`.
    WatchRemove,
    /// The `read` of an inotify descriptor, a `kevent` with room for events. With `Short`, as many bytes, but at least a record.
    WatchRead,
}

/// How many kinds of call there are.
#[cfg(feature = "sim")]
const CALL_COUNT: usize = Call::WatchRead as usize + 1;

/// What happens instead of a call, or to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call does not happen and gives this errno; but a connect happens that says EINTR, EINPROGRESS or
    /// EALREADY, all of which say that the kernel goes on.
    Errno(i32),
    /// The call happens with at most this many bytes. With 0, a connect happens and says that it is in
    /// progress.
    Short(usize),
}

/// Counts one `call` and says what the plan has for it.
#[cfg(not(feature = "sim"))]
#[inline(always)]
pub(crate) fn intercept(_call: Call) -> Option<Fault> {
    None
}

#[cfg(feature = "sim")]
pub(crate) use plan::intercept;
#[cfg(feature = "sim")]
pub use plan::{Plan, PlanGuard, count_of};

/// Counts one `call` that no plan can make fail.
#[inline(always)]
pub(crate) fn count(call: Call) {
    let _ = intercept(call);
}

/// Asks the plan: an injected errno becomes the error it stands for.
///
/// The answer is how many bytes the call may move at most: `len`, or less if the plan says so.
#[inline(always)]
pub(crate) fn check(call: Call, len: usize) -> std::io::Result<usize> {
    match intercept(call) {
        None => Ok(len),
        Some(Fault::Errno(errno)) => Err(std::io::Error::from_raw_os_error(errno)),
        Some(Fault::Short(most)) => Ok(len.min(most)),
    }
}

#[cfg(feature = "sim")]
mod plan {
    use std::cell::{Cell, RefCell};
    use std::fmt;
    use std::sync::Arc;

    use super::{CALL_COUNT, Call, Fault};

    thread_local! {
        static COUNTS: [Cell<u64>; CALL_COUNT] = const { [const { Cell::new(0) }; CALL_COUNT] };
        static RULES: RefCell<Vec<Rule>> = const { RefCell::new(Vec::new()) };
        static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
        static IS_ACTING: Cell<bool> = const { Cell::new(false) };
    }

    type Meanwhile = Arc<dyn Fn(Call) + Send + Sync>;

    #[derive(Clone, Copy, Debug)]
    struct Rule {
        call: Call,
        first: u64,
        times: u64,
        fault: Fault,
    }

    /// A list of faults for this thread, in force from [`Plan::install`] until the guard drops.
    ///
    /// ```
    /// use mainspring_sys::fault::{Call, Fault, Plan};
    /// let _guard = Plan::new().at(Call::Accept, 1, Fault::Errno(24)).install();
    /// ```
    #[derive(Default)]
    pub struct Plan {
        rules: Vec<Rule>,
        meanwhile: Option<Meanwhile>,
    }

    /// Takes the plan away on drop.
    #[derive(Debug)]
    pub struct PlanGuard(());

    impl Plan {
        /// A plan in which nothing fails; installed, it sets all counts to zero.
        #[must_use]
        pub fn new() -> Plan {
            Plan::default()
        }

        /// The `nth` such call from now (the first is 1) meets `fault`.
        #[must_use]
        pub fn at(self, call: Call, nth: u64, fault: Fault) -> Plan {
            self.from(call, nth, 1, fault)
        }

        /// `times` such calls, from the `nth` on, meet `fault`.
        #[must_use]
        pub fn from(mut self, call: Call, nth: u64, times: u64, fault: Fault) -> Plan {
            self.rules.push(Rule {
                call,
                first: nth,
                times,
                fault,
            });
            self
        }

        /// Before each call that a plan can name, `act` is called with its kind: what another process might do between any two
        /// calls. While it acts, it is not called.
        ///
        /// ```
        /// use std::sync::atomic::{AtomicU32, Ordering};
        /// use mainspring_sys::fault::Plan;
        /// static CALLS: AtomicU32 = AtomicU32::new(0);
        /// let _guard = Plan::new().meanwhile(|_| drop(CALLS.fetch_add(1, Ordering::Relaxed))).install();
        /// ```
        #[must_use]
        pub fn meanwhile(mut self, act: impl Fn(Call) + Send + Sync + 'static) -> Plan {
            self.meanwhile = Some(Arc::new(act));
            self
        }

        /// Puts the plan in force on this thread, in place of any other, and zeroes the counts.
        #[must_use = "the plan ends when the guard is dropped"]
        pub fn install(self) -> PlanGuard {
            COUNTS.with(|counts| counts.iter().for_each(|count| count.set(0)));
            RULES.with(|rules| *rules.borrow_mut() = self.rules);
            MEANWHILE.with(|meanwhile| *meanwhile.borrow_mut() = self.meanwhile);
            PlanGuard(())
        }
    }

    impl fmt::Debug for Plan {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Plan")
                .field("rules", &self.rules)
                .field("meanwhile", &self.meanwhile.is_some())
                .finish()
        }
    }

    impl Drop for PlanGuard {
        fn drop(&mut self) {
            RULES.with(|rules| rules.borrow_mut().clear());
            MEANWHILE.with(|meanwhile| meanwhile.borrow_mut().take());
        }
    }

    fn act(call: Call) {
        /// Also when it panics.
        struct Acting;

        impl Drop for Acting {
            fn drop(&mut self) {
                IS_ACTING.set(false);
            }
        }

        // As for the rules.
        let meanwhile = MEANWHILE.try_with(|meanwhile| meanwhile.borrow().clone());
        if let Ok(Some(meanwhile)) = meanwhile {
            if !IS_ACTING.replace(true) {
                let _acting = Acting;
                meanwhile(call);
            }
        }
    }

    /// How often `call` was made on this thread since the last [`Plan::install`].
    #[must_use]
    pub fn count_of(call: Call) -> u64 {
        COUNTS.with(|counts| counts[call as usize].get())
    }

    pub(crate) fn intercept(call: Call) -> Option<Fault> {
        act(call);
        let nth = COUNTS.with(|counts| {
            let count = &counts[call as usize];
            count.set(count.get() + 1);
            count.get()
        });
        // While a thread's locals are destroyed its plan may be gone, and wakes still come (hz_a34).
        let find = |rules: &RefCell<Vec<Rule>>| {
            let rules = rules.borrow();
            rules
                .iter()
                .find(|rule| {
                    rule.call == call && nth >= rule.first && nth - rule.first < rule.times
                })
                .map(|rule| rule.fault)
        };
        RULES.try_with(find).unwrap_or(None)
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
