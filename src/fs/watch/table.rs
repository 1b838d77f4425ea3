//! The table: which mark is which path, and what is to be told.
//!
//! *Model.* A *root* is what the user added. A *folder* has a mark of the kernel, and is there for the sake of one or several roots: as a branch of a
//! tree, for its entries, or for some names in it.
//!
//! *Invariants.* `by_path` and `folders` hold the same folders. A folder that no root needs is in neither, and the kernel was told.
//! The path of a folder is what it was when the last record that was looked at was written.
//!
//! *Fresh names.* What a scan has told of is not told again when the kernel does: the first record of its making is passed over, unless it was
//! removed before. When the kernel has no more records, all that it will say is about later things, and the names are forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use mainspring_sys::watch::Mark;

/// More fresh names than this are forgotten: then what was told by a scan may be told again.
const FRESH_MAX: usize = 100_000;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootKind {
    /// A folder and all below.
    Tree,
    /// A folder's entries.
    Folder,
    /// A name in a folder.
    Name,
}

#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) kind: RootKind,
}

impl Root {
    /// The folder that is watched for its sake.
    pub(super) fn folder(&self) -> &Path {
        match self.kind {
            RootKind::Tree | RootKind::Folder => &self.path,
            RootKind::Name => self.path.parent().unwrap_or(&self.path),
        }
    }
}

#[derive(Debug, Default)]
struct Folder {
    path: PathBuf,
    in_tree: bool,
    tells_entries: bool,
    /// With the paths by which they are watched.
    names: BTreeMap<OsString, PathBuf>,
    fresh: HashSet<OsString>,
    /// In which round it was seen last.
    round: u32,
}

impl Folder {
    fn is_needed(&self) -> bool {
        self.in_tree || self.tells_entries || !self.names.is_empty()
    }
}

/// Which marks the kernel is to forget.
pub(super) type Doomed = Vec<Mark>;

#[derive(Debug, Default)]
pub(super) struct Table {
    folders: HashMap<Mark, Folder>,
    by_path: BTreeMap<PathBuf, Mark>,
    roots: Vec<Root>,
    fresh_count: usize,
    /// Counts the times when everything was looked at again.
    round: u32,
}

/// What a folder that a scan found is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// It was not watched before, or not in this place.
    New,
    Known,
    /// No root needs it any more.
    Unneeded,
}

impl Table {
    pub(super) fn folder_count(&self) -> usize {
        self.folders.len()
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The root of just this path.
    pub(super) fn root(&self, path: &Path) -> Option<&Root> {
        self.roots.iter().find(|root| root.path == path)
    }

    pub(super) fn path_of(&self, mark: Mark) -> Option<&Path> {
        self.folders.get(&mark).map(|folder| folder.path.as_path())
    }

    pub(super) fn is_branch(&self, mark: Mark) -> bool {
        self.folders.get(&mark).is_some_and(|folder| folder.in_tree)
    }

    pub(super) fn mark_of(&self, path: &Path) -> Option<Mark> {
        self.by_path.get(path).copied()
    }

    /// Whether a folder that is watched has this path.
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        self.folders.keys().copied().collect()
    }

    /// The path of an entry, if what happens to it is to be told.
    pub(super) fn told_path(&self, mark: Mark, name: &OsStr) -> Option<PathBuf> {
        let folder = self.folders.get(&mark)?;
        match folder.names.get(name) {
            Some(path) => Some(path.clone()),
            None => (folder.in_tree || folder.tells_entries).then(|| folder.path.join(name)),
        }
    }

    /// The path of a marked folder which was added as such, and which no other folder tells of.
    pub(super) fn top_path(&self, mark: Mark) -> Option<&Path> {
        let path = self.path_of(mark)?;
        let parent = path.parent().and_then(|parent| self.by_path.get(parent));
        let is_told = parent.and_then(|parent| self.told_path(*parent, path.file_name()?));
        let is_root = |root: &Root| root.kind != RootKind::Name && root.path == path;
        (is_told.is_none() && self.roots.iter().any(is_root)).then_some(path)
    }

    /// Whether a tree covers the path.
    fn is_in_tree(&self, path: &Path) -> bool {
        let covers = |root: &Root| root.kind == RootKind::Tree && path.starts_with(&root.path);
        self.roots.iter().any(covers)
    }

    /// A root was added, and `mark` is its folder.
    ///
    /// # Errors
    /// The path by which the folder is watched already, if that is another.
    pub(super) fn enter_root(&mut self, root: Root, mark: Mark) -> Result<Doomed, PathBuf> {
        let path = root.folder().to_path_buf();
        let mut doomed = Doomed::new();
        match self.folders.get(&mark) {
            Some(folder) if folder.path == path || root.kind == RootKind::Name => {}
            Some(folder) if folder.in_tree || folder.tells_entries => {
                return Err(folder.path.clone());
            }
            _ => doomed = self.label(mark, path),
        }
        let round = self.round;
        if let Some(folder) = self.folders.get_mut(&mark) {
            folder.round = round;
            match root.kind {
                RootKind::Tree => folder.in_tree = true,
                RootKind::Folder => folder.tells_entries = true,
                RootKind::Name => {
                    let name = root.path.file_name().unwrap_or_default();
                    folder.names.insert(name.to_owned(), root.path.clone());
                }
            }
        }
        let is_known = |known: &Root| known.path == root.path && known.kind == root.kind;
        if !self.roots.iter().any(is_known) {
            self.roots.push(root);
        }
        Ok(doomed)
    }

    /// A scan has found a folder.
    pub(super) fn enter(&mut self, mark: Mark, path: PathBuf, doomed: &mut Doomed) -> Entered {
        if !self.is_in_tree(&path) {
            if !self.folders.contains_key(&mark) {
                doomed.push(mark);
            }
            return Entered::Unneeded;
        }
        let was_branch = self.is_branch(mark);
        let has_place = self.by_path.get(&path) == Some(&mark);
        // A folder that was renamed under the eyes of the scan. Of two paths to one folder (bind mounts), the first holds.
        let is_elsewhere =
            was_branch && !has_place && self.round_of(mark) == self.round && self.round > 0;
        if !has_place && !is_elsewhere {
            doomed.append(&mut self.label(mark, path));
        }
        let round = self.round;
        if let Some(folder) = self.folders.get_mut(&mark) {
            folder.round = round;
            folder.in_tree = true;
        }
        // One that came here from elsewhere may be told as gone there: what is in it is told again.
        match was_branch && (has_place || is_elsewhere) {
            true => Entered::Known,
            false => Entered::New,
        }
    }

    fn round_of(&self, mark: Mark) -> u32 {
        self.folders.get(&mark).map_or(0, |folder| folder.round)
    }

    /// From now on the folder with this mark is at `path`; another that was there is not.
    fn label(&mut self, mark: Mark, path: PathBuf) -> Doomed {
        let mut doomed = Doomed::new();
        if let Some(former) = self.by_path.insert(path.clone(), mark) {
            if former != mark {
                self.forget_folder(former);
                doomed.push(former);
            }
        }
        let folder = self.folders.entry(mark).or_default();
        let former = std::mem::replace(&mut folder.path, path);
        if former != folder.path && self.by_path.get(&former) == Some(&mark) {
            self.by_path.remove(&former);
        }
        doomed
    }

    fn forget_folder(&mut self, mark: Mark) {
        if let Some(folder) = self.folders.remove(&mark) {
            self.fresh_count -= folder.fresh.len();
            if self.by_path.get(&folder.path) == Some(&mark) {
                self.by_path.remove(&folder.path);
            }
        }
    }

    /// A scan has told of an entry.
    pub(super) fn set_fresh(&mut self, mark: Mark, name: OsString) {
        if self.fresh_count >= FRESH_MAX {
            self.forget_fresh();
        }
        if let Some(folder) = self.folders.get_mut(&mark) {
            self.fresh_count += usize::from(folder.fresh.insert(name));
        }
    }

    /// Whether a scan told of it, and nothing else happened to it since; from now on that is not so.
    pub(super) fn take_fresh(&mut self, mark: Mark, name: &OsStr) -> bool {
        let folder = self.folders.get_mut(&mark);
        let was_fresh = folder.is_some_and(|folder| folder.fresh.remove(name));
        self.fresh_count -= usize::from(was_fresh);
        was_fresh
    }

    pub(super) fn forget_fresh(&mut self) {
        if self.fresh_count > 0 {
            self.folders
                .values_mut()
                .for_each(|folder| folder.fresh = HashSet::new());
            self.fresh_count = 0;
        }
    }

    /// The marks of the folders at `path` and below.
    fn below(&self, path: &Path) -> Vec<Mark> {
        let from = self
            .by_path
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        let below = from.take_while(|(other, _)| other.starts_with(path));
        below.map(|(_, mark)| *mark).collect()
    }

    /// The folder at `path`, if it is one of ours, went, with all below. Roots that are there go as well.
    pub(super) fn gone(&mut self, path: &Path) -> Doomed {
        let lost = |root: &Root| root.kind != RootKind::Name && root.path.starts_with(path);
        self.roots.retain(|root| !lost(root));
        let below = self.below(path);
        for mark in &below {
            let names = self.folders.get(mark).map(|folder| folder.names.clone());
            let names: Vec<PathBuf> = names.unwrap_or_default().into_values().collect();
            self.roots.retain(|root| !names.contains(&root.path));
            self.forget_folder(*mark);
        }
        below
    }

    /// The folder at `from` is at `to` from now on, with all below, in a tree that is watched.
    pub(super) fn moved(&mut self, from: &Path, to: &Path) -> Doomed {
        let mut doomed = self.gone(to);
        let lost = |root: &Root| root.kind != RootKind::Name && root.path.starts_with(from);
        self.roots.retain(|root| !lost(root));
        for mark in self.below(from) {
            let Some(folder) = self.folders.get_mut(&mark) else {
                continue;
            };
            let Ok(rest) = folder.path.strip_prefix(from) else {
                continue;
            };
            let path = match rest.as_os_str().is_empty() {
                true => to.to_path_buf(),
                false => to.join(rest),
            };
            (folder.in_tree, folder.tells_entries) = (true, false);
            let names = std::mem::take(&mut folder.names);
            self.roots
                .retain(|root| !names.values().any(|name| *name == root.path));
            doomed.append(&mut self.label(mark, path));
        }
        doomed
    }

    /// The mark is dead: the paths of the roots that went with it.
    pub(super) fn dead(&mut self, mark: Mark) -> Vec<PathBuf> {
        let Some(folder) = self.folders.get(&mark) else {
            return Vec::new();
        };
        let (path, names) = (folder.path.clone(), folder.names.clone());
        self.forget_folder(mark);
        let is_lost = |root: &Root| match root.kind {
            RootKind::Name => names.values().any(|name| *name == root.path),
            RootKind::Tree | RootKind::Folder => root.path == path,
        };
        let mut lost: Vec<PathBuf> = Vec::new();
        self.roots.retain(|root| {
            let is_lost = is_lost(root);
            if is_lost && !lost.contains(&root.path) {
                lost.push(root.path.clone());
            }
            !is_lost
        });
        lost
    }

    /// The user wants what is at `path` no more. `None` if he never did.
    pub(super) fn remove_root(&mut self, path: &Path) -> Option<Doomed> {
        let (lost, kept) = std::mem::take(&mut self.roots)
            .into_iter()
            .partition::<Vec<Root>, _>(|root| root.path == path);
        self.roots = kept;
        if lost.is_empty() {
            return None;
        }
        let mut marks = Vec::new();
        for root in &lost {
            match root.kind {
                RootKind::Tree => marks.append(&mut self.below(path)),
                RootKind::Folder => marks.extend(self.by_path.get(path)),
                RootKind::Name => {
                    let name = root.path.file_name().unwrap_or_default();
                    let has_it = |(_, folder): &(&Mark, &Folder)| {
                        folder.names.get(name).is_some_and(|known| known == path)
                    };
                    marks.extend(self.folders.iter().find(has_it).map(|(mark, _)| *mark));
                }
            }
        }
        let mut doomed = Doomed::new();
        for mark in marks {
            let Some(folder) = self.folders.get(&mark) else {
                continue;
            };
            let folder_path = folder.path.clone();
            let in_tree = self.is_in_tree(&folder_path);
            let is_root = |root: &Root| root.kind == RootKind::Folder && root.path == folder_path;
            let tells_entries = self.roots.iter().any(is_root);
            let Some(folder) = self.folders.get_mut(&mark) else {
                continue;
            };
            folder.names.retain(|_, known| known != path);
            (folder.in_tree, folder.tells_entries) = (in_tree, tells_entries);
            if !folder.is_needed() {
                self.forget_folder(mark);
                doomed.push(mark);
            }
        }
        Some(doomed)
    }

    /// Everything is looked at again: whatever is not found until [`Table::end_round`] is not there.
    pub(super) fn begin_round(&mut self) {
        self.round += 1;
    }

    pub(super) fn end_round(&mut self) -> Doomed {
        let round = self.round;
        let unseen = |(mark, folder): (&Mark, &Folder)| (folder.round != round).then_some(*mark);
        let unseen: Doomed = self.folders.iter().filter_map(unseen).collect();
        for mark in &unseen {
            self.forget_folder(*mark);
        }
        unseen
    }
}
