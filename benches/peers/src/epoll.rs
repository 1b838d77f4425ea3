//! epoll(7) with nothing around it: for the load, and for the floor `rawepoll`.

use std::cell::RefCell;
use std::os::fd::RawFd;

pub struct Epoll {
    fd: RawFd,
    events: RefCell<Vec<libc::epoll_event>>,
}

impl Epoll {
    pub fn new() -> Epoll {
        // SAFETY: a system call without pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "an epoll descriptor");
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; 1024];
        Epoll {
            fd,
            events: RefCell::new(events),
        }
    }

    pub fn add(&self, fd: RawFd, interest: u32, token: u64) {
        let mut event = libc::epoll_event {
            events: interest,
            u64: token,
        };
        // SAFETY: the event outlives the call, which copies it.
        let status = unsafe { libc::epoll_ctl(self.fd, libc::EPOLL_CTL_ADD, fd, &mut event) };
        assert_eq!(status, 0, "epoll takes the descriptor");
    }

    pub fn remove(&self, fd: RawFd) {
        let none = std::ptr::null_mut();
        // SAFETY: a removal reads no event.
        let status = unsafe { libc::epoll_ctl(self.fd, libc::EPOLL_CTL_DEL, fd, none) };
        assert_eq!(status, 0, "epoll knows the descriptor");
    }

    /// The tokens of what is ready, after a wait without limit.
    pub fn wait(&self) -> impl Iterator<Item = u64> {
        let mut events = self.events.borrow_mut();
        // SAFETY: the kernel writes at most as many events as the vector has.
        let count =
            unsafe { libc::epoll_wait(self.fd, events.as_mut_ptr(), events.len() as i32, -1) };
        (0..count.max(0) as usize).map(move |index| events[index].u64)
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours, and nobody uses it after this.
        unsafe { libc::close(self.fd) };
    }
}
