//! Files that are read, written and copied whole, and what is done by a path.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use mainspring::fs;
use mainspring::sim::fault::{Call, Fault, Plan};

use crate::order::one_thread;
use crate::rig::{On, pattern};
use crate::{Folder, both_ways, jobs, runtime};

on_both! {
    whole_files_agree_with_std,
    a_whole_file_costs_one_trip,
    files_without_a_length_are_read_to_their_end,
    an_atomic_write_leaves_the_old_file_or_the_new_one,
    an_atomic_write_that_cannot_see_the_old_file_is_an_error,
    a_copy_has_content_and_permissions,
    names_agree_with_std,
    renames_that_must_not_replace_do_not,
    a_rename_by_a_link_leaves_one_name,
    links_lead_where_they_should,
    permissions_and_times_are_set,
    errors_are_those_of_the_system,
}

fn whole_files_agree_with_std(on: On) {
    both_ways(on, async |folder| {
        for len in [0, 1, 4095, 4096, 65_536, 65_537, 3 << 20] {
            let bytes = pattern(len);
            let path = folder.file("whole", &bytes);
            assert!(fs::read(&path).await.unwrap() == bytes, "{len}");
            assert!(fs::read(&path).await.unwrap() == bytes, "{len}");
            let path = folder.path("written");
            fs::write(&path, bytes.clone()).await.unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{len}");
        }
        let path = folder.path("text");
        fs::write(&path, "grüße").await.unwrap();
        fs::append(&path, "!").await.unwrap();
        assert_eq!(fs::read_to_string(&path).await.unwrap(), "grüße!");
        fs::write(&path, b"\xff\xfe").await.unwrap();
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

fn a_whole_file_costs_one_trip(on: On) {
    let folder = Folder::new();
    let path = folder.file("trip", &pattern(1 << 20));
    runtime(on, false)
        .block_on(async {
            fs::read(&path).await.unwrap();
            fs::write(folder.path("other"), pattern(1 << 20))
                .await
                .unwrap();
            fs::copy(&path, folder.path("copy")).await.unwrap();
            fs::write_atomic(&path, "new").await.unwrap();
            assert_eq!(jobs(), 4);
        })
        .unwrap();
}

/// Files of the kernel's say that they are empty.
fn files_without_a_length_are_read_to_their_end(on: On) {
    both_ways(on, async |_| {
        let Ok(theirs) = std::fs::read("/proc/self/cmdline") else {
            return println!("this system has no /proc");
        };
        assert_eq!(fs::read("/proc/self/cmdline").await.unwrap(), theirs);
        let folder = Folder::new();
        let copied = fs::copy("/proc/self/cmdline", folder.path("copy")).await;
        assert_eq!(copied.unwrap(), theirs.len() as u64);
        assert_eq!(std::fs::read(folder.path("copy")).unwrap(), theirs);
    });
}

fn an_atomic_write_leaves_the_old_file_or_the_new_one(on: On) {
    both_ways(on, async |folder| {
        let path = folder.file("atomic", b"old");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let old = std::fs::metadata(&path).unwrap();
        let link = folder.path("link");
        std::os::unix::fs::symlink("atomic", &link).unwrap();
        fs::write_atomic(&link, "new").await.unwrap();
        let new = std::fs::metadata(&path).unwrap();
        assert_ne!(old.ino(), new.ino());
        assert_eq!(old.mode(), new.mode());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        let error = fs::write_atomic(folder.path("no/such/folder"), "new").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(folder.root()).unwrap().count(), 2);
        std::fs::remove_file(&link).unwrap();
    });
}

fn an_atomic_write_that_cannot_see_the_old_file_is_an_error(on: On) {
    // Is it a link? Where does it lead? Who may read it?
    for nth in 1..=3 {
        let folder = Folder::new();
        let path = folder.file("secret", b"old");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let link = folder.path("link");
        std::os::unix::fs::symlink("secret", &link).unwrap();
        let plan = move || Plan::new().at(Call::FileStat, nth, Fault::Errno(libc::EIO));
        let written = one_thread(on, plan).block_on(fs::write_atomic(&link, "new"));
        let error = written.unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "{nth}");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&path).unwrap(), b"old", "{nth}");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.root()).unwrap().count(), 2);
    }
}

fn a_copy_has_content_and_permissions(on: On) {
    both_ways(on, async |folder| {
        let bytes = pattern(2_500_000);
        let source = folder.file("source", &bytes);
        std::fs::set_permissions(&source, PermissionsExt::from_mode(0o600)).unwrap();
        let target = folder.file("target", &pattern(3_000_000));
        let count = fs::copy(&source, &target).await.unwrap();
        assert_eq!(count, bytes.len() as u64);
        assert!(std::fs::read(&target).unwrap() == bytes);
        assert_eq!(std::fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
        // To itself, also by another name: the file is as it was.
        let twin = folder.path("twin");
        std::fs::hard_link(&source, &twin).unwrap();
        for target in [&source, &twin] {
            let error = fs::copy(&source, target).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert!(std::fs::read(&source).unwrap() == bytes);
        let error = fs::copy(folder.root(), folder.path("copy")).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

fn names_agree_with_std(on: On) {
    both_ways(on, async |folder| {
        let deep = folder.path("a/b/c");
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir_all(&deep).await.unwrap();
        assert!(deep.is_dir());
        let error = fs::create_dir(&deep).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        fs::create_dir_with_mode(deep.join("d"), 0o700)
            .await
            .unwrap();
        assert_eq!(deep.join("d").metadata().unwrap().mode() & 0o777, 0o700);
        let error = fs::remove_dir(&deep).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(deep.join("d")).await.unwrap();
        let file = folder.file("file", b"tick");
        let moved = deep.join("moved");
        fs::rename(&file, &moved).await.unwrap();
        assert!(!fs::exists(&file).await.unwrap());
        assert!(fs::exists(&moved).await.unwrap());
        let ours = fs::canonicalize(deep.join("../c/moved")).await.unwrap();
        assert_eq!(ours, moved.canonicalize().unwrap());
        fs::remove_file(&moved).await.unwrap();
        assert!(!moved.exists());
        // No link is followed.
        let outside = folder.file("outside", b"safe");
        std::os::unix::fs::symlink(folder.root(), folder.path("a/out")).unwrap();
        fs::remove_dir_all(folder.path("a")).await.unwrap();
        assert!(!folder.path("a").exists() && outside.exists());
    });
}

fn renames_that_must_not_replace_do_not(on: On) {
    both_ways(on, async |folder| {
        let (one, other) = (folder.file("one", b"1"), folder.file("other", b"2"));
        let error = fs::rename_new(&one, &other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&other).unwrap(), b"2");
        match fs::exchange(&one, &other).await {
            Ok(()) => assert_eq!(std::fs::read(&other).unwrap(), b"1"),
            Err(error) => assert!(
                error.kind() == ErrorKind::Unsupported
                    || error.raw_os_error() == Some(libc::EINVAL)
            ),
        }
        std::fs::remove_file(&other).unwrap();
        fs::rename_new(&one, &other).await.unwrap();
        assert!(!one.exists() && other.exists());
        std::fs::remove_file(&other).unwrap();
    });
}

fn a_rename_by_a_link_leaves_one_name(on: On) {
    // The rename is refused, the link is made, and the old name does not go, or went by itself.
    for (errno, is_done) in [
        (libc::EACCES, false),
        (libc::EBUSY, false),
        (libc::ENOENT, true),
    ] {
        let folder = Folder::new();
        let (old, new) = (folder.file("old", b"tick"), folder.path("new"));
        let plan = move || {
            let plan = Plan::new().at(Call::FileName, 1, Fault::Errno(libc::EINVAL));
            plan.at(Call::FileName, 3, Fault::Errno(errno))
        };
        let renamed = one_thread(on, plan).block_on(fs::rename_new(&old, &new));
        match renamed.unwrap() {
            Ok(()) => assert!(is_done, "{errno}"),
            Err(error) => assert_eq!(error.raw_os_error(), Some(errno)),
        }
        assert_eq!(new.exists(), is_done, "{errno}");
        // In truth it is there: the plan's calls do not happen.
        assert_eq!(std::fs::read(&old).unwrap(), b"tick");
    }
}

fn links_lead_where_they_should(on: On) {
    both_ways(on, async |folder| {
        let file = folder.file("file", b"tick");
        let (hard, soft) = (folder.path("hard"), folder.path("soft"));
        fs::hard_link(&file, &hard).await.unwrap();
        fs::symlink("file", &soft).await.unwrap();
        assert_eq!(fs::read_link(&soft).await.unwrap().to_str(), Some("file"));
        let metadata = fs::metadata(&soft).await.unwrap();
        assert_eq!((metadata.nlink(), metadata.len()), (2, 4));
        assert!(fs::symlink_metadata(&soft).await.unwrap().is_symlink());
        let error = fs::read_link(&file).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        std::fs::remove_file(&hard).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(!fs::exists(&soft).await.unwrap());
        assert!(fs::symlink_metadata(&soft).await.is_ok());
        std::fs::remove_file(&soft).unwrap();
    });
}

fn permissions_and_times_are_set(on: On) {
    both_ways(on, async |folder| {
        let file = folder.file("file", b"tick");
        let permissions = fs::Permissions::from_mode(0o604);
        fs::set_permissions(&file, permissions).await.unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        let times = fs::FileTimes::new().set_modified(then).set_accessed(then);
        fs::set_times(&file, times).await.unwrap();
        let own = std::fs::metadata(&file).unwrap();
        assert_eq!((own.mode() & 0o777, own.modified().unwrap()), (0o604, then));
        let ids = (Some(own.uid()), Some(own.gid()));
        fs::set_owner(&file, ids.0, ids.1).await.unwrap();
        fs::set_symlink_owner(&file, None, ids.1).await.unwrap();
        let after = std::fs::metadata(&file).unwrap();
        assert_eq!((after.uid(), after.gid()), (own.uid(), own.gid()));
    });
}

fn errors_are_those_of_the_system(on: On) {
    both_ways(on, async |folder| {
        let missing = folder.path("missing");
        let file = folder.file("file", b"");
        for path in [&missing, &file.join("below"), &folder.root().to_path_buf()] {
            let ours = fs::read(path).await.map_err(|error| error.raw_os_error());
            let theirs = std::fs::read(path).map_err(|error| error.raw_os_error());
            assert_eq!(ours, theirs, "{}", path.display());
            let ours = fs::metadata(path)
                .await
                .map_err(|error| error.raw_os_error());
            let theirs = std::fs::metadata(path).map_err(|error| error.raw_os_error());
            assert_eq!(ours.map(|it| it.ino()), theirs.map(|it| it.ino()));
        }
    });
}
