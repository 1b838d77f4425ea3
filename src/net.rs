//! Sockets: TCP and Unix streams, their listeners, Unix sockets of messages, and UDP.
//!
//! Every operation is tried at once and waits only after a WouldBlock; a socket that never waits is
//! never registered with the kernel. Sockets are non-blocking and close-on-exec from birth, and no
//! write raises SIGPIPE.

mod accept;
mod close;
mod connect;
pub mod dns;
mod name;
pub mod option;
mod pooled;
mod proxy;
mod send_file;
mod server;
mod split;
mod stream;
mod tcp;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;
pub mod udp;
mod unix;

pub use crate::io::endpoint::transfer::{
    Peek, Read, ReadVectored, StreamReady, Write, WriteAll, WriteVectored,
};
pub use crate::resolver::{AddrName, Resolver, Resolving};
pub use accept::{Accept, Incoming, Listener};
pub use close::{CloseEnd, CloseGracefully};
pub use connect::{Connect, ConnectError, ConnectTarget, Connector, IpPreference, Target};
pub use mainspring_sys::resolve::{ResolveError, ResolveErrorKind};
pub use mainspring_sys::socket::Taken;
pub use name::{Lookup, LookupAddr, lookup, lookup_addr};
pub use pooled::ReadPooled;
pub use proxy::{Proxy, proxy};
pub use send_file::{FileSent, SendFile, SentBy};
pub use server::{
    Drain, DrainEnd, Serve, Server, ServerBuilder, ServerClosed, ServerFailure, ServerHandle,
};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, StreamSocket, WriteHalf};
pub use tcp::{ConnectSocket, TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{
    ConnectSeqpacket, ConnectUnix, Credentials, RecvWithFds, SendWithFds, UnixBind, UnixDatagram,
    UnixListener, UnixRecv, UnixRecvFrom, UnixSend, UnixSeqpacket, UnixSeqpacketListener,
    UnixStream, WithFds,
};
