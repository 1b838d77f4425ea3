//! Whose line the futures of the extension traits say while they poll.

use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::caller::Caller;
use super::{
    AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite, AsyncWriteExt, ReadCursor,
};

/// Notes on whose behalf it was polled last, and has `left` bytes to be read.
#[derive(Default)]
struct Witness {
    line: Option<&'static Location<'static>>,
    left: usize,
}

impl AsyncRead for Witness {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.line = Caller::current();
        let count = self.left.min(buf.len());
        self.left -= count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Witness {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line = Caller::current();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line = Caller::current();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for Witness {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.line = Caller::current();
        Poll::Ready(Ok(0))
    }
}

#[test]
fn every_method_waits_on_behalf_of_its_caller_s_line() {
    let mut witness = Witness::default();
    macro_rules! check {
        ($($method:ident($($argument:expr),*),)*) => {$({
            witness.line = None;
            witness.left = 16;
            let (answer, line) = (witness.$method($($argument),*).await, line!());
            answer.unwrap();
            let told = witness.line.map(|told| (told.file(), told.line()));
            assert_eq!(told, Some((file!(), line)), stringify!($method));
        })*};
    }
    crate::run(async {
        let (mut room, mut all, mut text) = ([0; 4], Vec::new(), String::new());
        let mut slices = [IoSlice::new(b"tick")];
        check! {
            read(&mut room),
            read_vectored(&mut [IoSliceMut::new(&mut room)]),
            read_exact(&mut room),
            read_exact_buf(&mut ReadCursor::new(&mut room)),
            read_to_end(&mut all),
            read_to_string(&mut text),
            read_u8(),
            read_u64_le(),
            write(b"tick"),
            write_vectored(&slices),
            write_all(b"tick"),
            write_all_buf(&mut &b"tick"[..]),
            write_all_vectored(&mut slices),
            write_i8(7),
            write_f32(0.5),
            flush(),
            close(),
            seek(SeekFrom::Start(0)),
            rewind(),
            stream_position(),
        }
    })
    .unwrap();
}
