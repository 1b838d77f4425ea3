//! What the tests of sockets share: a test on both backends, pairs of sockets, a process of its own.
//!
//! *Role.* `tests/net.rs`, `tests/hazards_selector.rs` and `tests/cancel.rs` are made of functions over
//! an [`On`]; [`on_both`] makes a `#[test]` of each for the system's own selector, and again for
//! poll(2). Each run asserts the backend's name first, for a mistyped cfg would select the default
//! silently.

#![allow(dead_code, unused_macros, reason = "each suite uses its part")]

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::pin::pin;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use mainspring::net::{TcpListener, TcpStream, UnixStream};
use mainspring::sim::{Clock, ManualClock};
use mainspring::{BackendKind, Builder, Runtime};
use mainspring_sys::Instant;

/// Set in the process that a test started for itself: the test's name.
const ALONE: &str = "MAINSPRING_TEST_ALONE";

/// Where a test runs, and how it is called.
#[derive(Clone, Copy)]
pub(crate) struct On {
    pub(crate) kind: BackendKind,
    pub(crate) test: &'static str,
}

/// Makes two tests of each function.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod native {
            $(#[test] fn $test() {
                let path = concat!(module_path!(), "::", stringify!($test));
                let (_, test) = path.split_once("::").unwrap();
                super::$test($crate::rig::On { kind: mainspring::BackendKind::Native, test });
            })*
        }
        mod poll {
            $(#[test] fn $test() {
                let path = concat!(module_path!(), "::", stringify!($test));
                let (_, test) = path.split_once("::").unwrap();
                super::$test($crate::rig::On { kind: mainspring::BackendKind::Poll, test });
            })*
        }
    };
}

impl On {
    /// What the backend must call itself.
    pub(crate) fn name(self) -> &'static str {
        let is_linux = cfg!(any(target_os = "linux", target_os = "android"));
        if self.kind == BackendKind::Poll || cfg!(mainspring_backend = "poll") {
            "poll"
        } else if is_linux {
            "epoll"
        } else {
            "kqueue"
        }
    }

    /// Whether the backend reports a change once.
    pub(crate) fn is_edge(self) -> bool {
        self.name() != "poll"
    }

    pub(crate) fn builder(self) -> Builder {
        Builder::new().backend(self.kind)
    }

    /// A loop on this backend.
    pub(crate) fn runtime(self) -> Runtime {
        self.check(self.builder().build().unwrap())
    }

    /// A loop on this backend whose clock jumps when nothing is ready, nor comes for a while: on a busy machine the
    /// kernel's own threads carry what goes over the loopback.
    pub(crate) fn sim_runtime(self) -> Runtime {
        self.sim_runtime_of(Duration::from_millis(20))
    }

    /// The same, and its clock is as patient as it is told to be: where it jumps a thousand times.
    pub(crate) fn sim_runtime_of(self, patience: Duration) -> Runtime {
        let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
        clock.set_patience(patience);
        self.check(self.builder().clock(Clock::Manual(clock)).build().unwrap())
    }

    fn check(self, runtime: Runtime) -> Runtime {
        assert_eq!(runtime.backend_name(), self.name());
        runtime
    }

    /// Runs `future` on a loop with the real clock.
    #[track_caller]
    pub(crate) fn run<F: Future>(self, future: F) -> F::Output {
        self.runtime().block_on(future).unwrap()
    }

    /// Runs `future` on a loop with a manual clock.
    #[track_caller]
    pub(crate) fn sim<F: Future>(self, future: F) -> F::Output {
        self.sim_runtime().block_on(future).unwrap()
    }

    /// Whether this is the process that a test has started for itself.
    pub(crate) fn is_alone(self) -> bool {
        std::env::var_os(ALONE).is_some_and(|test| test == self.test)
    }

    /// This test in a process of its own.
    pub(crate) fn command_alone(self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([self.test, "--exact", "--test-threads=1"])
            .env(ALONE, self.test);
        command
    }

    /// Runs `body` in a process of its own, so that nobody else opens descriptors or takes signals.
    #[track_caller]
    pub(crate) fn alone(self, body: impl FnOnce()) {
        if self.is_alone() {
            return body();
        }
        let output = self.command_alone().output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{}: {said}",
            output.status
        );
    }
}

/// A listener on a port of the system's choice.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// Two ends of a TCP connection, both of this loop.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = listener();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

/// An end of a TCP connection of this loop, and the other one, blocking.
pub(crate) fn std_tcp_pair() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    (TcpStream::from_std(near).unwrap(), far)
}

/// An end of a pair of Unix sockets of this loop, and the other one, blocking.
pub(crate) fn std_unix_pair() -> (UnixStream, std::os::unix::net::UnixStream) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    (UnixStream::from_std(near).unwrap(), far)
}

/// Makes the kernel reset the connection when `socket` closes.
pub(crate) fn reset_on_close(socket: impl AsFd) {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).unwrap();
}

/// The descriptors that are open in this process, in order. Meaningful in [`On::alone`] only.
pub(crate) fn open_fds() -> Vec<RawFd> {
    let folder = if cfg!(target_os = "linux") {
        "/proc/self/fd"
    } else {
        "/dev/fd"
    };
    let numbers = std::fs::read_dir(folder).unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str().unwrap().parse::<RawFd>().unwrap()
    });
    let mut numbers: Vec<RawFd> = numbers.collect();
    // The folder itself was open while it was read.
    let is_open = |fd: &RawFd| std::fs::symlink_metadata(format!("{folder}/{fd}")).is_ok();
    numbers.retain(is_open);
    numbers.sort_unstable();
    numbers
}

/// Lets everybody else run until the selector was asked `turns` times.
pub(crate) async fn turns(turns: u32) {
    for _ in 0..turns {
        mainspring::yield_to_io().await;
    }
}

/// How much, or how often: `usual`, or as `make soak` wants it.
pub(crate) fn soak(usual: usize, long: usize) -> usize {
    match std::env::var_os("MAINSPRING_SOAK") {
        Some(_) => long,
        None => usual,
    }
}

/// Bytes that differ from their neighbours.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

/// Reads until the end of the stream, `step` bytes at most at a time.
pub(crate) async fn read_to_end(stream: &TcpStream, step: usize) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; step]);
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}

/// Sets how much the kernel holds for `socket` in each direction; it rounds as it likes.
pub(crate) fn small_buffers(socket: impl AsFd, bytes: usize) {
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, bytes).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, bytes).unwrap();
}

/// Awaits two futures at once, in this order.
pub(crate) async fn both<A: Future, B: Future>(first: A, second: B) -> (A::Output, B::Output) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    std::future::poll_fn(|cx| {
        if one.is_none() {
            if let Poll::Ready(value) = first.as_mut().poll(cx) {
                one = Some(value);
            }
        }
        if other.is_none() {
            if let Poll::Ready(value) = second.as_mut().poll(cx) {
                other = Some(value);
            }
        }
        if one.is_some() && other.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    (one.unwrap(), other.unwrap())
}

/// Connects until it fails: a process that another test is starting may hold the listener for a moment,
/// between fork and exec.
pub(crate) async fn refused(connect: impl AsyncFn() -> std::io::Result<()>) -> std::io::Error {
    for _ in 0..10_000 {
        if let Err(error) = connect().await {
            return error;
        }
        std::thread::yield_now();
    }
    panic!("somebody still listens");
}

/// A pipe whose ends never block; the flags come after, because macOS can't set them at birth.
pub(crate) fn nonblocking_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    for end in [&reader, &writer] {
        rustix::io::ioctl_fionbio(end, true).unwrap();
    }
    (reader, writer)
}

/// A file of these bytes, to read and to write, that has no name any more.
pub(crate) fn file_of(bytes: &[u8]) -> std::fs::File {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let name = format!("mainspring-file-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = std::fs::File::options();
    let mut file = options
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file
}
