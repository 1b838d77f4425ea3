//! Sockets: TCP streams and listeners, pairs of Unix streams.
//!
//! Every operation is tried at once and waits only after a WouldBlock; a socket that never waits is
//! never registered with the kernel. Sockets are non-blocking and close-on-exec from birth, and no
//! write raises SIGPIPE.

mod listener;
mod socket;
mod stream;
mod tcp;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;
mod transfer;
mod unix;

pub use listener::{Accept, TcpListener};
pub use tcp::{Connect, TcpStream};
pub use transfer::{Peek, Read, ReadVectored, StreamReady, Write, WriteAll, WriteVectored};
pub use unix::UnixStream;
