//! Temporary files and folders: private, with names of their own, and gone by themselves.

use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::time::Duration;

use mainspring::fs::{self, TempDir, TempFile};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::{spawn_blocking, yield_now};

use crate::order::one_thread;
use crate::rig::On;
use crate::{Folder, both_ways, builder};

on_both! {
    a_temporary_file_is_private_and_goes_with_its_drop,
    a_temporary_folder_goes_with_all_that_is_in_it,
    what_is_kept_stays,
    a_file_without_a_name_is_nowhere,
    a_loop_that_ends_first_removes_what_is_temporary,
    names_that_are_taken_are_passed_over,
}

async fn until_gone(path: &std::path::Path) {
    while path.exists() {
        yield_now().await;
    }
}

fn a_temporary_file_is_private_and_goes_with_its_drop(on: On) {
    both_ways(on, async |folder| {
        let mut file = TempFile::new_in(folder.root()).await.unwrap();
        let path = file.path().to_path_buf();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        file.write_all(b"tick").await.unwrap();
        file.rewind().await.unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "tick");
        drop(file);
        until_gone(&path).await;
        let file = TempFile::new_in(folder.root()).await.unwrap();
        assert_ne!(file.path(), path);
        let path = file.path().to_path_buf();
        file.close().await.unwrap();
        assert!(!path.exists());
    });
}

fn a_temporary_folder_goes_with_all_that_is_in_it(on: On) {
    both_ways(on, async |folder| {
        let temp = TempDir::new_in(folder.root()).await.unwrap();
        let path = temp.path().to_path_buf();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::write(path.join("a/b/c"), b"tick").unwrap();
        drop(temp);
        until_gone(&path).await;
        let temp = TempDir::new_in(folder.root()).await.unwrap();
        let path = temp.path().to_path_buf();
        temp.close().await.unwrap();
        assert!(!path.exists());
    });
}

fn what_is_kept_stays(on: On) {
    both_ways(on, async |folder| {
        let (mut file, path) = TempFile::new_in(folder.root()).await.unwrap().keep();
        file.write_all(b"tick").await.unwrap();
        file.close().await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"tick");
        let kept = TempDir::new_in(folder.root()).await.unwrap().keep();
        assert!(kept.is_dir());
        let mut file = TempFile::new_in(folder.root()).await.unwrap();
        file.write_all(b"whole").await.unwrap();
        file.sync_all().await.unwrap();
        let temp = file.path().to_path_buf();
        let target = folder.path("persisted");
        file.persist(&target).await.unwrap();
        assert_eq!(std::fs::read(target).unwrap(), b"whole");
        assert!(!temp.exists());
    });
}

fn a_file_without_a_name_is_nowhere(on: On) {
    both_ways(on, async |_| {
        let mut file = fs::temp_file().await.unwrap();
        file.write_all(b"tick").await.unwrap();
        assert_eq!(file.metadata().await.unwrap().nlink(), 0);
        file.rewind().await.unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "tick");
    });
    // Where the file system has no such files.
    let plan = || Plan::new().at(Call::OpenFile, 1, Fault::Errno(libc::EOPNOTSUPP));
    one_thread(on, plan)
        .block_on(async {
            let file = fs::temp_file().await.unwrap();
            assert_eq!(file.metadata().await.unwrap().nlink(), 0);
        })
        .unwrap();
}

fn a_loop_that_ends_first_removes_what_is_temporary(on: On) {
    let folder = Folder::new();
    let (open, closed) = mpsc::channel::<()>();
    let runtime = builder(on, true)
        .blocking_threads_max(1)
        .blocking_shutdown_timeout(Duration::ZERO)
        .build()
        .unwrap();
    runtime
        .block_on(async {
            let file = TempFile::new_in(folder.root()).await.unwrap();
            let temp = TempDir::new_in(folder.root()).await.unwrap();
            let (begun, has_begun) = mpsc::channel();
            let busy = spawn_blocking(move || {
                begun.send(()).unwrap();
                let _ = closed.recv();
            });
            // That something runs would not do: the job before may still be counted.
            has_begun.recv().unwrap();
            drop((file, temp, busy));
        })
        .unwrap();
    assert_eq!(std::fs::read_dir(folder.root()).unwrap().count(), 2);
    drop(runtime);
    assert_eq!(std::fs::read_dir(folder.root()).unwrap().count(), 0);
    drop(open);
}

fn names_that_are_taken_are_passed_over(on: On) {
    let folder = Folder::new();
    let plan = || {
        Plan::new()
            .from(Call::OpenFile, 1, 3, Fault::Errno(libc::EEXIST))
            .from(Call::FileName, 1, u64::MAX, Fault::Errno(libc::EEXIST))
    };
    one_thread(on, plan)
        .block_on(async {
            let file = TempFile::new_in(folder.root()).await.unwrap();
            assert!(file.path().exists());
            // Not for ever.
            let error = TempDir::new_in(folder.root()).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
            drop(file.keep());
        })
        .unwrap();
}
