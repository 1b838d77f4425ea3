//! Buffered readers and writers, lines and pieces, dropped at each of their waits.

use std::pin::Pin;

use mainspring::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufStream, BufWriter,
    Lines, Split,
};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::slow::Slow;
use crate::wire;

everywhere! {
    a_buffered_read_exact_takes_its_bytes_at_once,
    a_buffered_number_takes_its_bytes_at_once,
    a_buffered_read_until_takes_a_piece_as_a_whole,
    a_buffered_read_line_takes_a_line_as_a_whole,
    a_line_from_a_socket_is_taken_as_a_whole,
    fill_buf_takes_nothing,
    a_read_until_keeps_what_came,
    a_read_line_loses_less_than_a_character,
    a_skip_goes_on_where_it_was,
    a_piece_that_was_begun_stays_in_the_stream,
    a_line_that_was_begun_stays_in_the_stream,
    a_line_that_is_too_long_is_skipped_once,
    a_buffered_write_all_takes_a_piece_as_a_whole,
    a_buffered_stream_takes_a_piece_as_a_whole,
}

/// How much is read.
const ALL: usize = 12;
/// Pieces, one of them empty, and one without its end.
const PIECES: &[u8] = b"ab;;cdefg;h";
/// Lines with characters of each length.
const TEXT: &str = "t\u{fc}ck\r\n\u{20ac}\u{1f570}\n\nlast";

/// A reader whose buffer is small, and what was read.
fn buffered(bytes: &'static [u8]) -> ((BufReader<Slow>, Vec<u8>), ()) {
    let reader = BufReader::with_capacity(3, Slow::reader(bytes));
    ((reader, Vec::new()), ())
}

/// As [`buffered`], over what the rig calls its pattern.
fn buffered_pattern() -> ((BufReader<Slow>, Vec<u8>), ()) {
    let reader = BufReader::with_capacity(3, Slow::reader(&pattern(ALL)));
    ((reader, Vec::new()), ())
}

// cancels: BufReader::read_exact
fn a_buffered_read_exact_takes_its_bytes_at_once(on: On) {
    let waits = Case::new(on, buffered_pattern).safe(
        async |(reader, got)| {
            while got.len() < ALL {
                let mut buf = [0; 4];
                reader.read_exact(&mut buf).await.unwrap();
                got.extend_from_slice(&buf);
            }
        },
        async |(_, got), ()| assert_eq!(*got, pattern(ALL)),
    );
    assert_eq!(waits as usize, ALL);
}

// cancels: BufReadNumber
fn a_buffered_number_takes_its_bytes_at_once(on: On) {
    let waits = Case::new(on, buffered_pattern).safe(
        async |(reader, got)| {
            while got.len() < ALL {
                if got.len() % 8 == 0 {
                    let number = reader.read_u32().await.unwrap();
                    got.extend_from_slice(&number.to_be_bytes());
                } else {
                    let number = reader.read_i32_le().await.unwrap();
                    got.extend_from_slice(&number.to_le_bytes());
                }
            }
        },
        async |(_, got), ()| assert_eq!(*got, pattern(ALL)),
    );
    assert_eq!(waits as usize, ALL);
}

// cancels: BufReader::read_until, BufReadUntil
fn a_buffered_read_until_takes_a_piece_as_a_whole(on: On) {
    let waits = Case::new(on, || buffered(PIECES)).safe(
        async |(reader, got)| loop {
            let before = got.len();
            let read = reader.read_until(b';', got).limit(5);
            let count = read.await.unwrap();
            assert_eq!(count, got.len() - before);
            if count == 0 {
                break;
            }
        },
        async |(_, got), ()| assert_eq!(got, PIECES),
    );
    assert_eq!(waits as usize, PIECES.len() + 2);
}

// cancels: BufReader::read_line, BufReadLine
fn a_buffered_read_line_takes_a_line_as_a_whole(on: On) {
    let setup = || {
        let reader = BufReader::with_capacity(3, Slow::reader(TEXT.as_bytes()));
        ((reader, String::new()), ())
    };
    let waits = Case::new(on, setup).safe(
        async |(reader, got)| while reader.read_line(got).limit(7).await.unwrap() > 0 {},
        async |(_, got), ()| assert_eq!(got, TEXT),
    );
    assert_eq!(waits as usize, TEXT.len() + 2);
}

// cancels: BufReader::read_line
fn a_line_from_a_socket_is_taken_as_a_whole(on: On) {
    let setup = || {
        let (near, far) = wire::unix();
        ((BufReader::new(near.stream), String::new()), far)
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|far| match TEXT.as_bytes().get(far.sent) {
            Some(byte) => far.send_bytes(&[*byte]),
            None => far.end(),
        })
        .safe(
            async |(reader, got)| while reader.read_line(got).await.unwrap() > 0 {},
            async |(_, got), _| assert_eq!(got, TEXT),
        );
    assert_eq!(waits as usize, TEXT.len() + 1);
}

// cancels: AsyncBufReadExt::fill_buf
fn fill_buf_takes_nothing(on: On) {
    let waits = Case::new(on, buffered_pattern).safe(
        async |(reader, got)| loop {
            let shown = reader.fill_buf().await.unwrap();
            let count = shown.len();
            got.extend_from_slice(shown);
            Pin::new(&mut *reader).consume(count);
            if count == 0 {
                break;
            }
        },
        async |(_, got), ()| assert_eq!(*got, pattern(ALL)),
    );
    assert_eq!(waits as usize, ALL + 1);
}

// cancels: AsyncBufReadExt::read_until, ReadUntil
fn a_read_until_keeps_what_came(on: On) {
    let setup = || ((Slow::reader(PIECES), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(reader, got)| {
            while !reader.rest().is_empty() {
                reader.read_until(b';', got).limit(5).await.unwrap();
            }
        },
        async |(_, got), ()| assert_eq!(got, PIECES),
    );
    assert!(waits >= 5, "{waits}");
}

// cancels: AsyncBufReadExt::read_line, ReadLine
fn a_read_line_loses_less_than_a_character(on: On) {
    const LINE: &str = "t\u{fc}ck \u{20ac}\u{1f570}\u{1f570}\n";
    let setup = || {
        let reader = Slow::reader(format!("{LINE}next").as_bytes());
        ((reader, String::new(), None), ())
    };
    let waits = Case::new(on, setup).not_safe(
        async |(reader, line, count)| {
            *count = Some(reader.read_line(line).limit(30).await.unwrap());
        },
        async |(reader, line, count), ()| {
            assert!(LINE.starts_with(line.as_str()));
            assert!(count.is_none_or(|count| count == LINE.len() && line == LINE));
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).await.unwrap();
            assert!(rest.ends_with(b"next"));
            let left = rest.len() - 4;
            let lost = LINE.len() - line.len() - left;
            assert!(lost <= 3 && LINE.as_bytes().ends_with(&rest[..left]));
        },
    );
    assert!(waits >= 5, "{waits}");
}

// cancels: AsyncBufReadExt::skip_until
fn a_skip_goes_on_where_it_was(on: On) {
    let setup = || (Slow::reader(b"much to skip;rest"), ());
    let waits = Case::new(on, setup).safe(
        async |reader| {
            assert!(reader.skip_until(b';').await.unwrap() > 0);
        },
        async |reader, ()| assert_eq!(reader.rest(), b"rest"),
    );
    assert_eq!(waits, 5);
}

/// Pieces over a reader that waits.
fn pieces() -> ((Split<Slow>, Vec<Vec<u8>>), ()) {
    let pieces = Slow::reader(PIECES).split(b';').limit(5);
    ((pieces, Vec::new()), ())
}

// cancels: Split::next_piece
fn a_piece_that_was_begun_stays_in_the_stream(on: On) {
    let waits = Case::new(on, pieces).safe(
        async |(pieces, got)| {
            while let Some(piece) = pieces.next_piece().await.unwrap() {
                got.push(piece);
            }
        },
        async |(_, got), ()| assert_eq!(*got, [&b"ab"[..], b"", b"cdefg", b"h"]),
    );
    assert!(waits >= 6, "{waits}");
}

/// Lines over a reader that waits.
fn lines(text: &str) -> Lines<Slow> {
    Slow::reader(text.as_bytes()).lines()
}

// cancels: Lines::next_line
fn a_line_that_was_begun_stays_in_the_stream(on: On) {
    let setup = || ((lines(TEXT), Vec::new()), ());
    let waits = Case::new(on, setup).safe(
        async |(lines, got)| {
            while let Some(line) = lines.next_line().await.unwrap() {
                got.push(line);
            }
        },
        async |(_, got), ()| {
            assert_eq!(*got, ["t\u{fc}ck", "\u{20ac}\u{1f570}", "", "last"]);
        },
    );
    assert!(waits >= 8, "{waits}");
}

// cancels: Lines::skip_line, Split::skip_piece
fn a_line_that_is_too_long_is_skipped_once(on: On) {
    let setup = || ((lines("much too long\nok\n").limit(7), false), ());
    let waits = Case::new(on, setup).safe(
        async |(lines, is_told)| {
            if !*is_told {
                lines.next_line().await.unwrap_err();
                *is_told = true;
            }
            lines.skip_line().await.unwrap();
        },
        async |(lines, _), ()| {
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ok"));
            assert_eq!(lines.next_line().await.unwrap(), None);
        },
    );
    assert!(waits >= 5, "{waits}");
}

/// Pieces that fit between the marks, that need room, and that are larger than the buffer.
const LENGTHS: [usize; 6] = [3, 3, 7, 2, 1, 9];

/// The piece that stands at `sent`.
fn piece_at(sent: usize) -> Option<Vec<u8>> {
    let mut begin = 0;
    for length in LENGTHS {
        if begin == sent {
            return Some(pattern(begin + length)[begin..].to_vec());
        }
        begin += length;
    }
    None
}

// cancels: BufWriter::write_all
fn a_buffered_write_all_takes_a_piece_as_a_whole(on: On) {
    let setup = || ((BufWriter::with_marks(1, 4, Slow::default()), 0), ());
    let waits = Case::new(on, setup).safe(
        async |(writer, sent)| {
            while let Some(piece) = piece_at(*sent) {
                writer.write_all(&piece).await.unwrap();
                *sent += piece.len();
            }
        },
        async |(writer, sent), ()| {
            writer.flush().await.unwrap();
            assert_eq!(writer.get_ref().arrived, pattern(*sent));
            assert_eq!(*sent, LENGTHS.iter().sum());
        },
    );
    assert!(waits >= 5, "{waits}");
}

// cancels: BufReader::write_all
fn a_buffered_stream_takes_a_piece_as_a_whole(on: On) {
    let setup = || {
        let writer = BufWriter::with_marks(1, 4, Slow::default());
        let stream: BufStream<Slow> = BufReader::new(writer);
        ((stream, 0), ())
    };
    let waits = Case::new(on, setup).safe(
        async |(stream, sent)| {
            while let Some(piece) = piece_at(*sent) {
                stream.write_all(&piece).await.unwrap();
                *sent += piece.len();
            }
        },
        async |(stream, sent), ()| {
            stream.flush().await.unwrap();
            let below = stream.get_ref().get_ref();
            assert_eq!(below.arrived, pattern(*sent));
        },
    );
    assert!(waits >= 5, "{waits}");
}
