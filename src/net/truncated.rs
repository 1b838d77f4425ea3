//! `Truncated`: the error of a receive that had too little room for a message, be it a datagram of UDP, or a
//! datagram or record of a Unix socket.
//!
//! *Why an error.* The rest of such a message is gone. A flag beside the length is overlooked, and a message that
//! was cut in silence is taken for a whole one (hz_d11). Whoever wants the beginning finds it in the buffer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix;

use mainspring_sys::socket::Taken;

/// The error of a receive whose buffer was too small: the message's beginning is in the buffer, the rest is
/// gone.
///
/// It is inside the [`io::Error`] that `recv` and `recv_from` of every socket of messages return, whose kind is
/// `InvalidData`. Who wants truncation as part of the answer instead of an error calls `recv_msg` of a UDP
/// socket, `recv_with_fds` of a Unix one.
///
/// ```
/// # mainspring::run(async {
/// use mainspring::net::{Truncated, UdpSocket, UnixDatagram};
/// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// socket.send_to(b"too long", socket.local_addr()?).await?;
/// let mut buf = [0; 3];
/// let error = socket.recv_from(&mut buf).await.unwrap_err();
/// let truncated = Truncated::of(&error).unwrap();
/// assert_eq!((truncated.len, &buf), (3, b"too"));
///
/// let (near, far) = UnixDatagram::pair()?;
/// far.send(b"tick-tock").await?;
/// let error = near.recv(&mut buf).await.unwrap_err();
/// assert_eq!(Truncated::of(&error).unwrap().len, 3);
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Truncated {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// How long the message was at least: on Linux exactly so long, elsewhere one byte more than the buffer.
    pub whole_len: usize,
    /// Who sent it, as far as the call asked, if it came by UDP.
    pub from: Option<SocketAddr>,
    /// Who sent it, as far as the call asked, if it came by a Unix socket.
    pub from_unix: Option<unix::net::SocketAddr>,
}

impl Truncated {
    /// The truncation that `error` tells of, if it does.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Truncated> {
        error.get_ref()?.downcast_ref()
    }

    #[cold]
    pub(super) fn error(
        taken: Taken,
        from: Option<SocketAddr>,
        from_unix: Option<unix::net::SocketAddr>,
    ) -> io::Error {
        let truncated = Truncated {
            len: taken.len,
            whole_len: taken.whole_len,
            from,
            from_unix,
        };
        io::Error::new(io::ErrorKind::InvalidData, truncated)
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a message of at least {} bytes was cut to the buffer's {}; give `recv` a larger buffer, or call \
             `recv_msg` (UDP) or `recv_with_fds` (Unix), which tell of it",
            self.whole_len, self.len
        )
    }
}

impl std::error::Error for Truncated {}
