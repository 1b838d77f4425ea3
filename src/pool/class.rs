//! `Class`: what a job is about, so that one kind of slow work cannot take all threads.

/// How many classes there are.
pub(crate) const CLASS_COUNT: usize = 3;

/// What a blocking job is about. Each class has a limit of its own of jobs that run at once
/// ([`Builder::blocking_class_max`](crate::Builder::blocking_class_max)); jobs beyond it wait, and those of
/// other classes pass them by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Files and folders: short, as a rule. May take every thread.
    Files,
    /// Look-ups of names, which may take half a minute each. Half of the threads, unless told otherwise.
    Names,
    /// Everything else. May take every thread.
    #[default]
    User,
}

impl Class {
    /// All of them, in the order of their numbers.
    pub const ALL: [Class; CLASS_COUNT] = [Class::Files, Class::Names, Class::User];

    /// Its place in tables, and the word of the nodes that wait for its jobs.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// How many of its jobs may run on `threads_max` threads, unless the builder says otherwise.
    pub(crate) fn default_max(self, threads_max: usize) -> usize {
        match self {
            Class::Files | Class::User => threads_max,
            Class::Names => (threads_max / 2).max(1),
        }
    }
}
