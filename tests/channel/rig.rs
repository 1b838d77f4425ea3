//! What the tests of channels need: items that are counted, wakers that count, numbers by chance.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// So many steps of a model test; more under `MAINSPRING_SOAK`.
pub(crate) fn steps() -> usize {
    if std::env::var_os("MAINSPRING_SOAK").is_some() {
        10_000_000
    } else {
        100_000
    }
}

/// Numbers by chance, the same ones for the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    /// Prints the seed, which a failed test shows; `MAINSPRING_SEED` sets it.
    pub(crate) fn new() -> Chance {
        let seed = match std::env::var("MAINSPRING_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => {
                use std::hash::{BuildHasher, Hasher};
                std::collections::hash_map::RandomState::new()
                    .build_hasher()
                    .finish()
            }
        };
        eprintln!("MAINSPRING_SEED={seed}");
        Chance(seed | 1)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % end as u64) as usize
    }
}

/// What became of the items of a test: which live, and that none is dropped twice.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Rc<RefCell<Vec<bool>>>);

impl Ledger {
    pub(crate) fn item(&self, value: u32) -> Item {
        let mut lives = self.0.borrow_mut();
        lives.push(true);
        Item {
            value,
            id: lives.len() - 1,
            ledger: self.clone(),
        }
    }

    /// How many are not dropped.
    pub(crate) fn alive(&self) -> usize {
        self.0.borrow().iter().filter(|lives| **lives).count()
    }

    pub(crate) fn made(&self) -> usize {
        self.0.borrow().len()
    }
}

/// An item whose drop is noted.
pub(crate) struct Item {
    pub(crate) value: u32,
    id: usize,
    ledger: Ledger,
}

impl Drop for Item {
    fn drop(&mut self) {
        let was_alive = std::mem::replace(&mut self.ledger.0.borrow_mut()[self.id], false);
        assert!(was_alive, "item {} was dropped twice", self.id);
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Item) -> bool {
        self.value == other.value
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Item) -> Ordering {
        self.value.cmp(&other.value)
    }
}

/// A waker of a stranger, which counts its calls.
#[derive(Default)]
pub(crate) struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Counting {
    pub(crate) fn new() -> (Arc<Counting>, Waker) {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        (counting, waker)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Polls once, with a waker that does nothing.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A log that several tasks write to.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    pub(crate) fn text(&self) -> String {
        self.0.borrow().join(" ")
    }
}

/// A waker of our own making, which runs code of the test's wherever it is cloned, woken or dropped.
pub(crate) mod hooked {
    use super::*;
    use std::task::{RawWaker, RawWakerVTable};

    type Hook = Box<dyn Fn(&'static str)>;

    struct Hooked {
        hook: Hook,
        is_within: Cell<bool>,
    }

    impl Hooked {
        /// Not within itself.
        fn call(&self, what: &'static str) {
            if !self.is_within.replace(true) {
                let within = Within(&self.is_within);
                (self.hook)(what);
                drop(within);
            }
        }
    }

    struct Within<'a>(&'a Cell<bool>);

    impl Drop for Within<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }

    thread_local! {
        static HOOKS: RefCell<Vec<Rc<Hooked>>> = const { RefCell::new(Vec::new()) };
    }

    fn call(data: *const (), what: &'static str) {
        let hooked = HOOKS.with(|hooks| Rc::clone(&hooks.borrow()[data.addr() - 1]));
        hooked.call(what);
    }

    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            call(data, "clone");
            RawWaker::new(data, &VTABLE)
        },
        |data| {
            call(data, "wake");
            call(data, "drop");
        },
        |data| call(data, "wake"),
        |data| call(data, "drop"),
    );

    /// Its data is a number: it owns nothing, and may be cloned and dropped at will.
    #[allow(unsafe_code, reason = "a waker made by hand, of a number and a table")]
    pub(crate) fn waker(hook: impl Fn(&'static str) + 'static) -> Waker {
        let number = HOOKS.with(|hooks| {
            let mut hooks = hooks.borrow_mut();
            hooks.push(Rc::new(Hooked {
                hook: Box::new(hook),
                is_within: Cell::new(false),
            }));
            hooks.len()
        });
        let data = std::ptr::without_provenance(number);
        // SAFETY: the functions look only at the number, which stays good; none of them keeps a count.
        unsafe { Waker::new(data, &VTABLE) }
    }
}
