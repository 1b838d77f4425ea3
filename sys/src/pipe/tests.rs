//! What goes through a pipe, how it ends, and how a FIFO opens.

use std::io::{ErrorKind, IoSlice, IoSliceMut};

use super::*;

#[test]
fn an_end_does_not_block_and_is_closed_on_exec() {
    let (reader, writer) = pipe().unwrap();
    for end in [&reader, &writer] {
        let flags = rustix::fs::fcntl_getfl(end).unwrap();
        assert!(flags.contains(OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(end).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    let error = read(&reader, &mut [0; 4]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn bytes_go_through_one_buffer_or_several() {
    let (reader, writer) = pipe().unwrap();
    assert_eq!(write(&writer, b"tick").unwrap().done, 4);
    let parts = [&b"-"[..], b"", b"tock"].map(IoSlice::new);
    assert_eq!(write_vectored(&writer, &parts).unwrap().done, 5);
    let (mut head, mut tail) = ([0; 2], [0; 16]);
    let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
    assert_eq!(read_vectored(&reader, &mut bufs).unwrap().done, 9);
    assert_eq!((&head, &tail[..7]), (b"ti", &b"ck-tock"[..]));
    drop(writer);
    assert_eq!(read(&reader, &mut tail).unwrap().done, 0, "the end");
}

#[test]
fn a_write_that_nobody_can_read_is_an_error_and_no_signal() {
    crate::sigpipe::tests::in_a_process_of_default_sigpipe(
        "pipe::tests::a_write_that_nobody_can_read_is_an_error_and_no_signal",
        || {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            let error = write(&writer, b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        },
    );
}

#[test]
fn a_fifo_opens_without_waiting_for_its_other_end() {
    let path = std::env::temp_dir().join(format!("mainspring-fifo-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    make_fifo(&path, 0o600).unwrap();
    let error = open_fifo(&path, End::Writer).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    let reader = open_fifo(&path, End::Reader).unwrap();
    let writer = open_fifo(&path, End::Writer).unwrap();
    write(&writer, b"x").unwrap();
    assert_eq!(read(&reader, &mut [0; 4]).unwrap().done, 1);
    std::fs::remove_file(&path).unwrap();
    let error = open_fifo(Path::new("/dev/null"), End::Reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
