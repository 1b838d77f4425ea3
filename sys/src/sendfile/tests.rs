//! What a file's bytes, and the errors of sending them, come to.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::*;

/// A file that has no name any more.
fn file_of(bytes: &[u8]) -> File {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    let name = format!("mainspring-sendfile-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = File::options();
    let mut file = options
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn pair() -> (Fd, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (crate::socket::adopt(near.into()).unwrap(), far)
}

#[test]
fn bytes_that_were_sent_come_before_the_error() {
    assert_eq!(settle(None, 7), Ok(7));
    assert_eq!(settle(None, 0), Ok(0));
    for errno in [Errno::AGAIN, Errno::INTR, Errno::PIPE, Errno::BUSY] {
        assert_eq!(settle(Some(errno), 7), Ok(7), "{errno}");
        assert_eq!(settle(Some(errno), 0), Err(errno));
    }
}

#[test]
fn what_another_way_may_still_do_is_refused_and_nothing_else() {
    for errno in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP] {
        assert!(is_refused(&errno.into()), "{errno}");
    }
    for errno in [
        Errno::AGAIN,
        Errno::PIPE,
        Errno::IO,
        Errno::NOMEM,
        Errno::CONNRESET,
    ] {
        assert!(!is_refused(&errno.into()), "{errno}");
    }
}

#[test]
fn a_part_is_sent_and_the_file_s_position_stays() {
    let (near, mut far) = pair();
    let mut file = file_of(b"tick tock");
    let position = std::io::Seek::stream_position(&mut file).unwrap();
    match sendfile(&near, file.as_fd(), 5, 3) {
        Ok(sent) => {
            assert_eq!(sent, 3);
            let mut buf = [0; 3];
            far.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"toc");
        }
        Err(error) => assert!(is_refused(&error), "{error}"),
    }
    assert_eq!(std::io::Seek::stream_position(&mut file).unwrap(), position);
    let mut buf = [0; 16];
    assert_eq!(read_at(file.as_fd(), &mut buf, 5).unwrap(), 4);
    assert_eq!(&buf[..4], b"tock");
    assert_eq!(std::io::Seek::stream_position(&mut file).unwrap(), position);
}

#[test]
fn nothing_is_asked_for_nothing_and_an_offset_beyond_all_files_is_an_error() {
    let (near, far) = pair();
    let file = file_of(b"tick");
    assert_eq!(sendfile(&near, file.as_fd(), 0, 0).unwrap(), 0);
    drop(far);
    let error = sendfile(&near, file.as_fd(), 1 << 63, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = read_at(file.as_fd(), &mut [0], u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_regular_file_knows_its_length_and_a_pipe_has_none() {
    assert_eq!(file_len(file_of(b"tick").as_fd()).unwrap(), Some(4));
    assert_eq!(file_len(file_of(b"").as_fd()).unwrap(), None);
    assert_eq!(file_len(pair().1.as_fd()).unwrap(), None);
}

#[cfg(all(feature = "sim", any(target_os = "linux", target_os = "android")))]
#[test]
fn an_interrupt_is_no_error_and_a_plan_can_cut_a_call_short() {
    use crate::fault::{Fault, Plan, count_of};
    let (near, _far) = pair();
    let file = file_of(b"tick");
    let plan = Plan::new()
        .at(Call::Sendfile, 1, Fault::Errno(libc::EINTR))
        .at(Call::Sendfile, 2, Fault::Short(3));
    let guard = plan.install();
    assert_eq!(sendfile(&near, file.as_fd(), 0, 4).unwrap(), 3);
    assert_eq!(count_of(Call::Sendfile), 2);
    drop(guard);
}
