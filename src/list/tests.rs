//! Ring, queue and chain against a `VecDeque` each, with every link checked after every step.
//!
//! The models drop nodes and heads, and move heads, at random; under AddressSanitizer a link that was left
//! behind is a use after free.

#![expect(
    unsafe_code,
    reason = "makes nodes, and reads those it knows to be alive"
)]

use std::collections::VecDeque;
use std::mem::{self, offset_of, size_of};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

// Nodes are declared before the heads they are pushed to: locals are dropped from the last to the first,
// and a head unlinks what it holds.

const NODE_COUNT: usize = 9;
const HEAD_COUNT: usize = 3;

/// `pad` keeps the links away from offset 0, so that a forgotten offset shows.
struct Node {
    index: usize,
    pad: u8,
    links: Links,
    chain: ChainLinks,
}

// SAFETY: OFFSET is `links`, which only the lists change; every test unlinks a node before it drops it.
unsafe impl Linked for Node {
    const OFFSET: usize = offset_of!(Node, links);
}

// SAFETY: as above, for `chain`.
unsafe impl Chained for Node {
    const CHAIN_OFFSET: usize = offset_of!(Node, chain);
}

impl Node {
    fn new(index: usize) -> Pin<Box<Node>> {
        Box::pin(Node {
            index,
            pad: 0xa5,
            links: Links::new(),
            chain: ChainLinks::new(),
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        assert_eq!(self.pad, 0xa5);
        let stands_nowhere = !self.links.is_linked() && !self.chain.is_linked();
        assert!(stands_nowhere || std::thread::panicking());
    }
}

fn nodes() -> Vec<Pin<Box<Node>>> {
    (0..NODE_COUNT).map(Node::new).collect()
}

/// The index of a node that is known to be alive.
fn index(node: NonNull<Node>) -> usize {
    // SAFETY: the tests keep their nodes in a vector and ask only about those.
    unsafe { node.as_ref() }.index
}

fn contains(models: &[VecDeque<usize>], node: usize) -> bool {
    models.iter().any(|model| model.contains(&node))
}

fn forget(models: &mut [VecDeque<usize>], node: usize) {
    models
        .iter_mut()
        .for_each(|model| model.retain(|&n| n != node));
}

#[derive(Clone, Debug)]
enum Op {
    PushBack(usize, usize),
    PopFront(usize),
    Unlink(usize, usize),
    Append(usize, usize),
    Sort(usize),
    DropNode(usize),
    DropHead(usize),
    MoveHeads,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (head, node) = (0..HEAD_COUNT, 0..NODE_COUNT);
    let op = prop_oneof![
        6 => (head.clone(), node.clone()).prop_map(|(h, n)| Op::PushBack(h, n)),
        2 => head.clone().prop_map(Op::PopFront),
        3 => (head.clone(), node.clone()).prop_map(|(h, n)| Op::Unlink(h, n)),
        1 => (head.clone(), head.clone()).prop_map(|(a, b)| Op::Append(a, b)),
        1 => head.clone().prop_map(Op::Sort),
        1 => node.prop_map(Op::DropNode),
        1 => head.prop_map(Op::DropHead),
        1 => Just(Op::MoveHeads),
    ];
    vec(op, 0..80)
}

// --- Ring -------------------------------------------------------------------------------------------

type Rings = Vec<Pin<Box<Ring<Node>>>>;

fn ring() -> Pin<Box<Ring<Node>>> {
    Box::pin(Ring::new())
}

fn check_ring(ring: Pin<&Ring<Node>>, model: &VecDeque<usize>) {
    assert_eq!(ring.is_empty(), model.is_empty());
    assert_eq!(ring.first().map(index), model.front().copied());
    // SAFETY: nothing is unlinked while the iterator is in use.
    let found: Vec<usize> = unsafe { ring.iter() }.map(index).collect();
    assert_eq!(*model, found);
    let sentinel = ring.sentinel();
    let mut at = sentinel;
    // LIST-3, the sentinel included.
    for _ in 0..=model.len() {
        // SAFETY: `iter` above has just visited the same nodes.
        unsafe {
            let next = (*at).next.get();
            assert!(ptr::eq((*next).prev.get(), at));
            at = next;
        }
    }
    assert!(ptr::eq(at, sentinel));
}

fn step_ring(
    op: &Op,
    rings: &mut Rings,
    nodes: &mut [Pin<Box<Node>>],
    models: &mut [VecDeque<usize>],
) {
    match *op {
        Op::PushBack(h, n) if !contains(models, n) => {
            rings[h].as_ref().push_back(nodes[n].as_ref());
            models[h].push_back(n);
        }
        Op::PopFront(h) => {
            let popped = rings[h].as_ref().pop_front().map(index);
            assert_eq!(popped, models[h].pop_front());
        }
        Op::Unlink(_, n) => {
            Ring::unlink(nodes[n].as_ref());
            forget(models, n);
        }
        Op::Append(a, b) => {
            rings[a].as_ref().append(rings[b].as_ref());
            if a != b {
                let moved = mem::take(&mut models[b]);
                models[a].extend(moved);
            }
        }
        Op::Sort(h) => {
            // SAFETY: the key reads a field.
            unsafe { rings[h].as_ref().sort_by_key(|node| node.index as u64 / 2) };
            models[h].make_contiguous().sort_by_key(|&n| n / 2);
        }
        Op::DropNode(n) => {
            Ring::unlink(nodes[n].as_ref());
            nodes[n] = Node::new(n);
            forget(models, n);
        }
        Op::DropHead(h) => {
            rings[h] = ring();
            models[h].clear();
        }
        Op::PushBack(..) | Op::MoveHeads => {}
    }
}

// --- Queue ------------------------------------------------------------------------------------------

fn check_queue(queue: &Queue<Node>, model: &VecDeque<usize>) {
    assert_eq!(queue.is_empty(), model.is_empty());
    assert_eq!(queue.first().map(index), model.front().copied());
    // SAFETY: nothing is unlinked while the iterator is in use.
    let found: Vec<usize> = unsafe { queue.iter() }.map(index).collect();
    assert_eq!(*model, found);
    let ends = queue.ends();
    let mut before = EDGE;
    let mut at = ends.0;
    // LIST-3 and QUEUE-1.
    while !at.is_null() && !is_edge(at) {
        // SAFETY: `iter` above has just visited the same nodes.
        unsafe {
            assert!(ptr::eq((*at).prev.get(), before));
            (before, at) = (at, (*at).next.get());
        }
    }
    let last = if ends.0.is_null() {
        ptr::null()
    } else {
        before
    };
    assert!(ptr::eq(last, ends.1));
}

/// Whether `Queue::unlink` with head `h` takes node `n` out, by its documentation: yes unless the node
/// stands nowhere or at an end of another queue.
fn queue_can_unlink(models: &[VecDeque<usize>], h: usize, n: usize) -> bool {
    let is_at_foreign_end = models.iter().enumerate().any(|(other, model)| {
        other != h && (model.front() == Some(&n) || model.back() == Some(&n))
    });
    contains(models, n) && !is_at_foreign_end
}

fn step_queue(
    op: &Op,
    queues: &mut Vec<Queue<Node>>,
    nodes: &mut [Pin<Box<Node>>],
    models: &mut [VecDeque<usize>],
) {
    match *op {
        Op::PushBack(h, n) if !contains(models, n) => {
            queues[h].push_back(nodes[n].as_ref());
            models[h].push_back(n);
        }
        Op::PopFront(h) => {
            assert_eq!(queues[h].pop_front().map(index), models[h].pop_front());
        }
        Op::Unlink(h, n) => {
            let can_unlink = queue_can_unlink(models, h, n);
            assert_eq!(queues[h].unlink(nodes[n].as_ref()), can_unlink);
            if can_unlink {
                forget(models, n);
            }
        }
        Op::DropNode(n) => {
            if let Some(h) = models.iter().position(|model| model.contains(&n)) {
                assert!(queues[h].unlink(nodes[n].as_ref()));
            }
            nodes[n] = Node::new(n);
            forget(models, n);
        }
        Op::DropHead(h) => {
            queues[h] = Queue::new();
            models[h].clear();
        }
        Op::MoveHeads => {
            // To new addresses, with the nodes linked; the old places are freed.
            *queues = queues.drain(..).rev().collect();
            models.reverse();
        }
        Op::PushBack(..) | Op::Append(..) | Op::Sort(_) => {}
    }
}

// --- Chain ------------------------------------------------------------------------------------------

fn check_chain(chain: &Chain<Node>, model: &VecDeque<usize>) {
    // SAFETY: nothing is unlinked while the iterator is in use.
    let found: Vec<NonNull<Node>> = unsafe { chain.iter() }.collect();
    assert!(
        found
            .iter()
            .map(|&node| index(node))
            .eq(model.iter().copied())
    );
    for node in found {
        // SAFETY: `iter` has just visited it. CHAIN-1.
        unsafe { node.as_ref() }.chain.check();
    }
}

fn step_chain(
    op: &Op,
    chains: &mut [Pin<Box<Chain<Node>>>],
    nodes: &mut [Pin<Box<Node>>],
    models: &mut [VecDeque<usize>],
) {
    match *op {
        Op::PushBack(h, n) if !contains(models, n) => {
            chains[h].as_ref().push_front(nodes[n].as_ref());
            models[h].push_front(n);
        }
        Op::PopFront(h) => {
            let popped = chains[h].as_ref().pop_front().map(index);
            assert_eq!(popped, models[h].pop_front());
        }
        Op::Unlink(_, n) => {
            Chain::unlink(nodes[n].as_ref());
            forget(models, n);
        }
        Op::DropNode(n) => {
            Chain::unlink(nodes[n].as_ref());
            nodes[n] = Node::new(n);
            forget(models, n);
        }
        Op::DropHead(h) => {
            chains[h] = Box::pin(Chain::new());
            models[h].clear();
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn hz_a27_ring_agrees_with_a_deque(ops in ops()) {
        let (mut nodes, mut models) = (nodes(), vec![VecDeque::new(); HEAD_COUNT]);
        let mut rings: Rings = (0..HEAD_COUNT).map(|_| ring()).collect();
        for op in &ops {
            step_ring(op, &mut rings, &mut nodes, &mut models);
            for (ring, model) in rings.iter().zip(&models) {
                check_ring(ring.as_ref(), model);
            }
            for node in &nodes {
                assert_eq!(node.links.is_linked(), contains(&models, node.index));
            }
        }
        drop(rings);
        assert!(nodes.iter().all(|node| !node.links.is_linked()));
    }

    #[test]
    fn hz_a27_queue_agrees_with_a_deque_while_its_head_moves(ops in ops()) {
        let (mut nodes, mut models) = (nodes(), vec![VecDeque::new(); HEAD_COUNT]);
        let mut queues: Vec<_> = (0..HEAD_COUNT).map(|_| Queue::new()).collect();
        for op in &ops {
            step_queue(op, &mut queues, &mut nodes, &mut models);
            for (queue, model) in queues.iter().zip(&models) {
                check_queue(queue, model);
            }
            for node in &nodes {
                assert_eq!(node.links.is_linked(), contains(&models, node.index));
            }
        }
        drop(queues);
        assert!(nodes.iter().all(|node| !node.links.is_linked()));
    }

    #[test]
    fn hz_a27_chain_agrees_with_a_deque(ops in ops()) {
        let (mut nodes, mut models) = (nodes(), vec![VecDeque::new(); HEAD_COUNT]);
        let mut chains: Vec<_> = (0..HEAD_COUNT).map(|_| Box::pin(Chain::new())).collect();
        for op in &ops {
            step_chain(op, &mut chains, &mut nodes, &mut models);
            for (chain, model) in chains.iter().zip(&models) {
                check_chain(chain, model);
            }
            for node in &nodes {
                assert_eq!(node.chain.is_linked(), contains(&models, node.index));
            }
        }
        drop(chains);
        assert!(nodes.iter().all(|node| !node.chain.is_linked()));
    }

    #[test]
    fn ring_sort_is_stable(keys in vec(0..40_u64, 0..200)) {
        let nodes: Vec<_> = (0..keys.len()).map(Node::new).collect();
        let ring = ring();
        for node in &nodes {
            ring.as_ref().push_back(node.as_ref());
        }
        // SAFETY: the key reads a field.
        unsafe { ring.as_ref().sort_by_key(|node| keys[node.index]) };
        let mut expected: VecDeque<usize> = (0..keys.len()).collect();
        expected.make_contiguous().sort_by_key(|&n| keys[n]);
        check_ring(ring.as_ref(), &expected);
    }
}

#[test]
fn heads_and_links_have_the_sizes_others_rely_on() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Links>(), 2 * word);
    assert_eq!(size_of::<Ring<Node>>(), 2 * word);
    assert_eq!(size_of::<Queue<Node>>(), 2 * word);
    assert_eq!(size_of::<ChainLinks>(), 2 * word);
    assert_eq!(size_of::<Chain<Node>>(), word);
}

#[test]
fn an_empty_ring_that_was_never_pinned_may_move() {
    let node = Node::new(0);
    let ring: Ring<Node> = Ring::new();
    let ring = Box::pin(ring);
    ring.as_ref().push_back(node.as_ref());
    check_ring(ring.as_ref(), &VecDeque::from([0]));
    Ring::unlink(node.as_ref());
}

#[test]
fn a_node_stands_in_a_list_and_a_chain_at_once() {
    let (node, ring, chain) = (Node::new(7), ring(), Box::pin(Chain::new()));
    ring.as_ref().push_back(node.as_ref());
    chain.as_ref().push_front(node.as_ref());
    Ring::unlink(node.as_ref());
    assert!(node.chain.is_linked());
    check_chain(&chain, &VecDeque::from([7]));
    Chain::unlink(node.as_ref());
    // SAFETY: nothing is linked or unlinked while the chain is looked at.
    assert!(unsafe { chain.iter() }.next().is_none());
}

#[test]
fn a_new_node_is_linked_without_a_look_at_its_own_words() {
    let (nodes, ring, chain) = (nodes(), ring(), Box::pin(Chain::new()));
    let junk = ptr::without_provenance(0xa5a0);
    ring.as_ref().prepare();
    for node in &nodes[..3] {
        node.links.prev.set(junk);
        node.links.next.set(junk);
        // SAFETY: the node stands nowhere, whatever its links say.
        unsafe { ring.as_ref().push_back_new(node.as_ref()) };
        // SAFETY: the node stands in no chain as yet.
        unsafe { chain.as_ref().push_front_new(node.as_ref()) };
    }
    check_ring(ring.as_ref(), &VecDeque::from([0, 1, 2]));
    check_chain(&chain, &VecDeque::from([2, 1, 0]));
    for node in &nodes[..3] {
        Ring::unlink(node.as_ref());
        Chain::unlink(node.as_ref());
    }
    let queue = Queue::new();
    for node in &nodes[..3] {
        node.links.prev.set(junk);
        node.links.next.set(junk);
        // SAFETY: the node stands nowhere, whatever its links say, as for the ring.
        unsafe { queue.push_back_new(node.as_ref()) };
    }
    check_queue(&queue, &VecDeque::from([0, 1, 2]));
}

#[test]
fn a_node_that_leaves_for_ever_is_passed_over_by_its_neighbours() {
    for leaver in 0..3 {
        let (nodes, ring, chain) = (nodes(), ring(), Box::pin(Chain::new()));
        for node in &nodes[..3] {
            ring.as_ref().push_back(node.as_ref());
            chain.as_ref().push_front(node.as_ref());
        }
        let node = nodes[leaver].as_ref();
        // SAFETY: it stands in no queue; its links are not used again, only wiped.
        unsafe { Ring::leave(node) };
        // SAFETY: its links are not used again, only wiped.
        unsafe { Chain::leave(node) };
        node.links.reset();
        node.chain.reset();
        let left: Vec<_> = (0..3).filter(|index| *index != leaver).collect();
        check_ring(ring.as_ref(), &left.iter().copied().collect());
        check_chain(&chain, &left.iter().rev().copied().collect());
        // SAFETY: it stands nowhere, so leaving changes nothing.
        unsafe { Ring::leave(node) };
        for index in left {
            Ring::unlink(nodes[index].as_ref());
            Chain::unlink(nodes[index].as_ref());
        }
    }
}

#[test]
fn a_node_that_is_taken_for_ever_is_passed_over_by_who_stands_behind_it() {
    let (nodes, queue) = (nodes(), Queue::new());
    for node in &nodes[..3] {
        queue.push_back(node.as_ref());
    }
    for (taken, left) in [[1, 2].as_slice(), &[2], &[]].into_iter().enumerate() {
        // SAFETY: its links are not used again, only wiped.
        let node = unsafe { queue.take_front() };
        assert_eq!(node.map(index), Some(taken));
        nodes[taken].links.reset();
        check_queue(&queue, &left.iter().copied().collect());
    }
    // SAFETY: the queue is empty, so there is no node whose links could be read.
    assert!(unsafe { queue.take_front() }.is_none());
}

#[test]
fn linking_a_linked_node_panics_and_changes_nothing() {
    let (nodes, ring, queue) = (nodes(), ring(), Queue::new());
    ring.as_ref().push_back(nodes[0].as_ref());
    ring.as_ref().push_back(nodes[1].as_ref());
    queue.push_back(nodes[2].as_ref());
    let attempts: [&dyn Fn(); 4] = [
        &|| ring.as_ref().push_back(nodes[0].as_ref()),
        &|| ring.as_ref().push_back(nodes[2].as_ref()),
        &|| queue.push_back(nodes[2].as_ref()),
        &|| queue.push_back(nodes[1].as_ref()),
    ];
    for attempt in attempts {
        assert!(catch_unwind(AssertUnwindSafe(attempt)).is_err());
        check_ring(ring.as_ref(), &VecDeque::from([0, 1]));
        check_queue(&queue, &VecDeque::from([2]));
    }
}

#[test]
fn a_ring_refuses_to_unlink_the_ends_of_a_queue() {
    let (nodes, queue) = (nodes(), Queue::new());
    for node in &nodes[..3] {
        queue.push_back(node.as_ref());
    }
    for end in [0, 2] {
        let attempt = || Ring::unlink(nodes[end].as_ref());
        assert!(catch_unwind(AssertUnwindSafe(attempt)).is_err());
        check_queue(&queue, &VecDeque::from([0, 1, 2]));
    }
    Ring::unlink(nodes[1].as_ref());
    check_queue(&queue, &VecDeque::from([0, 2]));
}

#[test]
fn a_queue_unlinks_a_node_of_a_ring() {
    let (nodes, ring, queue) = (nodes(), ring(), Queue::new());
    ring.as_ref().push_back(nodes[0].as_ref());
    queue.push_back(nodes[1].as_ref());
    assert!(queue.unlink(nodes[0].as_ref()));
    check_ring(ring.as_ref(), &VecDeque::new());
    check_queue(&queue, &VecDeque::from([1]));
}

#[test]
fn a_node_in_two_hands_can_leave_while_the_iterator_stands_behind_it() {
    let (nodes, ring) = (nodes(), ring());
    for node in &nodes {
        ring.as_ref().push_back(node.as_ref());
    }
    // SAFETY: only nodes that the iterator has passed are unlinked.
    for node in unsafe { ring.as_ref().iter() } {
        Ring::unlink(nodes[index(node)].as_ref());
    }
    assert!(ring.is_empty());
}
