//! `dirsize` beside the system's own `du`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{command, output};

/// A folder of a test's own.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Tree {
        let name = format!("mainspring-dirsize-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for one in 0..5 {
            for two in 0..20 {
                let folder = root.join(format!("{one}/{two}"));
                std::fs::create_dir_all(&folder).unwrap();
                for three in 0..10 {
                    let bytes = vec![0; 100 * one + 10 * two + three];
                    std::fs::write(folder.join(format!("{three}")), bytes).unwrap();
                }
            }
        }
        let original = root.join("3/3/3");
        std::fs::hard_link(&original, root.join("3/3/twin")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        Tree(root)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The lines of a `du` that knows apparent sizes.
fn du(arguments: &[&str]) -> Option<Vec<String>> {
    let output = Command::new("du").arg("-b").args(arguments).output().ok()?;
    if !output.status.success() {
        println!("this system's du has no option -b");
        return None;
    }
    Some(sorted(&String::from_utf8(output.stdout).unwrap()))
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    lines.sort();
    lines
}

/// What std counts.
fn total(folder: &Path) -> u64 {
    let mut sum = folder.symlink_metadata().unwrap().len();
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        sum += match entry.file_type().unwrap().is_dir() {
            true => total(&entry.path()),
            false if entry.file_name() == "twin" => 0,
            false => entry.metadata().unwrap().len(),
        };
    }
    sum
}

#[test]
fn dirsize_counts_what_du_counts() {
    let tree = Tree::new("du");
    let short = output("dirsize", &["-s", tree.path()]);
    assert_eq!(short, format!("{}\t{}\n", total(&tree.0), tree.path()));
    let long = sorted(&output("dirsize", &[tree.path()]));
    assert_eq!(long.len(), 1 + 5 + 100);
    if let Some(theirs) = du(&[tree.path()]) {
        assert_eq!(long, theirs);
    }
}

#[test]
fn dirsize_counts_a_file_of_several_names_once_also_between_its_arguments() {
    let tree = Tree::new("names");
    let (original, twin) = ("3/3/3", "3/3/twin");
    let paths = [original, twin].map(|name| format!("{}/{name}", tree.path()));
    let printed = output("dirsize", &[&paths[0], &paths[1]]);
    assert_eq!(printed, format!("333\t{}\n0\t{}\n", paths[0], paths[1]));
}

#[test]
fn dirsize_rounds_up_for_people() {
    let tree = Tree::new("people");
    let path = tree.0.join("file");
    for (bytes, text) in [
        (0, "0"),
        (1023, "1023"),
        (1024, "1.0K"),
        (1025, "1.1K"),
        (10 * 1024, "10K"),
        (10 * 1024 + 1, "11K"),
        (1024 * 1024, "1.0M"),
        (3 * 1024 * 1024 * 1024, "3.0G"),
    ] {
        // The large ones are holes.
        std::fs::File::create(&path)
            .unwrap()
            .set_len(bytes)
            .unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(
            output("dirsize", &["-h", path]),
            format!("{text}\t{path}\n")
        );
    }
}

#[test]
fn dirsize_tells_and_counts_what_it_cannot_read_and_counts_the_rest() {
    let tree = Tree::new("missing");
    let missing = format!("{}/missing", tree.path());
    let file = format!("{}/4/4/4", tree.path());
    // A superuser may read it all the same.
    let secret = tree.0.join("1/1");
    let hide = |mode| std::fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
    hide(0);
    let may_read = secret.read_dir().is_ok();
    let output = command("dirsize", &["-s", &missing, tree.path(), &file]).output();
    hide(0o755);
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert_eq!(lines[1], format!("444\t{file}"));
    let hidden = if may_read {
        0
    } else {
        total(&secret) - secret.metadata().unwrap().len()
    };
    let counted = total(&tree.0) - hidden;
    assert_eq!(lines[0], format!("{counted}\t{}", tree.path()));
    let errors = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[0].starts_with(&format!("dirsize: {missing}: ")),
        "{errors}"
    );
    let count = if may_read { 1 } else { 2 };
    assert_eq!(lines.len(), count + 1, "{errors}");
    assert_eq!(lines[count], format!("dirsize: {count} could not be read"));
}
