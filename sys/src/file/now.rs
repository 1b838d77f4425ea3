//! What the loop's own thread may ask of a file: only what the kernel has in memory.
//!
//! *Role.* A job of the pool costs a trip to another thread and back, several times what the kernel takes to copy a page that it
//! has. So the loop asks here first; [`Answer`] may say: ask the pool.
//!
//! *How Linux is asked.* A read with RWF_NOWAIT gives what is in the page cache, and EAGAIN instead of a wait for the disk or for a
//! lock. `openat2` with RESOLVE_CACHED walks a path only as far as the directory cache leads. What may still wait is the
//! last step: of a file system that asks somebody else (a server; a FUSE daemon, perhaps one that this very loop runs), of a FIFO,
//! of a device. So a path is first walked with O_PATH, which asks nobody, and what came out must be of the right kind, on a
//! mount that is known to keep its inodes in memory.
//!
//! *Which mounts those are* takes a question that may wait: the pool asks it, by [`learn`], once per mount. A mount is known by a
//! number that is never used again (STATX_MNT_ID_UNIQUE, Linux 6.8); on older kernels, and on other systems, only reads
//! are answered here, or nothing.
//!
//! *Cost.* Five system calls for an open where two would do, which is cheap beside a trip: cell file-read of
//! `docs/performance.md` has both.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// What a question came to that must not wait.
#[derive(Debug)]
pub enum Answer<T> {
    /// The answer.
    Here(io::Result<T>),
    /// Nobody knows without waiting: ask the pool.
    Pool,
    /// The mount is not known; ask the pool, and have it [`learn`].
    PoolLearns,
}

/// Reads what is in memory from where the file stands. 0 is the end. `None`: ask the pool.
#[inline]
pub fn read_now(file: &File, buf: &mut [u8]) -> Option<usize> {
    os::read_now(file, buf)
}

/// Reads what is in memory at a place.
#[inline]
pub fn read_at_now(file: &File, buf: &mut [u8], offset: u64) -> Option<usize> {
    os::read_at_now(file, buf, offset)
}

/// Opens a regular file to be read, if all of its path is in memory; and how long it is.
#[inline]
pub fn open_now(path: &Path) -> Answer<(File, u64)> {
    os::open_now(path)
}

/// What a file is like, if all of its path is in memory; of a symbolic link itself, unless it is followed.
#[inline]
pub fn metadata_now(path: &Path, is_followed: bool) -> Answer<Metadata> {
    os::metadata_now(path, is_followed)
}

/// Finds out whether the mount that `path` is on asks nobody for what it has in memory. May wait.
pub fn learn(path: &Path) {
    os::learn(path);
}

#[cfg(target_os = "linux")]
mod os {
    use std::fs::{File, Metadata};
    use std::io::IoSliceMut;
    use std::path::Path;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
    use rustix::io::{Errno, ReadWriteFlags};

    use super::Answer;
    use crate::fault::{self, Call};

    /// Where the file stands.
    const CURRENT: u64 = u64::MAX;

    /// STATX_MNT_ID_UNIQUE. A kernel that does not know it answers without it.
    const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

    /// How many mounts are remembered; of a process that meets more, the others stay with the pool.
    const MOUNTS_MAX: usize = 64;

    /// The numbers (`statfs.f_type`) of file systems that ask nobody to open a file whose inode they have: ext, XFS, btrfs,
    /// tmpfs, ramfs, F2FS, squashfs, EROFS, ZFS, bcachefs. Overlayfs is not: what lies below it may be anything.
    const LOCAL: [u32; 10] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x8584_58f6,
        0xf2f5_2010,
        0x7371_7368,
        0xe0f5_e1e2,
        0x2fc1_2fc1,
        0xca45_1a4e,
    ];

    /// The mounts that were asked: twice their number, and one more if they are local; 0 is a free place. A place is taken
    /// once. No lock, for a fork would pass it on as another thread happens to hold it.
    static MOUNTS: [AtomicU64; MOUNTS_MAX] = [const { AtomicU64::new(0) }; MOUNTS_MAX];

    #[inline]
    pub(super) fn read_now(file: &File, buf: &mut [u8]) -> Option<usize> {
        read(file, buf, CURRENT)
    }

    #[inline]
    pub(super) fn read_at_now(file: &File, buf: &mut [u8], offset: u64) -> Option<usize> {
        // Beyond, the offset would be a negative number, which says something else.
        i64::try_from(offset).ok()?;
        read(file, buf, offset)
    }

    fn read(file: &File, buf: &mut [u8], offset: u64) -> Option<usize> {
        let most = fault::check(Call::FileNow, buf.len()).ok()?;
        let mut bufs = [IoSliceMut::new(&mut buf[..most])];
        match rustix::io::preadv2(file, &mut bufs, offset, ReadWriteFlags::NOWAIT) {
            // Linux 5.9 and 5.10 say this, too, where they would have to wait.
            Ok(0) => is_at_end(file, offset).then_some(0),
            Ok(count) => Some(count),
            Err(_) => None,
        }
    }

    /// Whether a read there finds nothing; asks nobody, for a file that RWF_NOWAIT works upon is a local one.
    fn is_at_end(file: &File, offset: u64) -> bool {
        let place = match offset {
            CURRENT => rustix::fs::tell(file),
            offset => Ok(offset),
        };
        let stat = rustix::fs::fstat(file);
        let is_end = |(place, stat): (u64, rustix::fs::Stat)| {
            FileType::from_raw_mode(stat.st_mode).is_file()
                && i64::try_from(place).is_ok_and(|place| place >= stat.st_size)
        };
        place.ok().zip(stat.ok()).is_some_and(is_end)
    }

    pub(super) fn open_now(path: &Path) -> Answer<(File, u64)> {
        match walk(path, OFlags::empty()) {
            Answer::Here(Ok((_, kind))) if kind != FileType::RegularFile => Answer::Pool,
            // With O_NONBLOCK in case that it is another file by now; a regular one does not care.
            Answer::Here(Ok(_)) => match open(path, OFlags::NONBLOCK | OFlags::NOCTTY) {
                Ok(file) => match look(&file) {
                    Some(stat) if kind_of(&stat) == FileType::RegularFile => {
                        Answer::Here(Ok((file, stat.stx_size)))
                    }
                    _ => Answer::Pool,
                },
                Err(_) => Answer::Pool,
            },
            Answer::Here(Err(error)) => Answer::Here(Err(error)),
            Answer::Pool => Answer::Pool,
            Answer::PoolLearns => Answer::PoolLearns,
        }
    }

    pub(super) fn metadata_now(path: &Path, is_followed: bool) -> Answer<Metadata> {
        let flags = match is_followed {
            true => OFlags::empty(),
            false => OFlags::NOFOLLOW,
        };
        match walk(path, flags) {
            Answer::Here(Ok((seen, _))) => match seen.metadata() {
                Ok(metadata) => Answer::Here(Ok(metadata)),
                Err(_) => Answer::Pool,
            },
            Answer::Here(Err(error)) => Answer::Here(Err(error)),
            Answer::Pool => Answer::Pool,
            Answer::PoolLearns => Answer::PoolLearns,
        }
    }

    pub(super) fn learn(path: &Path) {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let Ok(seen) = rustix::fs::open(path, flags, Mode::empty()) else {
            return;
        };
        let Some(mount) = look(&seen).and_then(|stat| mount_of(&stat)) else {
            return;
        };
        let Ok(stat) = rustix::fs::fstatfs(&seen) else {
            return;
        };
        // The numbers are of 32 bits, whatever the field's type.
        let is_local = LOCAL.contains(&(stat.f_type as u32));
        let entry = mount << 1 | u64::from(is_local);
        for place in &MOUNTS {
            match place.compare_exchange(0, entry, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(known) if known >> 1 == mount => return,
                Err(_) => {}
            }
        }
    }

    /// Where a path leads and what that is, if it is in memory and on a mount that asks nobody.
    fn walk(path: &Path, flags: OFlags) -> Answer<(File, FileType)> {
        if fault::check(Call::FileNow, 0).is_err() {
            return Answer::Pool;
        }
        let seen = match open(path, flags | OFlags::PATH) {
            Ok(seen) => seen,
            // What a cache can know for certain: a name that is known to be nobody's, say.
            Err(error @ (Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP)) => {
                return Answer::Here(Err(error.into()));
            }
            Err(_) => return Answer::Pool,
        };
        let Some((stat, mount)) =
            look(&seen).and_then(|stat| mount_of(&stat).map(|mount| (stat, mount)))
        else {
            return Answer::Pool;
        };
        for place in &MOUNTS {
            match place.load(Relaxed) {
                0 => return Answer::PoolLearns,
                known if known >> 1 != mount => {}
                known if known & 1 == 1 => return Answer::Here(Ok((seen, kind_of(&stat)))),
                _ => break,
            }
        }
        Answer::Pool
    }

    fn open(path: &Path, flags: OFlags) -> rustix::io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        let fd = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?;
        Ok(File::from(fd))
    }

    /// Type, length and mount, as far as they are known without asking anybody.
    fn look(file: &impl std::os::fd::AsFd) -> Option<Statx> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        rustix::fs::statx(
            file,
            "",
            flags,
            StatxFlags::TYPE | StatxFlags::SIZE | UNIQUE,
        )
        .ok()
    }

    fn kind_of(stat: &Statx) -> FileType {
        FileType::from_raw_mode(u32::from(stat.stx_mode))
    }

    fn mount_of(stat: &Statx) -> Option<u64> {
        (stat.stx_mask & UNIQUE.bits() != 0).then_some(stat.stx_mnt_id)
    }
}

/// This system does not say what it has in memory.
#[cfg(not(target_os = "linux"))]
mod os {
    use std::fs::{File, Metadata};
    use std::path::Path;

    use super::Answer;

    pub(super) fn read_now(_file: &File, _buf: &mut [u8]) -> Option<usize> {
        None
    }

    pub(super) fn read_at_now(_file: &File, _buf: &mut [u8], _offset: u64) -> Option<usize> {
        None
    }

    pub(super) fn open_now(_path: &Path) -> Answer<(File, u64)> {
        Answer::Pool
    }

    pub(super) fn metadata_now(_path: &Path, _is_followed: bool) -> Answer<Metadata> {
        Answer::Pool
    }

    pub(super) fn learn(_path: &Path) {}
}
