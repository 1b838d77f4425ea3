//! What all byte streams over a descriptor have in common, written once, as macros: who has a method
//! `endpoint` gets from them the side that reads, the side that writes, or both.
//!
//! *Why macros.* The methods belong into each type's own page, where its users look, and a trait for
//! them would have to be imported.

/// The methods that read: for an `impl` whose type has `fn endpoint(&self) -> &Endpoint`.
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

        /// Reads what is there, without waiting. The kernel is asked each time.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; as for `read` otherwise.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            if buf.is_empty() {
                return Ok(0);
            }
            let endpoint = self.endpoint();
            endpoint.try_move(Direction::Read, |fd| endpoint.family().read(fd, buf))
        }

        /// As `try_read`, into several buffers, one after the other.
        ///
        /// # Errors
        /// As for `try_read`.
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            if bufs.iter().all(|buf| buf.is_empty()) {
                return Ok(0);
            }
            let endpoint = self.endpoint();
            endpoint.try_move(Direction::Read, |fd| {
                endpoint.family().read_vectored(fd, bufs)
            })
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
            StreamReady::new(self.endpoint(), Direction::Read, Location::caller())
        }

        #[inline]
        fn wait_to_read(&self, location: &'static Location<'static>) -> Wait<'_, Reading> {
            Wait::new(self.endpoint(), Reading, location)
        }
    };
}

/// The methods that write: for an `impl` whose type has `fn endpoint(&self) -> &Endpoint`.
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

        /// Writes what fits, without waiting. The kernel is asked each time.
        ///
        /// # Errors
        /// `WouldBlock` if nothing fits; as for `write` otherwise.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            if buf.is_empty() {
                return Ok(0);
            }
            let endpoint = self.endpoint();
            endpoint.try_move(Direction::Write, |fd| endpoint.family().write(fd, buf))
        }

        /// As `try_write`, from several buffers, one after the other.
        ///
        /// # Errors
        /// As for `try_write`.
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            if bufs.iter().all(|buf| buf.is_empty()) {
                return Ok(0);
            }
            let endpoint = self.endpoint();
            endpoint.try_move(Direction::Write, |fd| {
                endpoint.family().write_vectored(fd, bufs)
            })
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
            StreamReady::new(self.endpoint(), Direction::Write, Location::caller())
        }

        #[inline]
        fn wait_to_write(&self, location: &'static Location<'static>) -> Wait<'_, Writing> {
            Wait::new(self.endpoint(), Writing, location)
        }
    };
}

/// `AsyncRead` of whatever has an endpoint; `$type` may be a reference, with its generics before it.
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
                self.endpoint().poll_read(cx, buf)
            }

            #[track_caller]
            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.endpoint().poll_read_vectored(cx, bufs)
            }
        }
    };
}

/// `AsyncWrite` of whatever has a socket as its endpoint. Nothing is kept, so there is nothing to flush.
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
                self.endpoint().poll_write(cx, buf)
            }

            #[track_caller]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.endpoint().poll_write_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.endpoint().close_write())
            }
        }
    };
}

pub(crate) use {read_methods, socket_read, socket_write, write_methods};
