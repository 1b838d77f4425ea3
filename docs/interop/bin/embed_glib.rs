//! A loop inside GLib's: a main loop of GLib's, as a program with a window has one, drives a runtime beside its own sources.
//!
//! ```text
//! cargo run --manifest-path docs/interop/Cargo.toml --features glib --bin embed_glib
//! ```
//!
//! To GLib the runtime is one source (`GSource`) with a descriptor and a time at which it is due:
//!
//! ```text
//!   g_main_loop_run:  poll(all descriptors, until the first ready time) ──► timers, windows …
//!        ▲                                                             ──► dispatch: Runtime::tick, then the next ready time
//!        └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The handful of GLib's functions is declared here, so that no crate is needed, and no headers: only the library itself
//! (Debian: `libglib2.0-0`). With the crate `glib` the same is `glib::Source` and its kin.
//!
//! # Invariants
//!
//! - **GLIB-1** GLib is called from the thread of `main` alone, and what it calls back runs there.
//! - **GLIB-2** What GLib is given a pointer to stands still in a box or on the stack of `main`, until the source that has it is destroyed.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use mainspring::channel::thread::bounded;
use mainspring::net::{TcpListener, TcpStream};
use mainspring::time::sleep;
use mainspring::{BackendKind, Builder, JoinHandle, Runtime, spawn};

/// What of GLib is used, as its manual has it.
mod glib {
    use super::{c_int, c_uint, c_void};

    #[repr(C)]
    pub struct Source {
        _opaque: [u8; 0],
    }
    #[repr(C)]
    pub struct MainLoop {
        _opaque: [u8; 0],
    }
    pub type Callback = extern "C" fn(*mut c_void) -> c_int;

    /// `GSourceFuncs`. Without `prepare` and `check` a source is ready when its descriptors or its time are.
    #[repr(C)]
    pub struct SourceFuncs {
        pub prepare: Option<extern "C" fn(*mut Source, *mut c_int) -> c_int>,
        pub check: Option<extern "C" fn(*mut Source) -> c_int>,
        pub dispatch: extern "C" fn(*mut Source, Option<Callback>, *mut c_void) -> c_int,
        pub finalize: Option<extern "C" fn(*mut Source)>,
        pub unused: [*mut c_void; 2],
    }

    /// `GSource` is public, and smaller than this.
    pub const SOURCE_SIZE: c_uint = 256;
    /// `G_IO_IN`.
    pub const IN: c_int = 1;
    /// `G_SOURCE_CONTINUE`.
    pub const CONTINUE: c_int = 1;

    // SAFETY: a wrong type would pass the wrong bytes; these are the prototypes of GLib's manual, for 2.36 and newer.
    #[link(name = "libglib-2.0.so.0", modifiers = "+verbatim")]
    unsafe extern "C" {
        pub fn g_source_new(funcs: *const SourceFuncs, size: c_uint) -> *mut Source;
        pub fn g_source_set_callback(
            source: *mut Source,
            callback: Option<Callback>,
            data: *mut c_void,
            destroyed: Option<extern "C" fn(*mut c_void)>,
        );
        pub fn g_source_add_unix_fd(source: *mut Source, fd: c_int, events: c_int) -> *mut c_void;
        pub fn g_source_set_ready_time(source: *mut Source, microseconds: i64);
        pub fn g_source_attach(source: *mut Source, context: *mut c_void) -> c_uint;
        pub fn g_source_destroy(source: *mut Source);
        pub fn g_source_unref(source: *mut Source);
        pub fn g_get_monotonic_time() -> i64;
        pub fn g_timeout_add(milliseconds: c_uint, callback: Callback, data: *mut c_void)
        -> c_uint;
        pub fn g_main_loop_new(context: *mut c_void, is_running: c_int) -> *mut MainLoop;
        pub fn g_main_loop_run(main_loop: *mut MainLoop);
        pub fn g_main_loop_quit(main_loop: *mut MainLoop);
        pub fn g_main_loop_unref(main_loop: *mut MainLoop);
    }
}

/// A runtime that GLib's main loop drives.
struct Embedded {
    runtime: Runtime,
    source: *mut glib::Source,
    ticks: Cell<u32>,
}

static FUNCS: glib::SourceFuncs = glib::SourceFuncs {
    prepare: None,
    check: None,
    dispatch: Embedded::dispatch,
    finalize: None,
    unused: [ptr::null_mut(); 2],
};

// SAFETY: threads that wrote it would race; nobody writes it, GLib neither.
unsafe impl Sync for glib::SourceFuncs {}

impl Embedded {
    /// Attaches `runtime` to the main loop of this thread.
    fn attach(runtime: Runtime) -> io::Result<Box<Embedded>> {
        let selector = runtime.selector_fd().map(|fd| fd.as_raw_fd());
        let selector =
            selector.ok_or_else(|| io::Error::other("this backend has no descriptor"))?;
        // SAFETY: GLIB-1; the functions live for ever.
        let source = unsafe { glib::g_source_new(&raw const FUNCS, glib::SOURCE_SIZE) };
        let embedded = Box::new(Embedded {
            runtime,
            source,
            ticks: Cell::new(0),
        });
        // SAFETY: GLIB-1. GLIB-2: the box is what `dispatch` gets, and its drop destroys the source. The descriptor is the
        // runtime's, which is dropped after that.
        unsafe {
            let data = (&raw const *embedded).cast_mut().cast();
            glib::g_source_set_callback(source, None, data, None);
            glib::g_source_add_unix_fd(source, selector, glib::IN);
            glib::g_source_set_ready_time(source, 0);
            glib::g_source_attach(source, ptr::null_mut());
        }
        Ok(embedded)
    }

    /// Spawns a task from outside, from a callback of GLib's for example. A spawn wakes nobody: the source is due at once.
    fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let handle = self.runtime.spawn(future);
        self.set_ready_time();
        handle
    }

    /// Tells GLib until when the runtime has nothing to do by itself.
    fn set_ready_time(&self) {
        let never = -1;
        let left = (self.runtime.next_deadline()).map(|deadline| deadline - self.runtime.now());
        let ready_time = left.map_or(never, |left| {
            // Rounded up: too early is a tick for nothing.
            let left = i64::try_from(left.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
            // SAFETY: it takes no pointer and reads a clock, from any thread.
            unsafe { glib::g_get_monotonic_time() }.saturating_add(left)
        });
        // SAFETY: GLIB-1; the source is unreferenced by our drop alone.
        unsafe { glib::g_source_set_ready_time(self.source, ready_time) };
    }

    /// GLib says that the descriptor is readable, or that it is time.
    extern "C" fn dispatch(
        _source: *mut glib::Source,
        _callback: Option<glib::Callback>,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: GLIB-2.
        let embedded = unsafe { &*data.cast::<Embedded>() };
        embedded.ticks.set(embedded.ticks.get() + 1);
        embedded.runtime.tick().expect("the selector can be asked");
        embedded.set_ready_time();
        glib::CONTINUE
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // SAFETY: GLIB-1; GLib lets go of the box and of the descriptor here.
        unsafe {
            glib::g_source_destroy(self.source);
            glib::g_source_unref(self.source);
        }
    }
}

/// What runs inside: sockets, timers, and what comes from another thread.
async fn inside() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    let address = listener.local_addr()?;
    let server = spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut buf = [0; 16];
        let count = stream.read(&mut buf).await?;
        stream.write_all(&buf[..count]).await
    });
    let client = TcpStream::connect(address).await?;
    client.write_all(b"echo").await?;
    let mut buf = [0; 16];
    let count = client.read(&mut buf).await?;
    let echo = String::from_utf8_lossy(&buf[..count]).into_owned();
    server.await.expect("the server does not panic")?;

    sleep(Duration::from_millis(20)).await;

    let (far, mut items) = bounded(1);
    let thread = thread::spawn(move || far.send_blocking("a thread's word"));
    let word = items.recv().await.expect("the thread sends");
    thread.join().expect("it ends").expect("the loop receives");
    Ok(format!("{echo}, a sleep, {word}"))
}

/// What GLib's own timer has.
struct Outside {
    embedded: Box<Embedded>,
    calls: Cell<u32>,
    /// What a callback of GLib's has spawned has run.
    has_run: Rc<Cell<bool>>,
}

/// A timer of GLib's; its first call spawns a task.
extern "C" fn on_timer(data: *mut c_void) -> c_int {
    // SAFETY: GLIB-2: it stands on the stack of `main`, which outlives the main loop's run.
    let outside = unsafe { &*data.cast::<Outside>() };
    outside.calls.set(outside.calls.get() + 1);
    if outside.calls.get() == 1 {
        let has_run = Rc::clone(&outside.has_run);
        drop(outside.embedded.spawn(async move { has_run.set(true) }));
    }
    glib::CONTINUE
}

fn main() -> io::Result<()> {
    let runtime = Builder::new().backend(BackendKind::Native).build()?;
    let outside = Outside {
        embedded: Embedded::attach(runtime)?,
        calls: Cell::new(0),
        has_run: Rc::default(),
    };
    // SAFETY: GLIB-1.
    let main_loop = unsafe { glib::g_main_loop_new(ptr::null_mut(), 0) };
    let task = outside.embedded.spawn(async move {
        let said = inside().await;
        // SAFETY: GLIB-1: tasks run in `dispatch`, inside the main loop's run.
        unsafe { glib::g_main_loop_quit(main_loop) };
        said
    });
    // SAFETY: GLIB-1 and GLIB-2; the timer is called while the main loop runs, and so never again after `main`.
    unsafe {
        let data = (&raw const outside).cast_mut().cast();
        glib::g_timeout_add(2, on_timer, data);
        glib::g_main_loop_run(main_loop);
        glib::g_main_loop_unref(main_loop);
    }
    let runtime = &outside.embedded.runtime;
    let said = runtime.block_on(task)?.expect("it does not panic")?;
    println!("inside: {said}");
    println!(
        "outside: a timer, and a task of its: {}",
        outside.has_run.get()
    );
    assert!(outside.calls.get() > 1, "GLib's own timer goes on");
    // Each tick had a reason: an event, a deadline, a wake.
    let ticks = outside.embedded.ticks.get();
    println!("ticks: {}", if ticks < 50 { "few" } else { "too many" });
    Ok(())
}
