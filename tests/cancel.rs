//! Cancel safety, held to its word: every waiting function, dropped at each of its waits.
//!
//! Whoever writes `# Cancel safety` into the docs of a function owes it a test here; `tests/tidy.rs`
//! compares both ways, and also that the test uses the words of the docs. It takes these lines, in the
//! file of the area:
//!
//! ```ignore
//! // cancels: TcpStream::read
//! fn a_read_takes_no_bytes_that_it_does_not_return(on: On) {
//!     let waits = Case::new(on, wire::tcp)                   // near and far side, new for each drop
//!         .world(|far| far.send(3))                          // what happens whenever it waits
//!         .safe(                                             // or `loses_its_place`, or `not_safe`
//!             async |near| {                                 // the call, in the loop of its caller
//!                 while near.got.len() < 12 {
//!                     let mut buf = [0; 5];
//!                     let count = near.stream.read(&mut buf).await.unwrap();
//!                     near.got.extend_from_slice(&buf[..count]);
//!                 }
//!             },
//!             async |near, _| assert_eq!(near.got, pattern(12)), // after it was made again
//!         );
//!     assert_eq!(waits, 4);                                  // at least one, or nothing was tested
//! }
//! ```
//!
//! and its name in the list `everywhere!` at the top of that file, which makes a test for each backend.
//! The test itself calls `safe`, `loses_its_place` or `not_safe`, for that is compared with the docs.
//! A name is `Type::method` or `module::function` (without the module for what stands in the crate's
//! root), several are separated by commas. `Type` alone, for a future that functions return which do not
//! wait themselves (`JoinHandle`), stands for those. Where a macro writes a method for several types, one
//! of them is enough (`TcpListener::incoming`). An adapter of streams is a row in the table of
//! `tests/cancel/stream.rs`.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
mod rig;

#[path = "cancel/everywhere.rs"]
#[macro_use]
mod everywhere;

#[path = "names/places.rs"]
mod places;

#[path = "cancel/blocking.rs"]
mod blocking;
#[path = "cancel/buf.rs"]
mod buf;
#[path = "cancel/calls.rs"]
mod calls;
#[path = "cancel/channel.rs"]
mod channel;
#[path = "cancel/codec.rs"]
mod codec;
#[path = "cancel/connect.rs"]
mod connect;
#[path = "cancel/copy.rs"]
mod copy;
#[path = "cancel/dns.rs"]
mod dns;
#[path = "cancel/ends.rs"]
mod ends;
#[path = "cancel/fs.rs"]
mod fs;
#[path = "cancel/io.rs"]
mod io;
#[path = "cancel/join.rs"]
mod join;
#[path = "cancel/moving.rs"]
mod moving;
#[path = "cancel/name.rs"]
mod name;
#[path = "cancel/net.rs"]
mod net;
#[path = "cancel/pool.rs"]
mod pool;
// Its world looks at children without waiting for them, which rustix does not know of OpenBSD.
#[cfg(not(target_os = "openbsd"))]
#[path = "cancel/process.rs"]
mod process;
#[path = "cancel/protocol.rs"]
mod protocol;
#[path = "cancel/read.rs"]
mod read;
#[path = "cancel/scope.rs"]
mod scope;
#[path = "cancel/seek.rs"]
mod seek;
#[path = "dns/server.rs"]
mod server;
#[path = "cancel/signal.rs"]
mod signal;
#[path = "cancel/slow.rs"]
mod slow;
#[path = "cancel/stream.rs"]
mod stream;
#[path = "cancel/sync.rs"]
mod sync;
#[path = "cancel/tasks.rs"]
mod tasks;
#[path = "cancel/tcp.rs"]
mod tcp;
#[path = "cancel/teeth.rs"]
mod teeth;
#[path = "cancel/terminal.rs"]
mod terminal;
#[path = "cancel/thread.rs"]
mod thread;
#[path = "cancel/time.rs"]
mod time;
#[path = "cancel/token.rs"]
mod token;
#[path = "cancel/udp.rs"]
mod udp;
#[path = "cancel/unix.rs"]
mod unix;
#[path = "cancel/watch.rs"]
mod watch;
#[path = "cancel/wire.rs"]
mod wire;
#[path = "cancel/workers.rs"]
mod workers;
#[path = "cancel/write.rs"]
mod write;
