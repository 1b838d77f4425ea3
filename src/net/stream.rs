//! What all stream sockets and their halves have in common, written once, as macros: who has a method
//! `socket` gets from them the side that reads, the side that writes, or both.
//!
//! *Why macros.* The methods belong into each type's own page, where its users look, and a trait for
//! them would have to be imported.

/// The methods that read: for an `impl` whose type has `fn socket(&self) -> &Socket`.
macro_rules! read_methods {
    () => {
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
            Read::new(self.wait_to_read(Location::caller()), buf)
        }

        /// Reads some bytes into several buffers, one after the other, with one system call. As `read`
        /// otherwise; 0 also if all of them are empty.
        ///
        /// # Cancel safety
        /// Safe: bytes are taken only in the poll that returns them.
        ///
        /// # Errors
        /// As for `read`.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// far.write_all(b"tick-tock").await?;
        /// let (mut head, mut tail) = ([0; 5], [0; 16]);
        /// let mut bufs = [&mut head[..], &mut tail].map(std::io::IoSliceMut::new);
        /// assert_eq!(near.read_vectored(&mut bufs).await?, 9);
        /// assert_eq!(&head, b"tick-");
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn read_vectored<'a, 'b>(
            &'a self,
            bufs: &'a mut [IoSliceMut<'b>],
        ) -> ReadVectored<'a, 'b> {
            ReadVectored::new(self.wait_to_read(Location::caller()), bufs)
        }

        /// Reads some bytes into a buffer of `pool`, and returns it with them; without any it is the end.
        /// While there is nothing to read it holds no buffer, so many idle streams need none. When all
        /// buffers are out, streams that have something stand in the pool's line.
        ///
        /// # Cancel safety
        /// Loses its place in line, if it stood in the pool's: the buffer that was handed over goes to the
        /// next. Bytes are taken only in the poll that returns them.
        ///
        /// # Errors
        /// As for `read`.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::io::BufferPool;
        /// use mainspring::net::UnixStream;
        /// let pool = BufferPool::new(2, 4096);
        /// let (near, far) = UnixStream::pair()?;
        /// far.write_all(b"tick").await?;
        /// assert_eq!(&*near.read_pooled(&pool).await?, b"tick");
        /// drop(far);
        /// assert!(near.read_pooled(&pool).await?.is_empty());
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn read_pooled<'a>(
            &'a self,
            pool: &'a crate::io::BufferPool,
        ) -> crate::net::ReadPooled<'a> {
            let here = Location::caller();
            crate::net::ReadPooled::new(self.wait_to_read(here), pool, here)
        }

        /// As `read`, but the bytes stay where they are: the next read gets them again.
        ///
        /// # Cancel safety
        /// Safe: nothing is taken.
        ///
        /// # Errors
        /// As for `read`.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// far.write_all(b"tick").await?;
        /// let mut buf = [0; 8];
        /// assert_eq!(near.peek(&mut buf[..1]).await?, 1);
        /// assert_eq!(near.read(&mut buf).await?, 4);
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
            Peek::new(self.wait_to_read(Location::caller()), buf)
        }

        /// Reads what is there, without waiting. The kernel is asked each time.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; as for `read` otherwise.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            if buf.is_empty() {
                return Ok(0);
            }
            self.socket()
                .try_move(Direction::Read, |fd| socket::recv(fd, buf))
        }

        /// As `try_read`, into several buffers, one after the other.
        ///
        /// # Errors
        /// As for `try_read`.
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            if bufs.iter().all(|buf| buf.is_empty()) {
                return Ok(0);
            }
            self.socket()
                .try_move(Direction::Read, |fd| socket::recv_vectored(fd, bufs))
        }

        /// Waits until there is something to read, the peer's end among it. A report may be spurious:
        /// go on with `try_read`, and wait again if it says WouldBlock. Until then, or until a read
        /// that was short, every further wait ends at once.
        ///
        /// # Cancel safety
        /// Safe.
        ///
        /// # Errors
        /// `NotConnected` if the loop is gone.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// far.write_all(b"tick").await?;
        /// let mut buf = [0; 8];
        /// let count = loop {
        ///     near.readable().await?;
        ///     match near.try_read(&mut buf) {
        ///         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        ///         result => break result?,
        ///     }
        /// };
        /// assert_eq!(count, 4);
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn readable(&self) -> StreamReady<'_> {
            StreamReady::new(self.socket(), Direction::Read, Location::caller())
        }

        #[inline]
        fn wait_to_read(&self, location: &'static Location<'static>) -> Wait<'_, Reading> {
            Wait::new(self.socket(), Reading, location)
        }
    };
}

/// The methods that write: for an `impl` whose type has `fn socket(&self) -> &Socket`.
macro_rules! write_methods {
    () => {
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
            Write::new(self.wait_to_write(Location::caller()), buf)
        }

        /// Writes some bytes of several buffers, one after the other, with one system call. As `write`
        /// otherwise; 0 only if all of them are empty.
        ///
        /// # Cancel safety
        /// Safe: bytes are given only in the poll that returns their number.
        ///
        /// # Errors
        /// As for `write`.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// let parts = [&b"tick"[..], b"-tock"].map(std::io::IoSlice::new);
        /// assert_eq!(near.write_vectored(&parts).await?, 9);
        /// # drop(far);
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
            WriteVectored::new(self.wait_to_write(Location::caller()), bufs)
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
            WriteAll::new(self.wait_to_write(Location::caller()), buf)
        }

        /// Sends `count` bytes of `file` from the one at `offset` on, or all behind it, without a way through our memory
        /// where the kernel can do that (`sendfile`); else a thread of the pool reads, and we write. What arrives is the same; the
        /// answer tells which way it was, and how many bytes: fewer than `count` if the file ends before. The file's own position is neither used
        /// nor moved. Nobody else may write to the stream meanwhile.
        ///
        /// `sendfile` reads the file on the loop's thread: what is not in memory is fetched from the disk first, and the
        /// whole loop waits for that. [`SendFile::by_pool`](crate::net::SendFile::by_pool) never does.
        ///
        /// # Cancel safety
        /// Not safe, because what was sent is sent, and only the future knows how much that is: ask
        /// [`sent`](crate::net::SendFile::sent) before it is dropped, and go on from there.
        ///
        /// # Errors
        /// As for `write`; EIO, EISDIR, ESPIPE of the file, and EBADF if it is not open for reading; `InvalidInput` for
        /// an offset that no file reaches; EMFILE, when a thread is to read it.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// let file = std::fs::File::open("Cargo.toml")?;
        /// let sent = near.send_file(&file, 0, Some(11)).await?;
        /// assert_eq!(sent.bytes, 11);
        /// let mut buf = [0; 16];
        /// let count = far.read(&mut buf).await?;
        /// assert_eq!(&buf[..count], b"[workspace]");
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn send_file<'a>(
            &'a self,
            file: &'a impl AsFd,
            offset: u64,
            count: Option<u64>,
        ) -> crate::net::SendFile<'a> {
            let here = Location::caller();
            crate::net::SendFile::new(self.wait_to_write(here), file.as_fd(), offset, count, here)
        }

        /// Writes what fits, without waiting. The kernel is asked each time.
        ///
        /// # Errors
        /// `WouldBlock` if nothing fits; as for `write` otherwise.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            if buf.is_empty() {
                return Ok(0);
            }
            self.socket()
                .try_move(Direction::Write, |fd| socket::send(fd, buf))
        }

        /// As `try_write`, from several buffers, one after the other.
        ///
        /// # Errors
        /// As for `try_write`.
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            if bufs.iter().all(|buf| buf.is_empty()) {
                return Ok(0);
            }
            self.socket()
                .try_move(Direction::Write, |fd| socket::send_vectored(fd, bufs))
        }

        /// Waits until something can be written, or the peer has gone. A report may be spurious: go on
        /// with `try_write`, and wait again if it says WouldBlock. Until then, or until a write that
        /// was short, every further wait ends at once.
        ///
        /// # Cancel safety
        /// Safe.
        ///
        /// # Errors
        /// `NotConnected` if the loop is gone.
        ///
        /// ```
        /// # mainspring::run(async {
        /// use mainspring::net::UnixStream;
        /// let (near, far) = UnixStream::pair()?;
        /// near.writable().await?;
        /// assert_eq!(near.try_write(b"tick")?, 4);
        /// # drop(far);
        /// # std::io::Result::Ok(())
        /// # }).unwrap().unwrap();
        /// ```
        #[track_caller]
        pub fn writable(&self) -> StreamReady<'_> {
            StreamReady::new(self.socket(), Direction::Write, Location::caller())
        }

        #[inline]
        fn wait_to_write(&self, location: &'static Location<'static>) -> Wait<'_, Writing> {
            Wait::new(self.socket(), Writing, location)
        }
    };
}

/// `AsyncRead` of whatever has a socket; `$type` may be a reference, with its generics before it.
macro_rules! socket_read {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> AsyncRead for $type {
            #[track_caller]
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.socket().poll_read(cx, buf)
            }

            #[track_caller]
            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.socket().poll_read_vectored(cx, bufs)
            }
        }
    };
}

/// `AsyncWrite` of whatever has a socket. Nothing is kept, so there is nothing to flush.
macro_rules! socket_write {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> AsyncWrite for $type {
            #[track_caller]
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.socket().poll_write(cx, buf)
            }

            #[track_caller]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.socket().poll_write_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.socket().close_write())
            }
        }
    };
}

/// The methods and traits of a stream socket: `$stream` has a field `socket`.
macro_rules! stream_socket {
    ($stream:ident) => {
        impl $stream {
            read_methods!();
            write_methods!();

            /// Closes one side, or both, at once; what was written before is still delivered.
            ///
            /// # Errors
            /// What the kernel says: ENOTCONN, if the peer has reset the connection.
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                socket::shutdown(self.socket.fd(), how)
            }

            /// Ends our side, then reads what the peer still sends, into nothing, until it ends its own:
            /// so that our last answer arrives. Give it a limit of bytes and of time; the stream is
            /// closed after that in any case.
            ///
            /// Dropping a stream closes it at once. If the peer's bytes are unread then, or come later,
            /// the kernel answers with a reset, and the peer may lose what we wrote last, an error
            /// message to a request that is too long for example.
            ///
            /// # Cancel safety
            /// Not safe, because the stream goes with it: closed at once, with whatever that destroys.
            ///
            /// # Errors
            /// What the kernel says: ECONNRESET, if the peer is gone already.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::{CloseEnd, UnixStream};
            /// use std::time::Duration;
            /// let (near, far) = UnixStream::pair()?;
            /// let client = mainspring::spawn(async move {
            ///     far.write_all(&[0; 100_000]).await?;
            ///     let mut answer = [0; 64];
            ///     far.read(&mut answer).await
            /// });
            /// near.read(&mut [0; 10]).await?;
            /// near.write_all(b"too long").await?;
            /// let end = near.close_gracefully(1 << 20, Duration::from_secs(5)).await?;
            /// assert_eq!(end, CloseEnd::PeerClosed);
            /// assert_eq!(client.await.unwrap()?, 8);
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            #[track_caller]
            pub fn close_gracefully(
                self,
                bytes_max: u64,
                time_max: Duration,
            ) -> CloseGracefully<$stream> {
                CloseGracefully::new(self, bytes_max, time_max, Location::caller())
            }

            /// Two halves, for two futures of one task.
            pub fn split(&mut self) -> (ReadHalf<'_, $stream>, WriteHalf<'_, $stream>) {
                split::split(self)
            }

            /// Two halves, for two tasks. Dropping the one that writes ends the stream for the peer.
            ///
            /// ```
            /// # mainspring::run(async {
            /// use mainspring::net::UnixStream;
            /// let (near, far) = UnixStream::pair()?;
            /// let (reader, writer) = near.into_split();
            /// let answers = mainspring::spawn(async move { reader.read(&mut [0; 8]).await });
            /// writer.write_all(b"ping").await?;
            /// assert_eq!(far.read(&mut [0; 8]).await?, 4);
            /// far.write_all(b"pong").await?;
            /// assert_eq!(answers.await.unwrap()?, 4);
            /// # std::io::Result::Ok(())
            /// # }).unwrap().unwrap();
            /// ```
            #[must_use]
            pub fn into_split(self) -> (OwnedReadHalf<$stream>, OwnedWriteHalf<$stream>) {
                split::into_split(self)
            }

            #[inline]
            fn socket(&self) -> &Socket {
                &self.socket
            }
        }

        impl StreamSocket for $stream {
            #[inline]
            fn shared_socket(&self) -> SharedSocket<'_> {
                SharedSocket(&self.socket)
            }
        }

        socket_read!([] &$stream);
        socket_write!([] &$stream);
        socket_read!([] $stream);
        socket_write!([] $stream);

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

pub(super) use {read_methods, socket_read, socket_write, stream_socket, write_methods};
