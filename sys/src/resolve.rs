//! Names: `getaddrinfo` and `getnameinfo`, which block, and what their answers mean.
//!
//! *Role.* The pool's threads call these, never the loop's own: a look-up takes from a microsecond (a file)
//! to half a minute (a server that is gone). [`interface_index`] alone is quick.
//!
//! *Why the system's resolver.* It is what everything else on the machine asks: hosts file, name service
//! switch, mDNS, a local cache. It reads the environment (`LOCALDOMAIN`, `RES_OPTIONS`) on the thread that
//! looks up, so a program that changes its environment meanwhile races with it (hz_g10); there is no lock
//! that would help, which is why `std::env::set_var` is unsafe.
//!
//! *Errors.* The calls have codes of their own (EAI_…), with other numbers on each system. They become a
//! [`ResolveError`] inside the `io::Error`, which keeps the code; EAI_SYSTEM says that errno has the
//! reason, and becomes that.
//!
//! # Invariants
//!
//! - **NAME-1** A list that `getaddrinfo` made belongs to one `List`, whose drop frees it, once.
//! - **NAME-2** `getaddrinfo` writes the list's head only if it answers 0; each node's `ai_addr` is null
//!   or points at `ai_addrlen` bytes, and lives as long as the list.
//! - **NAME-3** A length that is handed over is the length of the buffer beside it, and a C string that is
//!   handed over is borrowed for the call from a `CString` that outlives it.
#![expect(unsafe_code, reason = "getaddrinfo(3) and getnameinfo(3) through libc")]
#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the types of the lengths differ per system"
)]

#[cfg(test)]
mod tests;

use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ptr;

use rustix::net::SocketAddrAny;
use rustix::net::addr::SocketAddrArg;

use crate::fault::{self, Call, Fault};

/// The longest name of a host that `getnameinfo` tells, its NUL included. NI_MAXHOST of most systems.
const HOST_LEN_MAX: usize = 1025;

/// The longest name of a service, its NUL included: NI_MAXSERV.
const SERVICE_LEN_MAX: usize = 32;

/// Codes that not every system has: no address of this kind, though there is such a name.
#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
const NO_ADDRESS: &[c_int] = &[];
#[cfg(any(target_os = "linux", target_os = "l4re"))]
const NO_ADDRESS: &[c_int] = &[libc::EAI_NODATA, -9];
#[cfg(not(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "linux",
    target_os = "l4re"
)))]
const NO_ADDRESS: &[c_int] = &[libc::EAI_NODATA];

/// What came of a look-up that gave nothing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResolveErrorKind {
    /// There is no such name, or it has no address.
    NoAddress,
    /// No answer for now: a server that is not reached, or is overloaded. It may go better later.
    TryAgain,
    /// A server refused, or answered with an error; it will again.
    Failed,
    /// There was no memory for the answer.
    OutOfMemory,
    /// Anything else.
    Other,
}

/// Why a name, or an address, could not be looked up. It stands inside an [`io::Error`]:
///
/// ```
/// use mainspring_sys::resolve::{ResolveError, ResolveErrorKind};
/// let error = std::io::Error::from(ResolveError::new(ResolveErrorKind::TryAgain, "no server answers"));
/// let inside = error.get_ref().and_then(|inner| inner.downcast_ref::<ResolveError>());
/// assert_eq!(inside.unwrap().kind(), ResolveErrorKind::TryAgain);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    kind: ResolveErrorKind,
    code: Option<i32>,
    message: String,
}

impl ResolveError {
    /// An error of a resolver that has no codes. `message` is a sentence without its full stop.
    #[must_use]
    pub fn new(kind: ResolveErrorKind, message: impl Into<String>) -> ResolveError {
        ResolveError {
            kind,
            code: None,
            message: message.into(),
        }
    }

    /// What came of it, in a word.
    #[must_use]
    pub fn kind(&self) -> ResolveErrorKind {
        self.kind
    }

    /// The system's code (EAI_NONAME, EAI_AGAIN, …), if the system's resolver was asked. Its numbers differ
    /// between systems.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// Whether the same look-up may succeed a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.kind,
            ResolveErrorKind::TryAgain | ResolveErrorKind::OutOfMemory
        )
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ResolveError {}

impl From<ResolveError> for io::Error {
    /// `NotFound` for a name without addresses, `OutOfMemory`, and `Other`.
    fn from(error: ResolveError) -> io::Error {
        let kind = match error.kind {
            ResolveErrorKind::NoAddress => io::ErrorKind::NotFound,
            ResolveErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
            ResolveErrorKind::TryAgain | ResolveErrorKind::Failed | ResolveErrorKind::Other => {
                io::ErrorKind::Other
            }
        };
        io::Error::new(kind, error)
    }
}

/// Looks `host` up, and waits for the answer: its addresses, each with `port` and each once, in the order in
/// which the system would have them tried.
///
/// # Errors
/// A [`ResolveError`], or what errno says after EAI_SYSTEM; `InvalidInput`, if there is a NUL in the name.
/// No address at all is `NotFound`.
pub fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = c_string(host)?;
    let what = || format!("the name {host:?}");
    let mut most = usize::MAX;
    match fault::intercept(Call::Resolve) {
        None => {}
        Some(Fault::Errno(code)) => return Err(failure(code, injected_errno(), what)),
        Some(Fault::Short(count)) => most = count,
    }
    let list = getaddrinfo(&name).map_err(|(code, error)| failure(code, error, what))?;
    let mut addrs = Vec::new();
    for mut addr in list.addrs().take(most) {
        addr.set_port(port);
        if !addrs.contains(&addr) {
            addrs.push(addr);
        }
    }
    if addrs.is_empty() {
        return Err(no_address(host));
    }
    Ok(addrs)
}

/// That `host` has no address, although nothing went wrong.
#[must_use]
pub fn no_address(host: &str) -> io::Error {
    let message = format!("the name {host:?} has no address");
    ResolveError::new(ResolveErrorKind::NoAddress, message).into()
}

/// Looks up what `addr` is called, and waits for the answer: the host and, for TCP, the service. What has
/// no name is told as a number.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_addr(addr: SocketAddr) -> io::Result<(String, String)> {
    let what = || format!("the address {addr}");
    if let Some(Fault::Errno(code)) = fault::intercept(Call::Resolve) {
        return Err(failure(code, injected_errno(), what));
    }
    let mut host: [c_char; HOST_LEN_MAX] = [0; HOST_LEN_MAX];
    let mut service: [c_char; SERVICE_LEN_MAX] = [0; SERVICE_LEN_MAX];
    loop {
        // SAFETY: a write past a buffer, or a read past the address, is what could go wrong; the lengths are
        // theirs (NAME-3), and `with_sockaddr` lends a valid address with its length.
        let code = unsafe {
            addr.with_sockaddr(|ptr, len| {
                libc::getnameinfo(
                    ptr.cast(),
                    len as libc::socklen_t,
                    host.as_mut_ptr(),
                    HOST_LEN_MAX as _,
                    service.as_mut_ptr(),
                    SERVICE_LEN_MAX as _,
                    0,
                )
            })
        };
        if code == 0 {
            return Ok((text(&host), text(&service)));
        }
        let error = io::Error::last_os_error();
        if !is_interrupted(code, &error) {
            return Err(failure(code, error, what));
        }
    }
}

/// The number of a network interface, by which an address of one link says which link it means.
///
/// # Errors
/// What the kernel says if there is no such interface: ENODEV, ENXIO; `InvalidInput`, if there is a NUL in
/// the name.
pub fn interface_index(name: &str) -> io::Result<u32> {
    fault::check(Call::Resolve, 0)?;
    let name = c_string(name)?;
    // SAFETY: the string is good for the call (NAME-3).
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index as u32),
    }
}

/// A list of addresses, freed on drop (NAME-1).
struct List(*mut libc::addrinfo);

impl List {
    /// The IP addresses in it.
    fn addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let mut next = self.0;
        std::iter::from_fn(move || {
            // SAFETY: a node of a list that is not freed (NAME-1), or null, which ends it.
            let node = unsafe { next.as_ref() }?;
            next = node.ai_next;
            Some(node)
        })
        .filter_map(|node| ip_address(node.ai_addr, node.ai_addrlen as usize))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the list is ours alone, and nobody frees it but here (NAME-1).
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

/// `ptr` and `len` are those of a node (NAME-2).
fn ip_address(ptr: *const libc::sockaddr, len: usize) -> Option<SocketAddr> {
    if ptr.is_null() || len > size_of::<libc::sockaddr_storage>() {
        return None;
    }
    // SAFETY: reading past the address is what could go wrong: there are `len` bytes (NAME-2), of which the
    // family is the first field.
    let family = (len >= size_of::<libc::sockaddr_in>()).then(|| unsafe { (*ptr).sa_family })?;
    let whole_len = match c_int::from(family) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        _ => return None,
    };
    if len < whole_len {
        return None;
    }
    // SAFETY: as above; `read` copies the bytes, and asks for no alignment.
    let addr = unsafe { SocketAddrAny::read(ptr.cast(), whole_len as u32) };
    SocketAddr::try_from(addr).ok()
}

/// The call itself. Its error is a code, and what errno was then.
fn getaddrinfo(name: &CStr) -> Result<List, (c_int, io::Error)> {
    loop {
        let mut head = ptr::null_mut();
        // SAFETY: an `addrinfo` is integers and pointers, so all zeroes is a valid one. The name is good for
        // the call (NAME-3), and the head is written only with a list that is ours (NAME-2).
        let code = unsafe {
            let mut hints: libc::addrinfo = std::mem::zeroed();
            hints.ai_family = libc::AF_UNSPEC;
            // Without it each address comes once for TCP, once for UDP and once raw.
            hints.ai_socktype = libc::SOCK_STREAM;
            libc::getaddrinfo(name.as_ptr(), ptr::null(), &hints, &mut head)
        };
        if code == 0 {
            return Ok(List(head));
        }
        let error = io::Error::last_os_error();
        if !is_interrupted(code, &error) {
            return Err((code, error));
        }
    }
}

fn is_interrupted(code: c_int, error: &io::Error) -> bool {
    code == libc::EAI_SYSTEM && error.kind() == io::ErrorKind::Interrupted
}

/// What the errno of an EAI_SYSTEM is that a plan asked for: the likeliest of all.
fn injected_errno() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// What `code` stands for; `error` is errno as it was then.
fn failure(code: c_int, error: io::Error, what: impl Fn() -> String) -> io::Error {
    if code == libc::EAI_SYSTEM && error.raw_os_error() != Some(0) {
        return error;
    }
    let kind = match code {
        libc::EAI_NONAME => ResolveErrorKind::NoAddress,
        libc::EAI_AGAIN => ResolveErrorKind::TryAgain,
        libc::EAI_FAIL => ResolveErrorKind::Failed,
        libc::EAI_MEMORY => ResolveErrorKind::OutOfMemory,
        code if NO_ADDRESS.contains(&code) => ResolveErrorKind::NoAddress,
        _ => ResolveErrorKind::Other,
    };
    // SAFETY: the answer is a string that lives for ever, whatever the code; it is copied at once.
    let reason = unsafe {
        let reason = libc::gai_strerror(code);
        if reason.is_null() {
            String::from("the reason has no name")
        } else {
            CStr::from_ptr(reason).to_string_lossy().into_owned()
        }
    };
    let error = ResolveError {
        kind,
        code: Some(code),
        message: format!("cannot look up {}: {reason} (code {code})", what()),
    };
    error.into()
}

fn c_string(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| {
        let complaint = format!("the name {name:?} has a NUL in it");
        io::Error::new(io::ErrorKind::InvalidInput, complaint)
    })
}

/// The bytes before the NUL. A buffer without one, which cannot be, is taken whole.
fn text(buf: &[c_char]) -> String {
    let bytes: Vec<u8> = buf
        .iter()
        .map(|&byte| byte as u8)
        .take_while(|&byte| byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
