//! What all stream sockets have in common beyond other byte streams, written once, as macros.

/// The methods that only a stream socket reads with, beside [`read_methods`].
macro_rules! socket_read_methods {
    () => {
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
    };
}

/// The methods that only a stream socket writes with, beside [`write_methods`].
macro_rules! socket_write_methods {
    () => {
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
    };
}

/// The methods and traits of a stream socket: `$stream` has a field `socket`.
macro_rules! stream_socket {
    ($stream:ident) => {
        impl $stream {
            read_methods!();
            socket_read_methods!();
            write_methods!();
            socket_write_methods!();

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
            fn endpoint(&self) -> &Endpoint {
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

pub(super) use {socket_read_methods, socket_write_methods, stream_socket};
