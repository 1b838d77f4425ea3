//! Every system call of files and folders, made to fail at the first, the nth and every time: it is told, and nothing leaks.

use std::io;

use mainspring::fs::{self, File};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::stream::StreamExt;

use crate::order::one_thread;
use crate::rig::{On, open_fds, pattern};
use crate::{Folder, builder};

on_both! {
    whatever_fails_is_told_and_nothing_leaks,
    interrupted_calls_are_made_again_and_short_ones_go_on,
    what_the_loop_may_not_ask_the_pool_is_asked,
    a_clone_that_is_refused_becomes_a_copy,
}

/// Each kind of call, with the errnos that its calls are documented to have.
const ERRNOS: [(Call, &[i32]); 9] = [
    (
        Call::OpenFile,
        &[
            libc::EMFILE,
            libc::ENFILE,
            libc::EACCES,
            libc::ENOENT,
            libc::ENOSPC,
            libc::EROFS,
            libc::ETXTBSY,
        ],
    ),
    (Call::Read, &[libc::EIO, libc::EISDIR, libc::ESTALE]),
    (
        Call::Write,
        &[
            libc::ENOSPC,
            libc::EIO,
            libc::EDQUOT,
            libc::EFBIG,
            libc::EPIPE,
        ],
    ),
    (Call::FileSync, &[libc::EIO, libc::ENOSPC, libc::EDQUOT]),
    (Call::FileStat, &[libc::EIO, libc::EACCES, libc::ENOMEM]),
    (
        Call::FileChange,
        &[libc::EPERM, libc::EIO, libc::EROFS, libc::ENOLCK],
    ),
    (
        Call::FileName,
        &[
            libc::EACCES,
            libc::EBUSY,
            libc::EMLINK,
            libc::ENOSPC,
            libc::EROFS,
            libc::EXDEV,
        ],
    ),
    (Call::FileCopy, &[libc::EIO, libc::ENOSPC, libc::ENOMEM]),
    (Call::ReadFolder, &[libc::EIO, libc::ENOENT]),
];

/// A bit of everything.
async fn everything(folder: &Folder) -> io::Result<()> {
    let path = folder.path("file");
    fs::write(&path, pattern(1000)).await?;
    let mut file = File::options().read(true).write(true).open(&path).await?;
    file.write_all(b"tick").await?;
    file.flush().await?;
    file.rewind().await?;
    let mut buf = [0; 4];
    file.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"tick");
    file.write_all_at(b"tock", 10).await?;
    file.read_exact_at(&mut buf, 10).await?;
    assert_eq!(&buf, b"tock");
    file.sync_all().await?;
    file.set_len(500).await?;
    assert!(file.try_lock().await?);
    assert_eq!(file.metadata().await?.len(), 500);
    drop(file);
    let copy = folder.path("copy");
    assert_eq!(fs::copy(&path, &copy).await?, 500);
    assert_eq!(fs::read(&copy).await?.len(), 500);
    fs::write_atomic(&path, "new").await?;
    assert_eq!(fs::read_to_string(&path).await?, "new");
    fs::rename(&path, folder.path("renamed")).await?;
    fs::symlink("renamed", folder.path("link")).await?;
    assert_eq!(fs::metadata(folder.path("link")).await?.len(), 3);
    fs::create_dir_all(folder.path("a/b")).await?;
    let mut entries = fs::walk(folder.root()).with_metadata();
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        entry?;
        count += 1;
    }
    assert_eq!(count, 5);
    drop(entries);
    fs::remove_dir_all(folder.path("a")).await?;
    fs::remove_file(folder.path("link")).await
}

fn whatever_fails_is_told_and_nothing_leaks(on: On) {
    on.alone(|| {
        for (call, errnos) in ERRNOS {
            for &errno in errnos {
                for (nth, times) in [(1, 1), (2, 1), (3, 1), (1, u64::MAX)] {
                    let folder = Folder::new();
                    let before = open_fds();
                    let fault = Fault::Errno(errno);
                    let plan = move || Plan::new().from(call, nth, times, fault);
                    let runtime = one_thread(on, plan);
                    let result = runtime.block_on(everything(&folder)).unwrap();
                    drop(runtime);
                    match result {
                        Err(error) => assert_eq!(error.raw_os_error(), Some(errno), "{call:?}"),
                        // There was no such call so often, or another way (a copy, an entry without metadata).
                        Ok(()) => assert_ne!((nth, times), (1, u64::MAX), "{call:?} {errno}"),
                    }
                    assert_eq!(open_fds(), before, "{call:?} {errno} {nth} {times}");
                }
            }
        }
    });
}

fn interrupted_calls_are_made_again_and_short_ones_go_on(on: On) {
    for (call, _) in ERRNOS {
        for nth in 1..4 {
            let folder = Folder::new();
            let fault = Fault::Errno(libc::EINTR);
            let plan = move || Plan::new().from(call, nth, 3, fault);
            let result = one_thread(on, plan).block_on(everything(&folder));
            result
                .unwrap()
                .unwrap_or_else(|error| panic!("{call:?} {nth}: {error}"));
        }
    }
    for (call, most) in [
        (Call::Read, 1),
        (Call::Read, 3),
        (Call::Write, 1),
        (Call::FileCopy, 7),
    ] {
        let folder = Folder::new();
        let plan = move || Plan::new().from(call, 1, u64::MAX, Fault::Short(most));
        let result = one_thread(on, plan).block_on(everything(&folder));
        result
            .unwrap()
            .unwrap_or_else(|error| panic!("{call:?} {most}: {error}"));
    }
}

fn what_the_loop_may_not_ask_the_pool_is_asked(on: On) {
    for fault in [
        Fault::Errno(libc::EAGAIN),
        Fault::Errno(libc::EOPNOTSUPP),
        Fault::Short(1),
    ] {
        for (nth, times) in [(1, 1), (3, 1), (5, 2), (1, u64::MAX)] {
            let folder = Folder::new();
            let _plan = Plan::new().from(Call::FileNow, nth, times, fault).install();
            let runtime = builder(on, true).build().unwrap();
            runtime.block_on(everything(&folder)).unwrap().unwrap();
        }
    }
}

fn a_clone_that_is_refused_becomes_a_copy(on: On) {
    for errno in [
        libc::EXDEV,
        libc::EOPNOTSUPP,
        libc::EINVAL,
        libc::ENOSYS,
        libc::EPERM,
    ] {
        // The clone, the copy by the kernel, or that from its second call on.
        for (nth, times) in [(1, 1), (1, u64::MAX), (3, u64::MAX)] {
            let folder = Folder::new();
            let bytes = pattern(2_300_000);
            let source = folder.file("source", &bytes);
            let fault = Fault::Errno(errno);
            let plan = move || Plan::new().from(Call::FileCopy, nth, times, fault);
            one_thread(on, plan)
                .block_on(async {
                    let count = fs::copy(&source, folder.path("copy")).await.unwrap();
                    assert_eq!(count, bytes.len() as u64);
                })
                .unwrap();
            assert!(std::fs::read(folder.path("copy")).unwrap() == bytes);
        }
    }
}
