//! Files and folders that the kernel has in memory.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::peers::Files;

/// How many files are read before the count begins, so that there are threads.
const WARM_UP: u64 = 1000;
/// The tree of the walk: so many folders of so many files.
const FOLDERS: u64 = 100;
const FILES: u64 = 100;

/// Gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("mainspring-peers-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder can be made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One file after the other, each of 4 KiB.
pub fn read<P: Files>(count: u64) -> Figures {
    let folder = Folder::new("read");
    let path = folder.0.join("file");
    fs::write(&path, vec![7; 4096]).expect("a file can be written");
    in_task::<P>(async move {
        let _folder = folder;
        for _ in 0..WARM_UP {
            assert_eq!(P::read(&path).await.len(), 4096);
        }
        let cpu = Cpu::of_process();
        for _ in 0..count {
            black_box(P::read(&path).await);
        }
        Figures::cpu_per_op(cpu, count)
    })
}

/// Walks through the tree until so many files were seen.
pub fn walk<P: Files>(count: u64) -> Figures {
    let folder = Folder::new("walk");
    for one in 0..FOLDERS {
        let path = folder.0.join(one.to_string());
        fs::create_dir(&path).expect("a folder can be made");
        for two in 0..FILES {
            fs::write(path.join(two.to_string()), b"tick").expect("a file can be written");
        }
    }
    in_task::<P>(async move {
        let bytes = FOLDERS * FILES * 4;
        let walks = count.div_ceil(FOLDERS * FILES);
        assert_eq!(P::walk(&folder.0).await, bytes);
        let cpu = Cpu::of_process();
        for _ in 0..walks {
            assert_eq!(P::walk(&folder.0).await, bytes);
        }
        Figures::cpu_per_op(cpu, walks * FOLDERS * FILES)
    })
}
