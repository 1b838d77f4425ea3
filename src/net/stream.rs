//! What all stream sockets have in common, written once: `stream_socket!` gives it to a type that holds
//! a [`Socket`](super::socket::Socket).
//!
//! *Why a macro.* The methods belong into each type's own page, where its users look, and a trait for
//! them would have to be imported.

/// The methods and traits of a stream socket: `$stream` has a field `socket`.
macro_rules! stream_socket {
    ($stream:ident) => {
        impl $stream {
            /// Reads some bytes into `buf`, at least one; 0 means the peer has closed its side, or that
            /// `buf` is empty. Several tasks may read: each gets some, in the order in which they asked.
            ///
            /// # Cancel safety
            /// Safe: bytes are taken only in the poll that returns them.
            ///
            /// # Errors
            /// What the kernel says, ECONNRESET among them; `NotConnected` if the loop is gone.
            #[track_caller]
            #[inline]
            pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
                Read::new(&self.socket, buf, Location::caller())
            }

            /// Writes some of `buf`, at least one byte, and says how many.
            ///
            /// # Cancel safety
            /// Safe: bytes are given only in the poll that returns their number.
            ///
            /// # Errors
            /// What the kernel says, EPIPE and ECONNRESET among them, never with SIGPIPE; `NotConnected`
            /// if the loop is gone.
            #[track_caller]
            #[inline]
            pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
                Write::new(&self.socket, buf, Location::caller())
            }

            /// Writes all of `buf`.
            ///
            /// # Cancel safety
            /// Not safe, because nobody keeps how far it came: some of the bytes may be written.
            ///
            /// # Errors
            /// As for `write`.
            #[track_caller]
            #[inline]
            pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
                WriteAll::new(&self.socket, buf, Location::caller())
            }

            /// Closes one side, or both, at once; what was written before is still delivered.
            ///
            /// # Errors
            /// What the kernel says: ENOTCONN, if the peer has reset the connection.
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                socket::shutdown(self.socket.fd(), how)
            }
        }

        impl AsyncRead for &$stream {
            #[track_caller]
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.socket.poll_read(cx, buf)
            }
        }

        impl AsyncWrite for &$stream {
            #[track_caller]
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.socket.poll_write(cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.socket.close_write())
            }
        }

        impl AsyncRead for $stream {
            read_by!(this => Pin::new(&mut &*this));
        }

        impl AsyncWrite for $stream {
            write_by!(this => Pin::new(&mut &*this));
        }

        impl AsFd for $stream {
            /// From here on the descriptor may have duplicates, so it leaves the selector by a system
            /// call of its own before it closes.
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.show()
            }
        }

        impl AsRawFd for $stream {
            fn as_raw_fd(&self) -> RawFd {
                self.socket.as_raw_fd()
            }
        }
    };
}

pub(super) use stream_socket;
