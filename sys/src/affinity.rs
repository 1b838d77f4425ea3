//! On which processors a thread may run: asked of the system, and told to it.
//!
//! *Role.* `mainspring::workers` pins each of its threads to a processor of its own.
//!
//! *What systems have.* Linux, Android and FreeBSD have a mask per thread, which children and new threads inherit.
//! DragonFly's and NetBSD's want rights that a program rarely has, or another library; macOS takes hints that its newer
//! machines ignore; OpenBSD and illumos have nothing that fits. There all of this answers `Unsupported`, and a thread
//! runs wherever it likes.

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod mask;

use std::io;

use crate::fault::{self, Call};

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
use self::mask as imp;

/// The processors on which this thread may run, by their numbers, least first: what the program was allowed, not
/// what the machine has.
///
/// # Errors
/// `Unsupported` where there are no masks; EINVAL on a machine with more processors than a mask holds.
pub fn allowed() -> io::Result<Vec<usize>> {
    fault::check(Call::Affinity, 0)?;
    imp::allowed()
}

/// Lets this thread, and the threads and children that it starts from now on, run on these processors only.
///
/// # Errors
/// `Unsupported` where there are no masks; EINVAL if none of them may be used.
pub fn allow(processors: &[usize]) -> io::Result<()> {
    fault::check(Call::Affinity, 0)?;
    imp::allow(processors)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod imp {
    use std::io;

    pub(super) fn allowed() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn allow(_processors: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_held_on_each_processor_and_let_go_again() {
        let Ok(all) = allowed() else {
            let refused = allow(&[0]).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            return;
        };
        assert!(!all.is_empty());
        // A thread of its own: masks are inherited, and other tests may start threads.
        let thread = std::thread::spawn(move || {
            for processor in &all {
                allow(&[*processor]).unwrap();
                assert_eq!(allowed().unwrap(), [*processor]);
            }
            allow(&all).unwrap();
            assert_eq!(allowed().unwrap(), all);
            assert!(allow(&[]).is_err());
            assert!(allow(&[usize::MAX]).is_err());
            assert_eq!(allowed().unwrap(), all, "what was refused changed nothing");
        });
        thread.join().unwrap();
    }
}
