//! The tree under test: every Rust file, page and manifest, read once, and what is said about them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::source::Source;

/// Folders that hold sources and pages; anything else (build output, hidden folders) is not ours.
const FOLDERS: [&str; 5] = ["src", "sys", "tests", "benches", "docs"];

/// What a rule has against a line.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) advice: String,
}

impl Complaint {
    /// A complaint about `line`, counted from 1.
    pub(crate) fn new(path: &str, line: usize, advice: impl Into<String>) -> Complaint {
        Complaint {
            path: path.to_string(),
            line,
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

/// A text file that is not Rust.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Page {
    /// The lines, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Every path of the repository that a link may lead to, `/` between the parts, no `/` at the end.
#[derive(Debug, Default)]
pub(crate) struct Exists(pub(crate) BTreeSet<String>);

/// The repository as it lies on the disk.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) rust: Vec<Source>,
    pages: Vec<Page>,
    exists: Exists,
}

/// The repository, read on first use.
pub(crate) fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| Tree::read(Path::new(env!("CARGO_MANIFEST_DIR"))))
}

impl Tree {
    fn read(root: &Path) -> Tree {
        let mut exists = Exists::default();
        for entry in fs::read_dir(root).expect("the root is readable").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if FOLDERS.contains(&name.as_str()) || name == ".ci" || name == ".github" {
                walk(root, &name, &mut exists.0);
            } else if entry.path().is_file() {
                exists.0.insert(name);
            }
        }
        let (mut texts, mut pages) = (Vec::new(), Vec::new());
        for path in &exists.0 {
            let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
            if !["rs", "md", "toml", "txt"].contains(&ending) {
                continue;
            }
            let text = fs::read_to_string(root.join(path)).expect("sources are UTF-8");
            if ending == "rs" {
                texts.push((path.clone(), text));
            } else {
                pages.push(Page {
                    path: path.clone(),
                    text,
                });
            }
        }
        Tree {
            rust: Source::read_all(texts),
            pages,
            exists,
        }
    }

    /// Puts a rule to every Rust file.
    pub(crate) fn each_rust(&self, rule: impl Fn(&Source) -> Vec<Complaint>) -> Vec<Complaint> {
        self.rust.iter().flat_map(rule).collect()
    }

    /// Puts a rule to every Markdown page.
    pub(crate) fn each_page(&self, rule: impl Fn(&Page) -> Vec<Complaint>) -> Vec<Complaint> {
        self.pages
            .iter()
            .filter(|page| page.path.ends_with(".md"))
            .flat_map(rule)
            .collect()
    }

    /// Puts a rule to one file that it needs; a file that is missing is a complaint.
    pub(crate) fn with(
        &self,
        path: &str,
        rule: impl FnOnce(&Page) -> Vec<Complaint>,
    ) -> Vec<Complaint> {
        if let Some(page) = self.pages.iter().find(|page| page.path == path) {
            return rule(page);
        }
        if let Some(source) = self.rust.iter().find(|source| source.path == path) {
            let text = source
                .lines
                .iter()
                .map(|line| format!("{}\n", line.raw))
                .collect();
            return rule(&Page {
                path: path.to_string(),
                text,
            });
        }
        vec![Complaint::new(path, 1, "is missing; a rule needs it")]
    }

    /// The paths that exist.
    pub(crate) fn exists(&self) -> &Exists {
        &self.exists
    }
}

fn walk(root: &Path, folder: &str, paths: &mut BTreeSet<String>) {
    paths.insert(folder.to_string());
    for entry in fs::read_dir(root.join(folder))
        .expect("a folder is readable")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if !entry.path().is_dir() {
            paths.insert(path);
        } else if name != "target" && !name.starts_with('.') {
            walk(root, &path, paths);
        }
    }
}

/// A page for the tests of the rules.
#[cfg(test)]
pub(crate) fn page(path: &str, text: &str) -> Page {
    Page {
        path: path.to_string(),
        text: text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_found_and_build_output_is_not() {
        assert!(
            tree()
                .rust
                .iter()
                .any(|source| source.path == "tests/tidy/tree.rs")
        );
        assert!(
            !tree()
                .exists()
                .0
                .iter()
                .any(|path| path.contains("target/"))
        );
    }

    #[test]
    fn a_complaint_reads_like_a_compiler_s() {
        assert_eq!(
            Complaint::new("src/a.rs", 3, "split it").to_string(),
            "src/a.rs:3: split it"
        );
    }
}
