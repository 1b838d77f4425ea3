//! The mask of a thread: one bit for each processor on which it may run.
//!
//! # Invariants
//!
//! - **CPU-1** The kernel gets the address of a whole mask and that mask's size in bytes. To all these kernels a mask is an
//!   array of longs, as ours is of words.
#![expect(unsafe_code, reason = "masks of processors, through libc")]

use std::io;

/// How many bits a word has.
const WORD_BITS: usize = usize::BITS as usize;

/// How many words a mask has: room for 8192 processors on 64-bit systems, as many as a kernel is built for.
#[cfg(not(target_os = "freebsd"))]
const WORDS: usize = 128;
/// How many words a mask has, as the system's headers say.
#[cfg(target_os = "freebsd")]
const WORDS: usize = size_of::<libc::cpuset_t>() / size_of::<usize>();

type Mask = [usize; WORDS];

pub(super) fn allowed() -> io::Result<Vec<usize>> {
    let mut mask: Mask = [0; WORDS];
    // SAFETY: CPU-1; 0 is the calling thread.
    #[cfg(not(target_os = "freebsd"))]
    let answer = unsafe { libc::sched_getaffinity(0, size_of::<Mask>(), (&raw mut mask).cast()) };
    // SAFETY: CPU-1; -1 is the calling thread.
    #[cfg(target_os = "freebsd")]
    let answer = unsafe {
        libc::cpuset_getaffinity(
            libc::CPU_LEVEL_WHICH,
            libc::CPU_WHICH_TID,
            -1,
            size_of::<Mask>(),
            (&raw mut mask).cast(),
        )
    };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    let is_set = |number: &usize| mask[number / WORD_BITS] >> (number % WORD_BITS) & 1 == 1;
    Ok((0..WORDS * WORD_BITS).filter(is_set).collect())
}

pub(super) fn allow(processors: &[usize]) -> io::Result<()> {
    let mut mask: Mask = [0; WORDS];
    for number in processors {
        let word = mask.get_mut(number / WORD_BITS);
        *word.ok_or(io::ErrorKind::InvalidInput)? |= 1 << (number % WORD_BITS);
    }
    // SAFETY: CPU-1; 0 is the calling thread.
    #[cfg(not(target_os = "freebsd"))]
    let answer = unsafe { libc::sched_setaffinity(0, size_of::<Mask>(), (&raw const mask).cast()) };
    // SAFETY: CPU-1; -1 is the calling thread.
    #[cfg(target_os = "freebsd")]
    let answer = unsafe {
        libc::cpuset_setaffinity(
            libc::CPU_LEVEL_WHICH,
            libc::CPU_WHICH_TID,
            -1,
            size_of::<Mask>(),
            (&raw const mask).cast(),
        )
    };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
