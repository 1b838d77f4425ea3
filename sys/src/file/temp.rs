//! Files and folders that nobody else has: with a name that was free, or without one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::retry_as;
use crate::fault::Call;

/// How many names are tried before a folder counts as full of them.
const NAMES_MAX: usize = 1000;
/// What names are made of.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new file in `folder`, to be read and written, with a name that begins and ends like this, and this mode less what the
/// umask takes away.
///
/// # Errors
/// What `open` says.
pub fn temp_file(
    folder: &Path,
    prefix: &str,
    suffix: &str,
    mode: u32,
) -> io::Result<(File, PathBuf)> {
    with_free_name(folder, prefix, suffix, |path| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        retry_as(Call::OpenFile, 0, |_| options.open(path))
    })
}

/// A new folder in `folder`, for its owner alone, with a name that begins like this.
///
/// # Errors
/// What `mkdir` says.
pub fn temp_dir(folder: &Path, prefix: &str) -> io::Result<PathBuf> {
    let made = with_free_name(folder, prefix, "", |path| {
        retry_as(Call::FileName, 0, |_| {
            DirBuilder::new().mode(0o700).create(path)
        })
    });
    made.map(|((), path)| path)
}

/// A new file in `folder` without a name, gone with its last descriptor: by O_TMPFILE where the file system has it, else by
/// removing a name that nobody had time to know.
///
/// # Errors
/// What `open` says.
pub fn open_nameless(folder: &Path) -> io::Result<File> {
    match retry_as(Call::OpenFile, 0, |_| os::open_nameless(folder)) {
        Ok(file) => Ok(file),
        Err(error) if is_unknown(&error) => {
            let (file, path) = temp_file(folder, ".", "", 0o600)?;
            retry_as(Call::FileName, 0, |_| std::fs::remove_file(&path))?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// EISDIR is what a kernel says that does not know the flag.
fn is_unknown(error: &io::Error) -> bool {
    let errnos = [
        libc::EISDIR,
        libc::EOPNOTSUPP,
        libc::ENOTSUP,
        libc::EINVAL,
        libc::ENOSYS,
    ];
    error.kind() == ErrorKind::Unsupported || errnos.map(Some).contains(&error.raw_os_error())
}

fn with_free_name<T>(
    folder: &Path,
    prefix: &str,
    suffix: &str,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    for count in 1.. {
        let path = folder.join(format!("{prefix}{}{suffix}", random_letters()));
        match make(&path) {
            Ok(made) => return Ok((made, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && count < NAMES_MAX => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the loop returns")
}

/// Twelve letters, 60 bits, from std's source of random keys: names that cannot be guessed, in case that a
/// stranger may write to the folder. He who guesses one makes us try another: the file must be new.
fn random_letters() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut letter = || {
        let letter = LETTERS[(number % 32) as usize];
        number /= 32;
        char::from(letter)
    };
    (0..12).map(|_| letter()).collect()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags};

    pub(super) fn open_nameless(folder: &Path) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(File::from(rustix::fs::open(folder, flags, mode)?))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn open_nameless(_folder: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
