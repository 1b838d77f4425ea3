//! Lines that never end, lines at the edges of what a line is, and readers that do not keep to the rules.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::string::FromUtf8Error;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, LINE_LIMIT, Lines, repeat,
};

use super::drive::exceeded;
use super::slow::{Slow, Step, finish, poll_once};

/// std's traits have methods of the same names.
fn lines<R: mainspring::io::AsyncBufRead>(reader: R) -> Lines<R> {
    AsyncBufReadExt::lines(reader)
}

/// A reader that counts what it gives.
#[derive(Debug)]
struct Counting<R> {
    inner: R,
    count: usize,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counting<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = std::task::ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.count += count;
        Poll::Ready(Ok(count))
    }
}

/// A line that never ends, and how much of it was read.
fn endless() -> BufReader<Counting<mainspring::io::Repeat>> {
    BufReader::new(Counting {
        inner: repeat(b'x'),
        count: 0,
    })
}

#[test]
fn hz_i01_an_endless_line_fails_at_the_default_limit_and_no_more_of_it_is_kept_or_read() {
    let mut reader = endless();
    for _ in 0..100 {
        let mut line = String::new();
        let error = exceeded(finish(reader.read_line(&mut line)));
        assert_eq!((error.limit, line.capacity()), (LINE_LIMIT, 0));
        let mut bytes = Vec::new();
        let error = exceeded(finish(reader.read_until(b'\n', &mut bytes)));
        assert_eq!((error.limit, bytes.capacity()), (LINE_LIMIT, 0));
    }
    assert_eq!(reader.get_ref().count, LINE_LIMIT + 1);
    assert_eq!(reader.capacity(), LINE_LIMIT + 1);
}

#[test]
fn hz_i01_an_endless_line_fails_in_every_buffered_reader() {
    let mut reader = endless();
    let (mut bytes, mut line) = (Vec::new(), String::new());
    for _ in 0..100 {
        let read = AsyncBufReadExt::read_until(&mut reader, b'\n', &mut bytes);
        assert_eq!(exceeded(finish(read)).limit, LINE_LIMIT);
        let read = AsyncBufReadExt::read_line(&mut reader, &mut line);
        assert_eq!(exceeded(finish(read)).limit, LINE_LIMIT);
    }
    assert!(bytes.len() <= LINE_LIMIT && bytes.capacity() <= 2 * LINE_LIMIT);
    assert!(line.len() <= LINE_LIMIT && line.capacity() <= 2 * LINE_LIMIT);
    assert!(reader.get_ref().count <= 2 * LINE_LIMIT + reader.capacity());

    let mut ours = lines(endless());
    assert_eq!(exceeded(finish(ours.next_line())).limit, LINE_LIMIT);
    for _ in 0..100 {
        assert_eq!(finish(ours.next_line()).unwrap(), None);
    }
    assert!(ours.partial().len() <= LINE_LIMIT);
    assert!(ours.get_ref().get_ref().count <= LINE_LIMIT + ours.get_ref().capacity());
}

#[test]
fn hz_i01_a_line_of_64_mebibytes_is_skipped_and_memory_stays_flat() {
    const LONG: u64 = 64 << 20;
    let long = AsyncReadExt::take(repeat(b'x'), LONG);
    let all = AsyncReadExt::chain(long, &b"\nnext\n"[..]);
    let mut ours = lines(BufReader::new(Counting {
        inner: all,
        count: 0,
    }));
    assert_eq!(exceeded(finish(ours.next_line())).limit, LINE_LIMIT);
    finish(ours.skip_line()).unwrap();
    assert_eq!(finish(ours.next_line()).unwrap().as_deref(), Some("next"));
    assert_eq!(finish(ours.next_line()).unwrap(), None);
    assert_eq!(ours.get_ref().get_ref().count as u64, LONG + 6);
    assert_eq!(ours.get_ref().capacity(), 8 << 10);
}

/// Whoever read a long line gives its memory back with the next bytes.
#[test]
fn hz_h11_a_buffer_that_grew_for_one_line_shrinks_again() {
    let data = [&vec![b'x'; 50_000][..], b"\n", &[b'y'; 9000]].concat();
    let mut reader = BufReader::new(&data[..]);
    let mut line = String::new();
    assert_eq!(finish(reader.read_line(&mut line)).unwrap(), 50_001);
    assert!(reader.capacity() > 50_000);
    finish(reader.read_exact(&mut [0; 9000])).unwrap();
    finish(reader.fill_buf()).unwrap();
    assert_eq!(reader.capacity(), 8 << 10);
}

/// Each way to cut `data` in two, byte by byte, and all at once, through small buffers and usual ones.
fn all_ways(data: &[u8]) -> Vec<BufReader<Slow>> {
    let cuts = (1..=data.len()).map(|cut| vec![Step::Move(cut), Step::Wait]);
    let by_one = std::iter::repeat_n([Step::Move(1), Step::Wait], data.len() + 1);
    let mut ways: Vec<Vec<Step>> = cuts.collect();
    ways.push(by_one.flatten().collect());
    let readers = ways.into_iter().flat_map(|steps| {
        let reader = Slow::reader(data, steps);
        [1, 2, 8192].map(|capacity| BufReader::with_capacity(capacity, reader.clone()))
    });
    readers.collect()
}

/// Lines, or the bytes of what is no text.
type Expected = &'static [Result<&'static str, &'static [u8]>];

#[test]
fn hz_i02_a_line_is_a_line_in_every_corner_however_it_is_cut() {
    let cases: &[(&[u8], Expected)] = &[
        (b"", &[]),
        (b"\n", &[Ok("")]),
        (b"\n\n", &[Ok(""), Ok("")]),
        (b"a", &[Ok("a")]),
        (b"a\n", &[Ok("a")]),
        (b"a\n\nb", &[Ok("a"), Ok(""), Ok("b")]),
        (b"\r\n", &[Ok("")]),
        (b"\r", &[Ok("\r")]),
        (b"a\r", &[Ok("a\r")]),
        (b"a\rb\r\n", &[Ok("a\rb")]),
        (b"a\r\r\n", &[Ok("a\r")]),
        (b"\n\r", &[Ok(""), Ok("\r")]),
        (b"\r\n\r\n", &[Ok(""), Ok("")]),
        (b"\0\n", &[Ok("\0")]),
        ("é\r\n🕰".as_bytes(), &[Ok("é"), Ok("🕰")]),
        (
            "\u{feff}a\u{2028}b\n".as_bytes(),
            &[Ok("\u{feff}a\u{2028}b")],
        ),
        (b"\xff\nok\n", &[Err(b"\xff"), Ok("ok")]),
        (
            b"\xe2\x82\n\xac\nok",
            &[Err(b"\xe2\x82"), Err(b"\xac"), Ok("ok")],
        ),
        (b"ok\n\xf0\x9f", &[Ok("ok"), Err(b"\xf0\x9f")]),
        (b"\xff\r\n\xff\r", &[Err(b"\xff"), Err(b"\xff\r")]),
    ];
    for (data, expected) in cases {
        for reader in all_ways(data) {
            let mut ours = lines(reader);
            for line in *expected {
                match (finish(ours.next_line()), line) {
                    (Ok(found), Ok(line)) => assert_eq!(found.as_deref(), Some(*line)),
                    (Err(error), Err(bytes)) => {
                        let error = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>();
                        assert_eq!(error.unwrap().as_bytes(), *bytes);
                    }
                    (found, line) => panic!("{found:?} in {data:?}, not {line:?}"),
                }
            }
            // The end comes, whatever the last line was, and stays.
            for _ in 0..3 {
                assert_eq!(finish(ours.next_line()).unwrap(), None);
            }
        }
    }
}

#[test]
fn hz_i02_a_character_that_is_cut_at_every_byte_is_whole_in_the_end() {
    let text = "é€🕰\n";
    for mut reader in all_ways(text.as_bytes()) {
        let mut line = String::new();
        loop {
            // Dropped after each poll: of BufReader's own nothing is lost.
            match poll_once(reader.read_line(&mut line)) {
                Poll::Ready(count) => break assert_eq!(count.unwrap(), text.len()),
                Poll::Pending => assert!(line.is_empty()),
            }
        }
        assert_eq!(line, text);
    }
    for mut reader in all_ways(text.as_bytes()) {
        let mut line = String::new();
        finish(AsyncBufReadExt::read_line(&mut reader, &mut line)).unwrap();
        assert_eq!(line, text);
    }
}

/// Gives 64 bytes at a time.
#[derive(Debug)]
struct Drip<R>(R);

impl<R: AsyncRead + Unpin> AsyncRead for Drip<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = buf.len().min(64);
        Pin::new(&mut self.0).poll_read(cx, &mut buf[..count])
    }
}

/// 2^18 reads for a line of 16 MiB: a search that began anew after each would look at 2^41 bytes, which takes
/// minutes.
#[test]
#[allow(clippy::disallowed_methods, reason = "work is measured, nobody waits")]
fn hz_h12_a_long_line_that_comes_in_small_pieces_is_searched_once() {
    const LONG: u64 = 16 << 20;
    let begin = std::time::Instant::now();
    let long = || {
        let line = AsyncReadExt::take(repeat(b'x'), LONG);
        BufReader::new(Drip(AsyncReadExt::chain(line, &b"\n"[..])))
    };
    let (mut bytes, mut reader) = (Vec::new(), long());
    let count = finish(reader.read_until(b'\n', &mut bytes).unlimited()).unwrap();
    assert_eq!(count as u64, LONG + 1);
    let line = finish(lines(long()).unlimited().next_line()).unwrap();
    assert_eq!(line.unwrap().len() as u64, LONG);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn hz_a31_a_reader_that_lies_below_a_buffer_is_not_believed() {
    let is_told = |error: io::Error| {
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(
            error.to_string().contains("its implementation is wrong"),
            "{error}"
        );
    };
    let liar = || BufReader::new(Slow::reader(b"abcd\n", [Step::Move(2), Step::Lie]));
    let mut bytes = Vec::new();
    let mut reader = liar();
    is_told(finish(reader.read_until(b'\n', &mut bytes)).unwrap_err());
    assert_eq!(reader.buffer(), b"ab");
    is_told(finish(liar().read_exact(&mut [0; 4])).unwrap_err());
    is_told(finish(liar().read_u32()).unwrap_err());
    is_told(finish(AsyncBufReadExt::read_until(&mut liar(), b'\n', &mut bytes)).unwrap_err());
    assert_eq!(bytes, b"ab");
    is_told(finish(lines(liar()).next_line()).unwrap_err());
    is_told(finish(liar().skip_until(b'\n')).unwrap_err());
    let mut reader = BufReader::new(Slow::reader(b"abcd\n", [Step::Lie]));
    is_told(finish(reader.fill_buf()).unwrap_err());
    let mut small = BufReader::new(Slow::reader(b"abcd\n", [Step::Lie]));
    is_told(finish(AsyncReadExt::read(&mut small, &mut [0; 2])).unwrap_err());
}

/// Gives two bytes, then panics, then goes on.
#[derive(Debug)]
struct Panics(u32);

impl AsyncRead for Panics {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0 += 1;
        buf.fill(b'?');
        assert_ne!(self.0, 2, "the reader's own");
        let bytes = if self.0 == 1 { b"ab" } else { b"c\n" };
        buf[..2].copy_from_slice(bytes);
        Poll::Ready(Ok(2))
    }
}

#[test]
fn hz_a31_a_reader_that_panics_half_way_leaves_what_came_before() {
    let mut reader = BufReader::new(Panics(0));
    let mut line = String::new();
    let read = AssertUnwindSafe(|| finish(reader.read_line(&mut line)));
    assert!(catch_unwind(read).is_err());
    assert_eq!(reader.buffer(), b"ab");
    finish(reader.read_line(&mut line)).unwrap();
    assert_eq!(line, "abc\n");
}

#[test]
#[should_panic(expected = "5 bytes were taken of 4 that were shown")]
fn more_than_was_shown_cannot_be_taken() {
    let mut reader = BufReader::new(&b"abcd"[..]);
    finish(reader.fill_buf()).unwrap();
    mainspring::io::AsyncBufRead::consume(Pin::new(&mut reader), 5);
}

/// Reads in a task that never waits; another one is ready.
async fn others_run_beside(read: impl AsyncFn(&mut BufReader<&'static [u8]>)) {
    static DATA: [u8; 4000] = [b'\n'; 4000];
    let has_run = Rc::new(Cell::new(false));
    let seen = Rc::clone(&has_run);
    let other = mainspring::spawn(async move { seen.set(true) });
    let mut reader = BufReader::new(&DATA[..]);
    for _ in 0..1000 {
        read(&mut reader).await;
    }
    assert!(has_run.get());
    other.await.unwrap();
}

#[test]
fn hz_b14_lines_that_lie_in_memory_let_others_run() {
    mainspring::run(async {
        others_run_beside(async |reader| {
            reader.read_line(&mut String::new()).await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            reader.read_until(0, &mut Vec::new()).limit(9).await.ok();
        })
        .await;
        others_run_beside(async |reader| {
            let mut line = String::new();
            let read = AsyncBufReadExt::read_line(reader, &mut line);
            read.await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            reader.skip_until(b'\n').await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            reader.read_u16().await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            reader.read_exact(&mut [0; 3]).await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            AsyncReadExt::read(reader, &mut [0; 1]).await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            let mut one = [0; 1];
            let mut bufs = [io::IoSliceMut::new(&mut one)];
            reader.read_vectored(&mut bufs).await.unwrap();
        })
        .await;
        others_run_beside(async |reader| {
            reader.fill_buf().await.unwrap();
            mainspring::io::AsyncBufRead::consume(Pin::new(reader), 1);
        })
        .await;
        others_run_beside(async |reader| {
            lines(reader).next_line().await.unwrap();
        })
        .await;
    })
    .unwrap();
}

/// The future of `fill_buf` borrows what it shows.
#[test]
fn fill_buf_shows_what_is_there_and_takes_nothing() {
    let mut reader = BufReader::with_capacity(2, Slow::reader(b"abc", [Step::Wait]));
    assert!(poll_once(reader.fill_buf()).is_pending());
    for _ in 0..2 {
        assert_eq!(finish(reader.fill_buf()).unwrap(), b"ab");
    }
    mainspring::io::AsyncBufRead::consume(Pin::new(&mut reader), 2);
    assert_eq!(finish(reader.fill_buf()).unwrap(), b"c");
    mainspring::io::AsyncBufRead::consume(Pin::new(&mut reader), 1);
    assert_eq!(finish(reader.fill_buf()).unwrap(), b"");
}
