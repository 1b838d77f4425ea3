//! `getsockopt` and `setsockopt` for what rustix has no function for.
//!
//! # Invariants
//!
//! - **OPT-1** The pointer and the length that go to the kernel are those of one initialised value, or of one
//!   slice, that lives across the call.
//! - **OPT-2** The kernel writes at most the length it was given, and says how much it wrote.
//!
//! *Why not wider.* An option whose value holds an address would let the kernel write there. A C int holds
//! none on the systems that matter, where an address has 8 bytes; the name of an interface is text.
#![expect(unsafe_code, reason = "options that rustix does not have")]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;

use rustix::io::{Errno, Result};

use crate::fd::Fd;

/// The errno of the call that just failed.
fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// A number as the kernel takes it; what is too large becomes the largest.
pub(super) fn clamp(value: u32) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}

/// A number that the kernel says is never negative.
pub(super) fn unsigned(value: c_int) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

/// A number that the kernel says is a byte.
pub(super) fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn set_bytes(fd: &Fd, level: c_int, name: c_int, bytes: &[u8]) -> Result<()> {
    let len = bytes.len() as libc::socklen_t;
    // SAFETY: OPT-1, pointer and length are the slice's.
    let answer =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, bytes.as_ptr().cast(), len) };
    if answer == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// Says how many bytes of `bytes` were written.
fn bytes_of(fd: &Fd, level: c_int, name: c_int, bytes: &mut [u8]) -> Result<usize> {
    let mut len = bytes.len() as libc::socklen_t;
    let target = bytes.as_mut_ptr().cast();
    // SAFETY: OPT-1, pointer and length are the slice's; OPT-2, no more is written.
    let answer = unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, target, &raw mut len) };
    if answer == 0 {
        Ok((len as usize).min(bytes.len()))
    } else {
        Err(last_error())
    }
}

pub(super) fn set_int(fd: &Fd, level: c_int, name: c_int, value: c_int) -> Result<()> {
    set_bytes(fd, level, name, &value.to_ne_bytes())
}

/// An option of which the kernel has fewer bytes (some systems keep a byte for a switch) counts as well.
pub(super) fn int(fd: &Fd, level: c_int, name: c_int) -> Result<c_int> {
    let mut bytes = [0; size_of::<c_int>()];
    match bytes_of(fd, level, name, &mut bytes)? {
        1 => Ok(c_int::from(bytes[0])),
        _ => Ok(c_int::from_ne_bytes(bytes)),
    }
}

/// An empty name takes the binding back.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn bind_to_device(fd: &Fd, name: &str) -> io::Result<()> {
    super::call(|| set_bytes(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn bound_device(fd: &Fd) -> io::Result<Option<String>> {
    let mut name = [0; libc::IFNAMSIZ];
    let len = super::call(|| bytes_of(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut name))?;
    let name = name[..len].split(|byte| *byte == 0).next();
    let name = name.filter(|name| !name.is_empty());
    Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
}

/// macOS binds to an interface by its number, in each family by an option of its own.
#[cfg(target_vendor = "apple")]
mod bound_if {
    use std::ffi::{CStr, CString};

    use super::super::call;
    use super::{Fd, c_int, int, io, set_int};

    fn option(fd: &Fd) -> io::Result<(c_int, c_int)> {
        Ok(if super::super::is_v6(fd)? {
            (libc::IPPROTO_IPV6, libc::IPV6_BOUND_IF)
        } else {
            (libc::IPPROTO_IP, libc::IP_BOUND_IF)
        })
    }

    pub(in super::super) fn bind_to_device(fd: &Fd, name: &str) -> io::Result<()> {
        let (level, option) = option(fd)?;
        let mut index = 0;
        if !name.is_empty() {
            let name = CString::new(name)?;
            // SAFETY: OPT-1, the string lives across the call and ends with its NUL.
            index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            if index == 0 {
                return Err(io::Error::last_os_error());
            }
        }
        call(|| set_int(fd, level, option, index as c_int))
    }

    pub(in super::super) fn bound_device(fd: &Fd) -> io::Result<Option<String>> {
        let (level, option) = option(fd)?;
        let index = call(|| int(fd, level, option))?;
        if index == 0 {
            return Ok(None);
        }
        let mut name = [0; libc::IFNAMSIZ];
        // SAFETY: OPT-1, the array has the length that the call asks for, and OPT-2, no more is written.
        let found = unsafe { libc::if_indextoname(index as u32, name.as_mut_ptr()) };
        if found.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so it wrote a name and its NUL into the array.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) };
        Ok(Some(name.to_string_lossy().into_owned()))
    }
}

#[cfg(target_vendor = "apple")]
pub(super) use bound_if::{bind_to_device, bound_device};

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod bound_if {
    use super::super::unsupported;
    use super::{Fd, io};

    const NAME: &str = "for binding to an interface; bind to an address of the interface instead";

    pub(in super::super) fn bind_to_device(_fd: &Fd, _name: &str) -> io::Result<()> {
        unsupported(NAME)
    }

    pub(in super::super) fn bound_device(_fd: &Fd) -> io::Result<Option<String>> {
        unsupported(NAME)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) use bound_if::{bind_to_device, bound_device};
