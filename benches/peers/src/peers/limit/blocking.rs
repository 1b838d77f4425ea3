//! Files and children as a program without a loop has them: the one thread waits.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Limit;
use crate::peers::{Children, Files};

impl Files for Limit {
    async fn read(path: &Path) -> Vec<u8> {
        fs::read(path).expect("it can be read")
    }

    async fn walk(path: &Path) -> u64 {
        let mut bytes = 0;
        let mut folders = vec![path.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("it is there") {
                let entry = entry.expect("it can be read");
                if entry.file_type().expect("it has a type").is_dir() {
                    folders.push(entry.path());
                } else {
                    bytes += entry.metadata().expect("it is there").len();
                }
            }
        }
        bytes
    }
}

impl Children for Limit {
    async fn run_program(program: &Path) {
        let status = Command::new(program).status().expect("it starts");
        assert!(status.success());
    }
}
