//! TLS by rustls over any stream of mainspring's: client, server, and a connection that becomes one on its way.
//! Made to be copied.
//!
//! *Model.* rustls does no I/O: a session takes bytes that came and has bytes to be sent. This is the pump between
//! it and a stream.
//!
//! ```text
//!   poll_read  ◄── plain text ◄── session ◄── read_tls  ◄── the stream
//!   poll_write ──► plain text ──► session ──► write_tls ──► the stream
//! ```
//!
//! *The end.* `poll_close` says `close_notify` and then ends the stream for writing; what the peer still says can
//! be read (a half-close). The peer's `close_notify` is an end like any other: 0 bytes. A stream that ends
//! without it was cut off, by whomever: `UnexpectedEof`, never 0 bytes. Where each message says how long it is
//! one may forgive that.
//!
//! *Two tasks.* Whoever reads may find that the session has something to send: what did not go out before, an
//! answer to the peer. It sends that on behalf of the task that waits to write, if there is one, so that no
//! waker replaces another's, and wakes it when all went out.
//!
//! *Cost.* The session's own buffers, up to 64 KiB of what was written and does not go out (`flush` waits for
//! that), and a copy each way, which the encryption is anyway. One write is one record or more: put a `BufWriter`
//! on top for many small ones.
//!
//! *What to build.* The provider `ring` needs a C compiler and nothing else; any other will do, for this file names
//! none.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use mainspring::io::{AsyncRead, AsyncWrite, BufReader};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, Connection, ProtocolVersion, ServerConfig, ServerConnection,
};

/// A stream inside TLS, after the handshake.
#[derive(Debug)]
pub struct TlsStream<S> {
    stream: S,
    session: Connection,
    /// Who waits to write.
    writer: Option<Waker>,
    /// We have said `close_notify`.
    is_closed: bool,
}

/// The client's handshake over `stream`, which may have carried plain text until now.
///
/// # Cancel safety
/// Not safe, because the stream goes with it: nobody could go on where a handshake stopped.
///
/// # Errors
/// `InvalidData` with a [`rustls::Error`] inside: the certificate, the version, the peer's alert.
/// `UnexpectedEof` if the peer ended it; those of the stream.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<TlsStream<S>> {
    let session = ClientConnection::new(config, name).map_err(invalid)?;
    TlsStream::start(stream, session.into()).await
}

/// The server's handshake over `stream`, which may have carried plain text until now. Give it a time limit.
///
/// # Cancel safety
/// Not safe, because the stream goes with it.
///
/// # Errors
/// As for [`connect`].
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: Arc<ServerConfig>,
) -> io::Result<TlsStream<S>> {
    let session = ServerConnection::new(config).map_err(invalid)?;
    TlsStream::start(stream, session.into()).await
}

/// The stream under a reader of plain text, to begin TLS on it (`STARTTLS` and its kin).
///
/// # Errors
/// `InvalidData` if there are bytes behind the command that asked for it: who sent them did so in plain text,
/// and they must not be taken for something that was said under TLS.
pub fn end_plain_text<S>(reader: BufReader<S>) -> io::Result<S> {
    if reader.buffer().is_empty() {
        return Ok(reader.into_inner());
    }
    let advice = "plain text came behind the command that starts TLS: end the connection";
    Err(io::Error::new(ErrorKind::InvalidData, advice))
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// A stream as rustls asks for it: `Pending` is `WouldBlock`.
struct Blocking<'a, 'b, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
}

fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for Blocking<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        now(Pin::new(&mut *self.stream).poll_read(self.cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> Write for Blocking<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        now(Pin::new(&mut *self.stream).poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        now(Pin::new(&mut *self.stream).poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

impl<S> TlsStream<S> {
    /// The session: the peer's certificates, the protocol that was agreed on, the version.
    pub fn session(&self) -> &Connection {
        &self.session
    }

    /// The stream inside, for its addresses and options. To read or write it would break the session.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    async fn start(stream: S, session: Connection) -> io::Result<TlsStream<S>> {
        let mut tls = TlsStream {
            stream,
            session,
            writer: None,
            is_closed: false,
        };
        poll_fn(|cx| tls.poll_handshake(cx)).await?;
        Ok(tls)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_over = !self.session.is_handshaking();
            let sent = self.poll_send(cx)?;
            if is_over && self.owes_only_tickets() {
                return Poll::Ready(Ok(()));
            }
            ready!(sent);
            if is_over {
                return Pin::new(&mut self.stream).poll_flush(cx);
            }
            if ready!(self.poll_receive(cx))? == 0 {
                let words = "the peer ended the connection during the handshake";
                return Poll::Ready(Err(io::Error::new(ErrorKind::UnexpectedEof, words)));
            }
        }
    }

    /// After its handshake a server of TLS 1.3 hands out tickets for the next one. To wait for a client that
    /// does not read them, because it has nothing to read yet, would be to wait for ever; they go with
    /// whatever comes next.
    fn owes_only_tickets(&self) -> bool {
        let is_server = matches!(self.session, Connection::Server(_));
        is_server && self.session.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Sends all that the session has to say.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut stream = Blocking {
                stream: &mut self.stream,
                cx,
            };
            match self.session.write_tls(&mut stream) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// As `poll_send`, for who writes, and is remembered while it waits.
    fn poll_send_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_send(cx);
        self.writer = result.is_pending().then(|| cx.waker().clone());
        result
    }

    /// Sends what can be sent while somebody reads. An error is the writer's, who will meet it.
    fn send_aside(&mut self, cx: &mut Context<'_>) {
        if !self.session.wants_write() {
            return;
        }
        let Some(writer) = self.writer.take() else {
            let _ = self.poll_send(cx);
            return;
        };
        if self
            .poll_send(&mut Context::from_waker(&writer))
            .is_pending()
        {
            self.writer = Some(writer);
        } else {
            writer.wake();
        }
    }

    /// Takes what came, and says how many bytes of the stream that were.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = Blocking {
            stream: &mut self.stream,
            cx,
        };
        let count = match self.session.read_tls(&mut stream) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        };
        match self.session.process_new_packets() {
            Ok(_) => Poll::Ready(Ok(count)),
            Err(error) => {
                // The alert that tells the peer why, if the stream takes it.
                self.send_aside(cx);
                Poll::Ready(Err(invalid(error)))
            }
        }
    }

    /// Gives plain text to the session, as soon as it has room for some.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        is_empty: bool,
        mut take: impl FnMut(&mut rustls::Writer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.is_closed {
            let words = "this side of the connection was closed";
            return Poll::Ready(Err(io::Error::new(ErrorKind::BrokenPipe, words)));
        }
        loop {
            let count = take(&mut self.session.writer())?;
            if count > 0 || is_empty {
                // What does not go out now goes with a later call.
                return match self.poll_send(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(count)),
                };
            }
            ready!(self.poll_send_all(cx))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.session.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            self.send_aside(cx);
            // At the stream's end the session knows which end it was.
            ready!(self.poll_receive(cx))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, buf.is_empty(), |writer| writer.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let is_empty = bufs.iter().all(|buf| buf.is_empty());
        self.poll_take(cx, is_empty, |writer| writer.write_vectored(bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_all(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closed {
            self.session.send_close_notify();
            self.is_closed = true;
        }
        ready!(self.poll_send_all(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
