//! What folders were found to have, against what was told of them: what went, what came, and what was renamed.
//!
//! *Order.* Renames come first, each when its new place is free, and when neither of its places lies within the other, and what goes out of a
//! folder before that is replaced; then what went; then what came. Where renames wait for each other in a circle (two that were exchanged,
//! say), one of them is told as gone, and as new.
//!
//! *Why every step must be one that can be followed.* Whoever hears of it has his own copy of the tree, and does the same to it.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::picture::{At, IN_DOUBT, Identity, Kind, Picture, Standing, Told};
use super::{Base, Entry, Listed, Mark, Record, What};

/// What differs from the picture.
#[derive(Debug, Default)]
pub(super) struct Changes {
    gone: Gone,
    come: Vec<Come>,
}

/// An entry that was not there before, or was another.
#[derive(Debug)]
struct Come {
    at: At,
    inode: u64,
    is_folder: bool,
    /// Of a folder.
    identity: Option<Identity>,
}

impl Come {
    fn told(&self, kind: Kind) -> Told {
        Told {
            inode: self.inode,
            kind,
        }
    }
}

/// What went, in the order in which it was found.
#[derive(Debug, Default)]
struct Gone {
    list: Vec<Option<At>>,
    places: HashMap<At, usize>,
}

impl Gone {
    fn push(&mut self, at: At) {
        self.places.insert(at.clone(), self.list.len());
        self.list.push(Some(at));
    }

    fn contains(&self, at: &At) -> bool {
        self.places.contains_key(at)
    }

    /// Something else became of it.
    fn take(&mut self, at: &At) {
        if let Some(place) = self.places.remove(at) {
            self.list[place] = None;
        }
    }

    fn iter(&self) -> impl Iterator<Item = &At> {
        self.list.iter().flatten()
    }
}

impl Changes {
    /// Takes in what a folder has now.
    pub(super) fn compare<B: Base>(
        &mut self,
        watch: &Listed<B>,
        folder: Mark,
        entries: Vec<Entry>,
    ) {
        let by_name = entries.into_iter().map(|entry| (entry.name.clone(), entry));
        let mut now: BTreeMap<_, _> = by_name.collect();
        for name in watch.picture().changed(folder, &mut now) {
            self.gone.push((folder, name));
        }
        for (name, entry) in now {
            let at = (folder, name);
            let (inode, identity) = match entry.is_folder {
                true => watch.look_at(&at, entry.inode),
                false => (entry.inode, None),
            };
            self.come.push(Come {
                at,
                inode,
                is_folder: entry.is_folder,
                identity,
            });
        }
    }
}

/// Where something that came was before.
enum Origin {
    /// In the same place: it is what it was.
    Here,
    At(At),
    /// It is still there.
    Alias,
    None,
}

struct Rename {
    from: At,
    come: Come,
    is_begun: bool,
}

/// The renames that are still to be told.
#[derive(Default)]
struct Renames {
    list: Vec<Option<Rename>>,
    by_source: HashMap<At, usize>,
}

impl Renames {
    /// Of two places where the same was seen, the later holds: from the other it went since, which will be told.
    fn push(&mut self, from: At, come: Come) {
        let is_begun = false;
        let place = *self.by_source.entry(from.clone()).or_insert_with(|| {
            self.list.push(None);
            self.list.len() - 1
        });
        self.list[place] = Some(Rename {
            from,
            come,
            is_begun,
        });
    }

    fn from(&self, at: &At) -> Option<usize> {
        self.by_source.get(at).copied()
    }

    fn take(&mut self, place: usize) -> Option<Rename> {
        let rename = self.list[place].take()?;
        self.by_source.remove(&rename.from);
        Some(rename)
    }

    /// Its turn has come: what is in its way. `None` if it was told already.
    fn begin(&mut self, place: usize, picture: &Picture) -> Option<Obstacle> {
        self.list[place].as_mut()?.is_begun = true;
        let rename = self.list[place].as_ref()?;
        Some(self.obstacle(rename, picture))
    }

    fn is_begun(&self, place: usize) -> bool {
        let rename = self.list[place].as_ref();
        rename.is_some_and(|rename| rename.is_begun)
    }

    fn obstacle(&self, rename: &Rename, picture: &Picture) -> Obstacle {
        let Rename { from, come, .. } = rename;
        if let Some(other) = self.from(&come.at) {
            return Obstacle::Rename(other);
        }
        let mark_of = |identity: Option<Identity>| picture.mark_of(identity?);
        let moved = mark_of(come.identity);
        if let Some(way) = moved.and_then(|mark| picture.way_up(come.at.0, mark)) {
            // It would be moved below itself, unless something between the two goes out first.
            let other = way.iter().find_map(|at| self.from(at));
            return other.map_or(Obstacle::Itself, Obstacle::Rename);
        }
        let Some(Kind::Folder(replaced)) = picture.told(&come.at).map(|told| told.kind) else {
            return Obstacle::None;
        };
        // What goes out of a folder that is replaced goes out first.
        let Some(replaced) = mark_of(replaced) else {
            return Obstacle::None;
        };
        let is_inside = |at: &At| picture.way_up(at.0, replaced).is_some();
        let mut inside = self.by_source.iter().filter(|(at, _)| is_inside(at));
        match inside.find(|(at, _)| *at != from) {
            Some((_, other)) => Obstacle::Rename(*other),
            None if is_inside(from) => Obstacle::Itself,
            None => Obstacle::None,
        }
    }
}

enum Obstacle {
    None,
    Rename(usize),
    Itself,
}

impl<B: Base> Listed<B> {
    /// Tells what changed, and puts it into the picture.
    pub(super) fn settle(&self, changes: Changes, records: &mut Vec<Record>) -> io::Result<()> {
        let Changes { mut gone, come } = changes;
        let (mut renames, mut new) = (Renames::default(), Vec::new());
        let mut unmarked = self.unmarked(&gone);
        for come in come {
            match self.origin(&come, &gone, &mut unmarked) {
                Origin::Here => {
                    gone.take(&come.at);
                    if let Some(told) = self.picture().told_mut(&come.at) {
                        *told = come.told(Kind::Folder(come.identity));
                    }
                }
                Origin::At(from) => {
                    gone.take(&from);
                    renames.push(from, come);
                }
                Origin::Alias => {
                    let kind = self.picture().told(&come.at).map(|told| told.kind);
                    match kind {
                        Some(Kind::Alias) => gone.take(&come.at),
                        _ => new.push((come, true)),
                    }
                }
                Origin::None => new.push((come, false)),
            }
        }
        // Each stands above those that wait for it.
        let mut waiting: Vec<usize> = (0..renames.list.len()).rev().collect();
        while let Some(&place) = waiting.last() {
            let Some(obstacle) = renames.begin(place, &self.picture()) else {
                waiting.pop();
                continue;
            };
            match obstacle {
                Obstacle::Rename(other) if !renames.is_begun(other) => {
                    waiting.push(other);
                    continue;
                }
                _ => waiting.pop(),
            };
            let Some(Rename { from, come, .. }) = renames.take(place) else {
                continue;
            };
            let is_free = matches!(obstacle, Obstacle::None);
            if is_free && self.rename(&from, &come, records) {
                gone.take(&come.at);
            } else {
                gone.push(from);
                new.push((come, false));
            }
        }
        for at in gone.iter() {
            let mut picture = self.picture();
            if let Some(told) = picture.take(at) {
                self.close_file(&mut picture, &told);
                records.push(record(at, What::Removed, told.is_folder()));
            }
        }
        let mut result = Ok(());
        for (come, is_alias) in new {
            result = result.and(self.create(come, is_alias, records));
        }
        result
    }

    /// What went and may have been renamed: by device, inode, and whether it is a folder.
    fn unmarked(&self, gone: &Gone) -> HashMap<(u64, u64, bool), At> {
        let picture = self.picture();
        let key = |at: &At| {
            let told = picture.told(at)?;
            let is_known_otherwise = match told.kind {
                Kind::Folder(identity) => identity.and_then(|one| picture.mark_of(one)).is_some(),
                Kind::Alias => true,
                Kind::Other(_) => false,
            };
            let is_one = told.inode != IN_DOUBT && !is_known_otherwise;
            let device = picture.device(at.0).filter(|_| is_one)?;
            Some(((device, told.inode, told.is_folder()), at.clone()))
        };
        gone.iter().filter_map(key).collect()
    }

    fn origin(
        &self,
        come: &Come,
        gone: &Gone,
        unmarked: &mut HashMap<(u64, u64, bool), At>,
    ) -> Origin {
        let picture = self.picture();
        let known = come.identity.and_then(|identity| {
            let mark = picture.mark_of(identity)?;
            Some((identity, picture.standing(mark)))
        });
        match known {
            Some((_, Standing::At(at))) if at == come.at => Origin::Here,
            Some((_, Standing::At(at))) if gone.contains(&at) => Origin::At(at),
            Some((identity, Standing::At(at))) => {
                drop(picture);
                match self.identity_at(&at).is_ok_and(|found| found == identity) {
                    true => Origin::Alias,
                    false => Origin::At(at),
                }
            }
            Some((_, Standing::Nowhere | Standing::Lost)) => Origin::None,
            None if come.identity.is_some()
                && picture
                    .told(&come.at)
                    .is_some_and(|told| told.kind == Kind::Folder(come.identity)) =>
            {
                Origin::Here
            }
            None => {
                let device = picture.device(come.at.0);
                let from = device
                    .and_then(|device| unmarked.remove(&(device, come.inode, come.is_folder)));
                from.map_or(Origin::None, Origin::At)
            }
        }
    }

    /// `false` if one of the places is watched no more.
    fn rename(&self, from: &At, come: &Come, records: &mut Vec<Record>) -> bool {
        let mut picture = self.picture();
        if !picture.has_folder(come.at.0) {
            return false;
        }
        let Some(mut told) = picture.take(from) else {
            return false;
        };
        told.inode = come.inode;
        match &mut told.kind {
            Kind::Folder(identity) => {
                *identity = come.identity;
                if let Some(mark) = come.identity.and_then(|one| picture.mark_of(one)) {
                    picture.put_folder(mark, come.at.clone());
                }
            }
            Kind::Other(mark) => {
                if let Some(file) = mark.and_then(|mark| picture.files.get_mut(&mark)) {
                    file.at = come.at.clone();
                }
            }
            Kind::Alias => {}
        }
        if let Some(replaced) = picture.put(come.at.clone(), told) {
            self.close_file(&mut picture, &replaced);
        }
        let cookie = picture.next_cookie();
        records.push(record(from, What::MovedFrom(cookie), come.is_folder));
        records.push(record(&come.at, What::MovedTo(cookie), come.is_folder));
        true
    }

    fn create(&self, come: Come, is_alias: bool, records: &mut Vec<Record>) -> io::Result<()> {
        let mut result = Ok(());
        let told = match come.is_folder {
            true if is_alias => Picture::alias(),
            true => come.told(Kind::Folder(come.identity)),
            false => self
                .tell_file(&come.at, come.inode)
                .unwrap_or_else(|error| {
                    result = Err(error);
                    come.told(Kind::Other(None))
                }),
        };
        let mut picture = self.picture();
        if !picture.has_folder(come.at.0) {
            self.close_file(&mut picture, &told);
            return result;
        }
        records.push(record(&come.at, What::Created, come.is_folder));
        if let Some(replaced) = picture.put(come.at, told) {
            self.close_file(&mut picture, &replaced);
        }
        result
    }
}

fn record(at: &At, what: What, is_folder: bool) -> Record {
    Record {
        mark: at.0,
        what,
        name: Some(at.1.clone()),
        is_folder,
    }
}
