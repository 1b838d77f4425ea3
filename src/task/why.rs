//! `Why`: from a task to those who could let it go on, and on to where that ends.
//!
//! *Role.* `inspect::why` answers for one task; the report of a deadlock asks for the circle in it.
//!
//! *Model.* A graph whose nodes are tasks. A task that waits for a lock leads to the holder, one that waits for
//! a channel to whoever used the other end last, one that awaits a handle to that task, one that waits for the
//! children of its scope, or for a task of a set, to each of them. Where no edge leads on there is a leaf:
//!
//! ```text
//!   task 3 ──lock──► task 4 ──join──► task 7 ──► a timer: it can go on
//!                       └──channel──► task 3: a circle, if nothing else of the two can happen
//! ```
//!
//! A task goes on if *one* of its waits comes true, so a circle holds it only if nothing that it leads to
//! can happen.
//!
//! *Cost.* O(tasks and waits).

use std::collections::HashMap;
use std::fmt;

use super::core::Core;
use super::info::TaskState;
use super::join::TaskId;
use super::target::{Brief, Target};
use super::view::{TaskView, WaitView};
use super::wait::Kind;

/// Whether a task can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outlook {
    /// It, or one that it waits for, is ready, or waits for something outside of the loop's tasks: time, a
    /// descriptor, a thread.
    CanGoOn,
    /// That depends on whoever sets, sends or notifies; who that could be is not known.
    DependsOnSomebody,
    /// It waits for itself, through others.
    Circle,
    /// Nothing that it waits for can happen.
    Never,
}

/// Why a task waits. `Display` is a few lines for people.
#[derive(Clone, Debug)]
pub struct Why {
    /// The task that was asked for, and those that it leads to.
    tasks: Vec<TaskView>,
    outlook: Outlook,
    circle: Vec<TaskId>,
}

impl Why {
    /// The tasks that it leads to, itself first, each once.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.iter().map(|view| view.info.id())
    }

    /// What is to be expected.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        self.outlook
    }

    /// Those who wait for each other in a circle, each for the next, the last for the first; empty if there is
    /// none on the way.
    #[must_use]
    pub fn circle(&self) -> &[TaskId] {
        &self.circle
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for view in &self.tasks {
            write_view(f, "", view)?;
        }
        f.write_str(match self.outlook {
            Outlook::CanGoOn => "it can go on",
            Outlook::DependsOnSomebody => "it can go on if somebody lets it",
            Outlook::Circle => "it can not go on: ",
            Outlook::Never => "it can not go on: nothing that it waits for can happen",
        })?;
        if self.outlook == Outlook::Circle {
            write_circle(f, &self.tasks, &self.circle)?;
        }
        Ok(())
    }
}

/// A task and its waits, one line each.
fn write_view(f: &mut impl fmt::Write, indent: &str, view: &TaskView) -> fmt::Result {
    let state = match view.info.state() {
        TaskState::Ready => " is ready",
        TaskState::Running => " is running",
        _ if view.is_lost => " waits for nothing, and nobody has a waker of it",
        _ => "",
    };
    writeln!(f, "{indent}{}{state}", view.info)?;
    for wait in &view.waits {
        write!(f, "{indent}  waits for {}", wait.target)?;
        match wait.location {
            Some(line) => writeln!(f, ", at {line}")?,
            None => writeln!(f)?,
        }
    }
    Ok(())
}

/// `task 3 waits for lock 1, held by task 4; task 4 waits for …`.
fn write_circle(f: &mut impl fmt::Write, views: &[TaskView], circle: &[TaskId]) -> fmt::Result {
    for (index, id) in circle.iter().enumerate() {
        let next = circle[(index + 1) % circle.len()];
        let view = views.iter().find(|view| view.info.id() == *id);
        let wait = view.and_then(|view| view.waits.iter().find(|w| leads_to(w, next, views)));
        let separator = if index == 0 { "" } else { "; " };
        write!(f, "{separator}task {id} waits for ")?;
        match wait {
            Some(wait) => write!(f, "{}", Brief(&wait.target))?,
            None => write!(f, "task {next}")?,
        }
    }
    Ok(())
}

fn leads_to(wait: &WaitView, next: TaskId, views: &[TaskView]) -> bool {
    edges_of(wait, views).contains(&next.as_u64())
}

/// The tasks that could make this wait come true, as far as that is known.
fn edges_of(wait: &WaitView, views: &[TaskView]) -> Vec<u64> {
    if let (Kind::Children, Target::Resource(scope)) = (wait.kind, &wait.target) {
        let children = views
            .iter()
            .filter(|child| child.scope.is_some() && child.scope == scope.number());
        return children.map(TaskView::id).collect();
    }
    match &wait.target {
        Target::Task(task) => vec![task.id().as_u64()],
        Target::Resource(resource) => resource.edges(),
        _ => Vec::new(),
    }
}

/// What a wait promises, beside its edges.
fn leaf_of(wait: &WaitView, has_edges: bool) -> Outlook {
    match &wait.target {
        Target::Timer(None) => Outlook::Never,
        Target::Timer(Some(_)) | Target::Delay(_) | Target::Waker => Outlook::CanGoOn,
        Target::Descriptor { .. } | Target::Child(_) | Target::Signal(_) => Outlook::CanGoOn,
        // The edges to several tasks may stand in their join slots.
        _ if has_edges || wait.kind == Kind::Tasks => Outlook::Never,
        _ if matches!(wait.kind, Kind::Job | Kind::SelectorTurn | Kind::Transport) => {
            Outlook::CanGoOn
        }
        Target::Resource(resource) if resource.holder().is_some() => Outlook::Never,
        Target::Task(_) => Outlook::Never,
        Target::Resource(_) | Target::Other(_) => Outlook::DependsOnSomebody,
    }
}

/// The first circle that the edges of `views` have, as indices; each leads to the next.
fn circle_in(views: &[TaskView]) -> Vec<usize> {
    let places: HashMap<u64, usize> = views.iter().map(TaskView::id).zip(0..).collect();
    let edges: Vec<Vec<usize>> = views
        .iter()
        .map(|view| {
            let ids = view.waits.iter().flat_map(|w| edges_of(w, views));
            ids.filter_map(|id| places.get(&id).copied()).collect()
        })
        .collect();
    let mut is_seen = vec![false; views.len()];
    let mut is_on_path = vec![false; views.len()];
    for start in 0..views.len() {
        // The path from `start`, with how many edges of each were followed.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(next) = next.filter(|next| !is_seen[*next]) {
                is_seen[next] = true;
                is_on_path[next] = true;
                path.push((next, 0));
            }
            let Some((at, followed)) = path.last_mut() else {
                break;
            };
            next = edges[*at].get(*followed).copied();
            *followed += 1;
            match next {
                Some(next) if is_on_path[next] => {
                    let way = path.iter().map(|(place, _)| *place);
                    return way.skip_while(|place| *place != next).collect();
                }
                Some(_) => {}
                None => {
                    is_on_path[*at] = false;
                    path.pop();
                }
            }
        }
    }
    Vec::new()
}

/// Why the task with this id waits; `None` if it is no unfinished task of these.
pub(crate) fn why(mut views: Vec<TaskView>, id: u64) -> Option<Why> {
    let places: HashMap<u64, usize> = views.iter().map(TaskView::id).zip(0..).collect();
    let mut reached = vec![*places.get(&id)?];
    let mut is_reached = vec![false; views.len()];
    is_reached[reached[0]] = true;
    let mut leaves = Vec::new();
    let mut next = 0;
    while let Some(&place) = reached.get(next) {
        next += 1;
        let view = &views[place];
        if matches!(view.info.state(), TaskState::Ready | TaskState::Running) {
            leaves.push(Outlook::CanGoOn);
        }
        for wait in &view.waits {
            let ids = edges_of(wait, &views);
            leaves.push(leaf_of(wait, !ids.is_empty()));
            for place in ids.iter().filter_map(|id| places.get(id)) {
                if !std::mem::replace(&mut is_reached[*place], true) {
                    reached.push(*place);
                }
            }
        }
    }
    // In the order of the way, and without the others.
    let order: HashMap<u64, usize> = reached.iter().map(|p| views[*p].id()).zip(0..).collect();
    views.retain(|view| order.contains_key(&view.id()));
    views.sort_by_key(|view| order[&view.id()]);
    let circle: Vec<TaskId> = circle_in(&views)
        .into_iter()
        .map(|place| views[place].info.id())
        .collect();
    let outlook = if leaves.contains(&Outlook::CanGoOn) {
        Outlook::CanGoOn
    } else if leaves.contains(&Outlook::DependsOnSomebody) {
        Outlook::DependsOnSomebody
    } else if circle.is_empty() {
        Outlook::Never
    } else {
        Outlook::Circle
    };
    Some(Why {
        tasks: views,
        outlook,
        circle,
    })
}

impl Core {
    /// What each of the tasks that count waits for, and how many they are.
    pub(crate) fn describe_unfinished(&self) -> (usize, String) {
        let mut views = self.views();
        views.retain(|view| !view.info.is_background());
        let mut text = String::from("\n");
        for view in &views {
            let _ = write_view(&mut text, "  ", view);
        }
        text.pop();
        (views.len(), text)
    }

    /// What each unfinished task waits for, and who waits for whom in a circle.
    pub(crate) fn describe_deadlock(&self) -> String {
        let views = self.views();
        let mut text = String::from("\n");
        for view in &views {
            let _ = write_view(&mut text, "  ", view);
        }
        let circle: Vec<_> = circle_in(&views)
            .into_iter()
            .map(|place| views[place].info.id())
            .collect();
        if circle.is_empty() {
            text.pop();
        } else {
            text.push_str("in a circle: ");
            let _ = write_circle(&mut text, &views, &circle);
        }
        text
    }
}
