//! One message with all that comes along: `recvmsg` on Unix sockets.
//!
//! *Role.* Datagrams and records are received here, because only `recvmsg` says that one was cut; and
//! descriptors on any Unix socket, because only `recvmsg` gives them.
//!
//! *Descriptors.* Each becomes an [`OwnedFd`] before anything else happens, so whatever goes wrong
//! afterwards closes it (hz_d14). They are close-on-exec from birth where the system can do that
//! (MSG_CMSG_CLOEXEC), right after otherwise (macOS). The caller says how many he has room for:
//!
//! | more than that came | |
//! |---|---|
//! | Linux | the kernel installs no more than the buffer's length allows, a few of them beyond the room, which are closed here; the rest it throws away |
//! | elsewhere | some kernels install all of them, and forget those that don't fit: a leak that nobody can mend. So the buffer is as long as any message, and what is beyond the room is closed here |
//!
//! Either way the caller is told.
//!
//! *Cost.* The system call. A name, and a list of descriptors, allocate only where there are any.
//!
//! *Why not rustix.* Its type for a name panics on one of full length, which any stranger can bind on
//! Linux; and its type for credentials holds a process that can't be 0, as the kernel's can.
//!
//! # Invariants
//!
//! - **MSG-1** A `msghdr` points at memory that the caller of `recvmsg` borrows for the call: the buffer,
//!   the name, the space for control messages. Each length is no more than what is there.
//! - **MSG-2** After the call the kernel has set `msg_controllen` to what it wrote; only that is walked, and
//!   a length inside is never believed beyond the end.
//! - **MSG-3** A number in SCM_RIGHTS (or SCM_PIDFD) is a descriptor that the call made for this process, and
//!   that nobody else knows. Each is taken once.
#![expect(
    unsafe_code,
    reason = "recvmsg with a name of any length and credentials of any process has no safe form"
)]

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;

use rustix::io::Errno;

use os::SPACE_LEN;

use super::credentials::Credentials;
use super::retry;
use super::rights::FDS_MAX;
use super::transfer::{LEN_MAX, Moved, fit};
use super::udp::{Taken, WHOLE_LEN_FLAG};
use super::unix::Name;
use crate::fault::Call;
use crate::fd::Fd;

/// What came beside the bytes.
#[derive(Debug, Default)]
pub struct Companions {
    /// Descriptors, in the order in which they were sent; close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// More descriptors came than there was room for, or than this process may open; they are closed.
    pub are_fds_truncated: bool,
    /// Who sent it, if the socket was told to ask.
    pub credentials: Option<Credentials>,
}

/// Receives one datagram or record, or looks at it. Descriptors that came with it are closed.
///
/// # Errors
/// `WouldBlock` when nothing is there; `ConnectionReset`.
pub fn recv_message(fd: &Fd, buf: &mut [u8], peek: bool) -> io::Result<Taken> {
    retry(Call::RecvMsg, buf.len().min(LEN_MAX), |most| {
        recvmsg(fd, &mut buf[..most], flags(peek), None, None)
    })
}

/// As [`recv_message`]; and from whom it is.
///
/// # Errors
/// As [`recv_message`].
pub fn recv_message_from(fd: &Fd, buf: &mut [u8], peek: bool) -> io::Result<(Taken, SocketAddr)> {
    let mut name = Name::new();
    let message = retry(Call::RecvMsg, buf.len().min(LEN_MAX), |most| {
        recvmsg(fd, &mut buf[..most], flags(peek), Some(&mut name), None)
    })?;
    Ok((message, name.to_addr()?))
}

/// Receives bytes with at most `room` descriptors, on any Unix socket. On a stream it stops behind the bytes
/// that they were sent with; nothing is ever truncated there.
///
/// # Errors
/// As [`recv_message`].
pub fn recv_with_fds(fd: &Fd, buf: &mut [u8], room: usize) -> io::Result<(Taken, Companions)> {
    let room = room.min(FDS_MAX);
    retry(Call::RecvMsg, buf.len().min(LEN_MAX), |most| {
        let mut companions = Companions::default();
        let with = Some((room, &mut companions));
        // A Unix stream knows nothing of the whole length, and is not asked by the flag to throw bytes away, as TCP would be.
        let message = recvmsg(fd, &mut buf[..most], flags(false), None, with)?;
        Ok((message, companions))
    })
}

/// Receives bytes of a Unix stream, as [`recv_vectored`](super::recv_vectored) does of any. A read of one stops
/// behind bytes that carried descriptors, or another writer's credentials, with more left. Linux says so, by
/// MSG_CTRUNC, to a `recvmsg` that has no room for either: only what is short without it tells that nothing is
/// left. Elsewhere nothing tells, so that `asked` is never more than `done`.
///
/// # Errors
/// As [`recv`](super::recv()).
pub fn recv_unix(fd: &Fd, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    retry(Call::Recv, LEN_MAX, |most| {
        let (range, asked) = fit(bufs, most);
        let bufs = &mut bufs[range];
        if let [one] = bufs {
            return os::recv_stream(fd, &mut [IoSliceMut::new(&mut one[..asked])], asked);
        }
        os::recv_stream(fd, bufs, asked)
    })
}

/// On Linux the kernel is asked for the whole length, too.
fn flags(peek: bool) -> libc::c_int {
    WHOLE_LEN_FLAG | if peek { libc::MSG_PEEK } else { 0 }
}

fn recvmsg(
    fd: &Fd,
    buf: &mut [u8],
    flags: libc::c_int,
    mut name: Option<&mut Name>,
    companions: Option<(usize, &mut Companions)>,
) -> rustix::io::Result<Taken> {
    let room = buf.len();
    let mut slice = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: room,
    };
    // SAFETY: a struct of integers and pointers, to which nothing is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    if let Some(name) = name.as_deref_mut() {
        header.msg_name = (&raw mut name.raw).cast();
        header.msg_namelen = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    }
    let mut space = [MaybeUninit::<u64>::uninit(); SPACE_LEN / size_of::<u64>()];
    if let Some((room, _)) = &companions {
        header.msg_control = space.as_mut_ptr().cast();
        header.msg_controllen = os::control_len(*room) as _;
    }
    // SAFETY: the header points at locals and at what was borrowed for this call (MSG-1).
    let len = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags | os::CLOSE_ON_EXEC) };
    if len < 0 {
        let error = io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    }
    if let Some((room, companions)) = companions {
        // SAFETY: the kernel has just filled it, and nobody else has looked at it (MSG-2, MSG-3).
        unsafe { collect(&header, room, companions) };
        companions.are_fds_truncated |= header.msg_flags & libc::MSG_CTRUNC != 0;
        companions.fds.iter().try_for_each(os::close_on_exec)?;
    }
    if let Some(name) = name {
        name.len = header.msg_namelen as usize;
    }
    let is_truncated = header.msg_flags & libc::MSG_TRUNC != 0;
    Ok(Taken::of(len.unsigned_abs(), room, is_truncated))
}

/// Takes what the control messages hold; descriptors beyond `room` are closed.
///
/// # Safety
/// `header` is as `recvmsg` left it, and this is the first walk through it.
unsafe fn collect(header: &libc::msghdr, room: usize, companions: &mut Companions) {
    let written: usize = header.msg_controllen as _;
    let end = header.msg_control as usize + written;
    // SAFETY: the macros stay within `msg_controllen`; what they point at is a whole `cmsghdr`, and the
    // length inside is cut at the end of what the kernel wrote (MSG-2).
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while !next.is_null() {
            let (level, kind) = ((*next).cmsg_level, (*next).cmsg_type);
            let data = libc::CMSG_DATA(next);
            let told: usize = (*next).cmsg_len as _;
            let head_len = data as usize - next as usize;
            let len = told.min(end - next as usize).saturating_sub(head_len);
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => take_fds(data, len, room, companions),
                (libc::SOL_SOCKET, os::PIDFD) => take_fds(data, len, 0, &mut Companions::default()),
                _ => os::take_credentials(level, kind, data, len, companions),
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
}

/// Makes an owner for each number, at once.
///
/// # Safety
/// `data` points at `len` bytes of numbers that `recvmsg` made, and that nobody has taken (MSG-3).
unsafe fn take_fds(data: *const u8, len: usize, room: usize, companions: &mut Companions) {
    let count = len / size_of::<RawFd>();
    let room = room.saturating_sub(companions.fds.len());
    companions.fds.reserve(count.min(room));
    for index in 0..count {
        // SAFETY: within the bytes; the number need not be aligned (MSG-3).
        let raw = unsafe { data.cast::<RawFd>().add(index).read_unaligned() };
        if raw < 0 {
            continue;
        }
        // SAFETY: the descriptor was made for this process, and this is its only owner (MSG-3).
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        if index < room {
            companions.fds.push(fd);
        } else {
            companions.are_fds_truncated = true;
        }
    }
}

/// The kernel can be told how many descriptors there is room for, and throws the others away.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::io::{self, IoSliceMut};
    use std::os::fd::{AsRawFd, OwnedFd};

    use rustix::io::Errno;

    use super::super::credentials::{Credentials, visible};
    use super::{Companions, FDS_MAX, Moved};
    use crate::fd::Fd;

    pub(super) const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;

    /// SCM_PIDFD: a descriptor that an adopted socket may have been told to ask for.
    pub(super) const PIDFD: libc::c_int = 4;

    /// What credentials take, before the descriptors.
    const CREDENTIALS_LEN: usize = size_of::<libc::ucred>();

    /// Room for [`FDS_MAX`] descriptors and credentials, each with its header, in bytes.
    pub(super) const SPACE_LEN: usize =
        (size_of::<i32>() * FDS_MAX + CREDENTIALS_LEN + 64).next_multiple_of(size_of::<u64>());

    pub(super) fn recv_stream(
        fd: &Fd,
        bufs: &mut [IoSliceMut<'_>],
        asked: usize,
    ) -> rustix::io::Result<Moved> {
        // SAFETY: a struct of integers and pointers, to which nothing is a value.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = bufs.as_mut_ptr().cast();
        header.msg_iovlen = bufs.len() as _;
        // SAFETY: an `IoSliceMut` is an `iovec`, by std's word, of memory that is borrowed for this call
        // (MSG-1); there is neither name nor space.
        let done = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, CLOSE_ON_EXEC) };
        let Ok(done) = usize::try_from(done) else {
            let error = io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        };
        let is_border = header.msg_flags & libc::MSG_CTRUNC != 0;
        let asked = if is_border { done } else { asked };
        Ok(Moved { done, asked })
    }

    pub(super) fn control_len(room: usize) -> usize {
        let fds_len = (size_of::<i32>() * room) as libc::c_uint;
        // SAFETY: both only add and round; they take no pointer, so nothing can be out of bounds.
        unsafe {
            (libc::CMSG_SPACE(CREDENTIALS_LEN as libc::c_uint) + libc::CMSG_LEN(fds_len)) as usize
        }
    }

    /// They are from birth.
    pub(super) fn close_on_exec(_fd: &OwnedFd) -> rustix::io::Result<()> {
        Ok(())
    }

    /// # Safety
    /// `data` points at `len` bytes.
    pub(super) unsafe fn take_credentials(
        level: libc::c_int,
        kind: libc::c_int,
        data: *const u8,
        len: usize,
        companions: &mut Companions,
    ) {
        let is_whole = len >= CREDENTIALS_LEN;
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) && is_whole {
            // SAFETY: enough bytes, of which any are a value; they need not be aligned (MSG-2).
            let known = unsafe { data.cast::<libc::ucred>().read_unaligned() };
            companions.credentials = Some(Credentials {
                uid: known.uid,
                gid: known.gid,
                pid: visible(known.pid),
            });
        }
    }
}

/// The kernel is given room for all that one message can carry; see the header.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    use std::io::IoSliceMut;
    use std::os::fd::OwnedFd;

    use super::{Companions, Moved};
    use crate::fd::Fd;

    #[cfg(any(
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    pub(super) use at_birth::{CLOSE_ON_EXEC, close_on_exec};
    #[cfg(not(any(
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    pub(super) use later::{CLOSE_ON_EXEC, close_on_exec};

    #[allow(dead_code, reason = "macOS goes the other way")]
    mod at_birth {
        use super::OwnedFd;

        #[cfg(any(
            target_os = "freebsd",
            target_os = "dragonfly",
            target_os = "netbsd",
            target_os = "openbsd"
        ))]
        pub(in super::super) const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;

        pub(in super::super) fn close_on_exec(_fd: &OwnedFd) -> rustix::io::Result<()> {
            Ok(())
        }
    }

    #[allow(dead_code, reason = "the BSDs go the other way")]
    mod later {
        use super::OwnedFd;

        pub(in super::super) const CLOSE_ON_EXEC: libc::c_int = 0;

        /// A fork in another thread can leak the descriptor in between.
        pub(in super::super) fn close_on_exec(fd: &OwnedFd) -> rustix::io::Result<()> {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)
        }
    }

    /// Nothing else than SCM_RIGHTS carries descriptors.
    pub(super) const PIDFD: libc::c_int = libc::c_int::MIN;

    /// As long as a kernel here lets control messages be, in bytes.
    pub(super) const SPACE_LEN: usize = 4096;

    pub(super) fn control_len(_room: usize) -> usize {
        SPACE_LEN
    }

    pub(super) fn recv_stream(
        fd: &Fd,
        bufs: &mut [IoSliceMut<'_>],
        _asked: usize,
    ) -> rustix::io::Result<Moved> {
        let done = match bufs {
            [] => 0,
            [one] => rustix::net::recv(fd, &mut one[..], rustix::net::RecvFlags::empty())?.0,
            several => rustix::io::readv(fd, several)?,
        };
        Ok(Moved { done, asked: done })
    }

    /// # Safety
    /// None is needed: these systems are not asked.
    pub(super) unsafe fn take_credentials(
        _level: libc::c_int,
        _kind: libc::c_int,
        _data: *const u8,
        _len: usize,
        _companions: &mut Companions,
    ) {
    }
}
