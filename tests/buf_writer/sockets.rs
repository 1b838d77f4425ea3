//! Buffers in both directions over sockets, on both backends.

use std::io::ErrorKind;
use std::time::Duration;

use mainspring::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufStream, BufWriter, copy_buf,
};
use mainspring::net::UnixStream;
use mainspring::time::timeout;

use super::rig::{On, both, pattern, reset_on_close, small_buffers, tcp_pair};

on_both! {
    questions_and_answers_go_by_lines_through_a_buffered_stream,
    a_mebibyte_in_lines_passes_through_small_sockets,
    a_line_that_times_out_is_read_again_and_nothing_is_lost,
    a_piece_that_times_out_is_written_again_and_comes_once,
    a_copy_from_a_buffered_reader_to_a_buffered_writer_is_complete,
    a_peer_that_resets_is_told_to_each_further_piece,
}

fn questions_and_answers_go_by_lines_through_a_buffered_stream(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        let client = async {
            let mut near = BufStream::over(near);
            for round in 0..100 {
                near.write_all(format!("question {round}\r\n").as_bytes())
                    .await
                    .unwrap();
                near.flush().await.unwrap();
                let mut answer = String::new();
                near.read_line(&mut answer).await.unwrap();
                assert_eq!(answer, format!("question {round}?\n"));
            }
            near.close().await.unwrap();
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"bye");
        };
        let server = async {
            let mut lines = BufStream::over(far).lines();
            while let Some(question) = lines.next_line().await.unwrap() {
                let writer = lines.get_mut();
                writer.write_all(question.as_bytes()).await.unwrap();
                writer.write_all(b"?\n").await.unwrap();
                writer.flush().await.unwrap();
            }
            lines.get_mut().write_all(b"bye").await.unwrap();
            lines.get_mut().close().await.unwrap();
        };
        both(client, server).await;
    });
}

fn a_mebibyte_in_lines_passes_through_small_sockets(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        small_buffers(&far, 16 << 10);
        // Lengths on all sides of both buffers' sizes.
        let lines: Vec<String> = (0..400)
            .map(|index: usize| "x".repeat(index * 97 % 20_011))
            .collect();
        let writer = async {
            let mut near = BufWriter::with_marks(1 << 10, 8 << 10, near);
            for line in &lines {
                near.write_all(line.as_bytes()).await.unwrap();
                near.write_all(b"\n").await.unwrap();
            }
            near.close().await.unwrap();
        };
        let reader = async {
            let mut far = BufReader::new(far);
            for expected in &lines {
                let mut line = String::new();
                far.read_line(&mut line).await.unwrap();
                assert!(line.strip_suffix('\n') == Some(expected));
            }
            assert_eq!(far.read_line(&mut String::new()).await.unwrap(), 0);
        };
        both(writer, reader).await;
    });
}

fn a_line_that_times_out_is_read_again_and_nothing_is_lost(on: On) {
    on.sim(async {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut far = BufReader::new(far);
        let mut line = String::new();
        for part in ["one l", "ong li", "ne\n"] {
            let late = timeout(Duration::from_millis(5), far.read_line(&mut line));
            assert!(late.await.is_err() && line.is_empty());
            AsyncWriteExt::write_all(&mut near, part.as_bytes())
                .await
                .unwrap();
        }
        assert_eq!(far.read_line(&mut line).await.unwrap(), 14);
        assert_eq!(line, "one long line\n");
    });
}

fn a_piece_that_times_out_is_written_again_and_comes_once(on: On) {
    on.sim(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        small_buffers(&near, 4 << 10);
        small_buffers(&far, 4 << 10);
        let mut near = BufWriter::with_marks(1 << 10, 2 << 10, near);
        let all = pattern(100_000);
        let (mut late, mut got) = (0, Vec::new());
        for piece in all.chunks(1500) {
            while timeout(Duration::from_millis(5), near.write_all(piece))
                .await
                .is_err()
            {
                late += 1;
                let mut buf = [0; 3000];
                let count = AsyncReadExt::read(&mut far, &mut buf).await.unwrap();
                got.extend_from_slice(&buf[..count]);
            }
        }
        assert!(late > 10, "{late}");
        let writer = async {
            near.close().await.unwrap();
        };
        let (_, end) = both(writer, far.read_to_end(&mut got)).await;
        end.unwrap();
        assert!(got == all);
    });
}

fn a_copy_from_a_buffered_reader_to_a_buffered_writer_is_complete(on: On) {
    on.run(async {
        let all = pattern(300_000);
        let (mut source, front) = UnixStream::pair().unwrap();
        let (back, mut sink) = UnixStream::pair().unwrap();
        let sender = async {
            AsyncWriteExt::write_all(&mut source, &all).await.unwrap();
            source.close().await.unwrap();
        };
        let relay = async {
            let (mut front, mut back) = (BufReader::new(front), BufWriter::new(back));
            let count = copy_buf(&mut front, &mut back).await.unwrap();
            assert_eq!((count, back.unsent()), (300_000, 0));
            back.close().await.unwrap();
        };
        let mut got = Vec::new();
        let receiver = async { sink.read_to_end(&mut got).await.unwrap() };
        let ((), (_, count)) = both(sender, both(relay, receiver)).await;
        assert!(count == all.len() && got == all);
    });
}

fn a_peer_that_resets_is_told_to_each_further_piece(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        reset_on_close(&far);
        drop(far);
        let mut near = BufWriter::new(near);
        near.write_all(b"tick").await.unwrap();
        let mut lost = 0;
        for _ in 0..10 {
            // The first send may still find the reset unseen.
            if near.flush().await.is_err() {
                lost += 1;
            }
            if lost > 0 {
                let error = near.write_all(b"tock").await.unwrap_err();
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                    ),
                    "{error}"
                );
            } else {
                near.write_all(b"tock").await.unwrap();
            }
        }
        assert!(lost > 0);
    });
}
