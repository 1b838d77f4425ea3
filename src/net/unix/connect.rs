//! `ConnectUnix`, `ConnectSeqpacket`: connections by a name, under way.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket::{self, UnixKind};

use super::{UnixSeqpacket, UnixStream};
use crate::io::endpoint::{Endpoint, Family};
use crate::net::connect::Attempt;
use crate::pin::pinned_mut;

/// A name to connect to, and how far that has come.
pub(super) struct Call {
    kind: UnixKind,
    /// Where to, or what is wrong with the path; taken at the first poll.
    addr: Option<io::Result<SocketAddr>>,
    attempt: Attempt,
}

impl Call {
    pub(super) fn to_path(kind: UnixKind, path: &Path, here: &'static Location<'static>) -> Call {
        Call::to(kind, socket::path_addr(path), here)
    }

    pub(super) fn to(
        kind: UnixKind,
        addr: io::Result<SocketAddr>,
        here: &'static Location<'static>,
    ) -> Call {
        Call {
            kind,
            addr: Some(addr),
            attempt: Attempt::new(here),
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<io::Result<Endpoint>> {
        let kind = self.kind;
        let addr = pinned_mut!(self.as_mut(), addr).get_mut().take();
        let begin = || {
            let addr = addr.unwrap_or_else(|| panic!("a connect was polled after it was done"))?;
            let fd = socket::unix_socket(kind)?;
            let connecting = socket::connect_unix(&fd, &addr)?;
            Ok((Endpoint::new(fd, Family::Unix), connecting))
        };
        pinned_mut!(self, attempt).poll(cx, begin)
    }
}

/// A future that connects a socket of one kind.
macro_rules! connects {
    ($(#[$docs:meta])* $future:ident -> $socket:ident) => {
        $(#[$docs])*
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $future {
            call: Call,
        }

        impl $future {
            pub(super) fn new(call: Call) -> $future {
                $future { call }
            }
        }

        impl Future for $future {
            type Output = io::Result<$socket>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<$socket>> {
                let socket = ready!(pinned_mut!(self, call).poll(cx))?;
                Poll::Ready(Ok($socket { socket }))
            }
        }

        impl fmt::Debug for $future {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future))
                    .field("addr", &self.call.addr)
                    .finish_non_exhaustive()
            }
        }
    };
}

connects! {
    /// Connects a [`UnixStream`]. Made by [`UnixStream::connect`]; dropping it closes the socket.
    ConnectUnix -> UnixStream
}
connects! {
    /// Connects a [`UnixSeqpacket`]. Made by [`UnixSeqpacket::connect`]; dropping it closes the socket.
    ConnectSeqpacket -> UnixSeqpacket
}
