//! Tests of small files: read whole, refused, and seen to change.

use std::path::PathBuf;

use super::*;

/// A path that is nobody else's, and is cleared on drop.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let name = format!("mainspring-file-{test}-{}", std::process::id());
        let place = Place(std::env::temp_dir().join(name));
        let _ = fs::remove_file(&place.0);
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_is_read_whole_and_one_that_is_not_there_is_none() {
    let place = Place::new("whole");
    assert_eq!(read(&place.0, 10).unwrap(), None);
    assert_eq!(stamp(&place.0).unwrap(), None);
    let long = vec![7; 3 * STEP + 1];
    fs::write(&place.0, &long).unwrap();
    let (bytes, first) = read(&place.0, long.len()).unwrap().unwrap();
    assert_eq!(bytes, long);
    assert_eq!(stamp(&place.0).unwrap(), Some(first));
    fs::write(&place.0, b"short").unwrap();
    assert_ne!(stamp(&place.0).unwrap(), Some(first));
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let place = Place::new("long");
    fs::write(&place.0, [0; 11]).unwrap();
    let error = read(&place.0, 10).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(read(&place.0, 11).is_ok());
}

#[test]
fn what_is_no_regular_file_is_refused_without_a_wait() {
    let error = read(&std::env::temp_dir(), 10).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    #[cfg(not(target_vendor = "apple"))]
    {
        use rustix::fs::{FileType, Mode};
        let place = Place::new("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &place.0,
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        let error = read(&place.0, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[cfg(feature = "sim")]
#[test]
fn an_interrupted_call_is_made_again_and_an_error_comes_out() {
    use crate::fault::{Fault, Plan};
    let place = Place::new("faults");
    fs::write(&place.0, b"x").unwrap();
    for nth in 1..=3 {
        let guard = Plan::new()
            .at(Call::Read, nth, Fault::Errno(libc::EINTR))
            .install();
        assert_eq!(read(&place.0, 9).unwrap().unwrap().0, b"x");
        drop(guard);
        let guard = Plan::new()
            .at(Call::Read, nth, Fault::Errno(libc::EIO))
            .install();
        assert_eq!(
            read(&place.0, 9).unwrap_err().raw_os_error(),
            Some(libc::EIO)
        );
        drop(guard);
    }
}

#[test]
fn a_copy_that_nobody_wants_leaves_its_target_alone() {
    let (source, target) = (Place::new("wanted-from"), Place::new("wanted-to"));
    fs::write(&source.0, "new").unwrap();
    fs::write(&target.0, "old").unwrap();
    let error = copy(&source.0, &target.0, &|| false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert_eq!(fs::read(&target.0).unwrap(), b"old");
    let (count, _) = copy(&source.0, &target.0, &|| true).unwrap();
    assert_eq!(count, 3);
    assert_eq!(fs::read(&target.0).unwrap(), b"new");
}
