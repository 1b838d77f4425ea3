//! Files and folders.
//!
//! *Role.* No selector can wait for a disk: what is done to a file may block, so a thread of the pool does it
//! ([`Class::Files`](crate::task::blocking::Class)), while the loop goes on. [`File`] is an open file; functions do the rest
//! by path.
//!
//! *Model.* Each function here is one job of the pool, however many system calls it takes: [`read`] opens, reads and closes by one trip. What
//! lists a folder brings some hundreds of entries with each job.
//!
//! ```text
//!   await ──► in memory, and the kernel can say so? ── yes ──► answered on the loop's thread (Linux)
//!                      │ no
//!                      ▼
//!                  a job of the pool ──► answered by its thread
//! ```
//!
//! *A call that is dropped.* If no thread has begun it, it never happens. If one has, it goes on there to its end (a copy stops soon), in no
//! order with what is called next: two calls that change what is at one path, the first of them dropped, may end in either order. Who needs
//! an order awaits the first. What is read and written where an open [`File`] stands keeps its order, whatever is dropped; what is done at a
//! place of it (`read_at` and its siblings) goes on beside all else.
//!
//! *Files*, by idea: `op` is the job that is awaited; `file`, `cursor`, `shared` an open file; `at` what is done at a
//! place of it; `lock` its locks; `options` how it is opened; `whole` files that are read or written whole;
//! `name` what is done by a path; `folder` and `walk` what is in a folder; `watch` what happens to it; `temp` what goes away by itself.
//!
//! *Cost.* By cell file-read of `docs/performance.md`: a file of 4 KiB that is in memory is opened, read and closed by 2.5
//! microseconds of CPU time on the loop's thread, by 7.5 through the pool, and by 1.5 with nothing but the calls.
//! [`Builder::inline_files`](crate::Builder::inline_files) switches the short way off.

mod at;
mod cursor;
mod file;
mod folder;
mod lock;
mod name;
mod op;
mod options;
mod shared;
mod temp;
mod walk;
pub mod watch;
mod whole;

pub use at::{ReadAt, ReadExactAt};
pub use file::{File, IntoStd, TryClone};
pub use folder::{DirEntry, ReadDir, read_dir};
pub use lock::LockFile;
pub use name::{
    canonicalize, create_dir, create_dir_all, create_dir_with_mode, exchange, exists, hard_link,
    metadata, read_link, remove_dir, remove_dir_all, remove_file, rename, rename_new, set_owner,
    set_permissions, set_symlink_owner, set_times, symlink, symlink_metadata,
};
pub use op::Op;
pub use options::{Open, OpenOptions};
pub use temp::{MakeTempFile, TempDir, TempFile, temp_file};
pub use walk::{Walk, WalkError, walk};
pub use watch::Watcher;
pub use whole::{append, copy, read, read_to_string, write, write_atomic};

/// What std says of a file, and what it takes to change it.
pub use std::fs::{FileTimes, FileType, Metadata, Permissions};
