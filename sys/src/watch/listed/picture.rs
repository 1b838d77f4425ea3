//! `Picture`: what was told of every folder that is watched.
//!
//! *Invariants.* A folder is here by one mark, and its place, if it has one, names an entry that is it; or that entry is no more, since the folder
//! where it stood was forgotten: then it is lost. Every file that is marked is an entry, and the other way round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{Entry, Mark};

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// A folder, and a name in it.
pub(super) type At = (Mark, OsString);

/// No entry has this inode: the next list is a change.
pub(super) const IN_DOUBT: u64 = 0;

/// What was told of an entry.
#[derive(Debug)]
pub(super) struct Told {
    /// As its folder says it.
    pub(super) inode: u64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder; which one, if that is known.
    Folder(Option<Identity>),
    /// A folder that is watched in another place.
    Alias,
    /// Anything else; marked, if it is a file that could be opened.
    Other(Option<Mark>),
}

impl Told {
    pub(super) fn is_folder(&self) -> bool {
        !matches!(self.kind, Kind::Other(_))
    }

    fn is(&self, entry: &Entry) -> bool {
        self.inode == entry.inode && self.is_folder() == entry.is_folder
    }
}

#[derive(Debug)]
pub(super) struct Folder {
    fd: Arc<OwnedFd>,
    identity: Identity,
    place: Option<At>,
    pub(super) entries: BTreeMap<OsString, Told>,
}

impl Folder {
    pub(super) fn new(fd: OwnedFd, identity: Identity, place: Option<At>) -> Folder {
        Folder {
            fd: Arc::new(fd),
            identity,
            place,
            entries: BTreeMap::new(),
        }
    }
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) at: At,
    /// Open as long as it is watched.
    pub(super) _fd: OwnedFd,
}

/// Where a folder stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    At(At),
    /// It was added by its path.
    Nowhere,
    /// Where it stood is nothing now.
    Lost,
}

#[derive(Debug, Default)]
pub(super) struct Picture {
    folders: HashMap<Mark, Folder>,
    pub(super) files: HashMap<Mark, File>,
    by_identity: HashMap<Identity, Mark>,
    /// Folders that are to be listed again, whatever the kernel says.
    pub(super) unsettled: BTreeSet<Mark>,
    /// The number of the last rename that was found.
    cookie: u32,
}

impl Picture {
    pub(super) fn has_folder(&self, mark: Mark) -> bool {
        self.folders.contains_key(&mark)
    }

    pub(super) fn fd(&self, mark: Mark) -> Option<Arc<OwnedFd>> {
        self.folders.get(&mark).map(|folder| Arc::clone(&folder.fd))
    }

    pub(super) fn device(&self, mark: Mark) -> Option<u64> {
        self.folders.get(&mark).map(|folder| folder.identity.0)
    }

    pub(super) fn mark_of(&self, identity: Identity) -> Option<Mark> {
        self.by_identity.get(&identity).copied()
    }

    pub(super) fn add_folder(&mut self, mark: Mark, folder: Folder) {
        self.by_identity.insert(folder.identity, mark);
        self.folders.insert(mark, folder);
    }

    pub(super) fn remove_folder(&mut self, mark: Mark) -> Option<Folder> {
        let folder = self.folders.remove(&mark)?;
        self.by_identity.remove(&folder.identity);
        self.unsettled.remove(&mark);
        Some(folder)
    }

    pub(super) fn put_folder(&mut self, mark: Mark, at: At) {
        if let Some(folder) = self.folders.get_mut(&mark) {
            folder.place = Some(at);
        }
    }

    pub(super) fn told(&self, at: &At) -> Option<&Told> {
        self.folders.get(&at.0)?.entries.get(&at.1)
    }

    pub(super) fn told_mut(&mut self, at: &At) -> Option<&mut Told> {
        self.folders.get_mut(&at.0)?.entries.get_mut(&at.1)
    }

    /// The entry that was there before.
    pub(super) fn put(&mut self, at: At, told: Told) -> Option<Told> {
        self.folders.get_mut(&at.0)?.entries.insert(at.1, told)
    }

    pub(super) fn take(&mut self, at: &At) -> Option<Told> {
        self.folders.get_mut(&at.0)?.entries.remove(&at.1)
    }

    pub(super) fn entries(&self, mark: Mark) -> Vec<Entry> {
        let entries = self.folders.get(&mark).map(|folder| folder.entries.iter());
        let entry = |(name, told): (&OsString, &Told)| Entry {
            name: name.clone(),
            is_folder: told.is_folder(),
            inode: told.inode,
        };
        entries.into_iter().flatten().map(entry).collect()
    }

    pub(super) fn standing(&self, mark: Mark) -> Standing {
        let Some(folder) = self.folders.get(&mark) else {
            return Standing::Lost;
        };
        let Some(at) = &folder.place else {
            return Standing::Nowhere;
        };
        match self.told(at).map(|told| told.kind) {
            Some(Kind::Folder(Some(identity))) if identity == folder.identity => {
                Standing::At(at.clone())
            }
            _ => Standing::Lost,
        }
    }

    /// The folder that is this entry, and stands there.
    pub(super) fn folder_at(&self, at: &At) -> Option<Mark> {
        let Kind::Folder(Some(identity)) = self.told(at)?.kind else {
            return None;
        };
        let mark = self.mark_of(identity)?;
        (self.standing(mark) == Standing::At(at.clone())).then_some(mark)
    }

    /// Whether the entry is this folder; if nobody knew so far which it is, it is from now on.
    pub(super) fn claim(&mut self, at: &At, identity: Identity) -> bool {
        let Some(told) = self.told_mut(at) else {
            return false;
        };
        match &mut told.kind {
            Kind::Folder(Some(known)) => *known == identity,
            Kind::Folder(known) => {
                *known = Some(identity);
                if told.inode != identity.1 {
                    told.inode = IN_DOUBT;
                }
                true
            }
            _ => false,
        }
    }

    /// Whatever the next list has in this place, it is a change.
    pub(super) fn doubt(&mut self, at: &At) {
        let is_watched = self.folder_at(at).is_some();
        if let Some(told) = self.told_mut(at) {
            told.inode = IN_DOUBT;
            if let Kind::Folder(identity) = &mut told.kind {
                *identity = identity.filter(|_| is_watched);
            }
        }
    }

    /// It is looked at whenever its folder is listed.
    pub(super) fn alias() -> Told {
        Told {
            inode: IN_DOUBT,
            kind: Kind::Alias,
        }
    }

    /// Takes out of `now` what is as it was told; the answer is what was told and is so no more.
    pub(super) fn changed(&self, mark: Mark, now: &mut BTreeMap<OsString, Entry>) -> Vec<OsString> {
        let Some(folder) = self.folders.get(&mark) else {
            now.clear();
            return Vec::new();
        };
        let is_changed = |(name, told): (&OsString, &Told)| match now.get(name) {
            Some(entry) if told.is(entry) => {
                now.remove(name);
                None
            }
            _ => Some(name.clone()),
        };
        folder.entries.iter().filter_map(is_changed).collect()
    }

    /// The places of the folders that lead to this one, from itself upwards, up to `top`. `None` if it is not below.
    pub(super) fn way_up(&self, from: Mark, top: Mark) -> Option<Vec<At>> {
        let (mut way, mut mark) = (Vec::new(), from);
        while mark != top {
            let at = self.folders.get(&mark)?.place.clone()?;
            mark = at.0;
            way.push(at);
            // No way is longer, unless somebody changed the tree in circles.
            if way.len() > self.folders.len() {
                return None;
            }
        }
        Some(way)
    }

    pub(super) fn next_cookie(&mut self) -> u32 {
        self.cookie = self.cookie.wrapping_add(1);
        self.cookie
    }
}
