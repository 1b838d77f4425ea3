//! What the structures below everything cost: list, wheel and slab, without tasks or clock.
//!
//! `cargo bench --bench structures`. They are private, so their sources are compiled into this program.
//! A cell does its operation on many nodes per iteration; the throughput line counts the nodes.

#![expect(unsafe_code, reason = "makes nodes")]
#![expect(missing_docs, reason = "criterion's macros")]

use std::cell::Cell;
use std::hint::black_box;
use std::mem::offset_of;
use std::pin::Pin;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use sources::{list, slab, wheel};

use list::{Linked, Links, Queue, Ring};
use slab::Slab;
use wheel::{Timed, Wheel};

#[allow(dead_code, reason = "a benchmark uses a part of them")]
#[allow(unused_imports, reason = "as above")]
#[path = "../src"]
mod sources {
    pub(crate) mod list;
    pub(crate) mod slab;
    pub(crate) mod wheel;
}

const NODE_COUNT: usize = 1_000;
const MILLISECOND_NS: u64 = 1_000_000;
/// How many timers stand in the wheel at once, their deadlines spread over one second.
const SPREAD_COUNTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

struct Node {
    deadline_ns: Cell<u64>,
    links: Links,
}

// SAFETY: OFFSET is `links`; `Drop` unlinks.
unsafe impl Linked for Node {
    const OFFSET: usize = offset_of!(Node, links);
}

// SAFETY: reads a field, which is set while the node is not linked.
unsafe impl Timed for Node {
    fn deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: it was pinned, and is not moved any more.
        Ring::unlink(unsafe { Pin::new_unchecked(&*self) });
    }
}

/// Nodes with deadlines spread over `span_ns` in an order that no wheel likes.
fn nodes(count: usize, span_ns: u64) -> Pin<Box<[Node]>> {
    let spread = |n: usize| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % span_ns;
    let nodes = (0..count).map(|n| Node {
        deadline_ns: Cell::new(1 + spread(n)),
        links: Links::new(),
    });
    Box::into_pin(nodes.collect::<Box<[Node]>>())
}

fn each(nodes: &Pin<Box<[Node]>>) -> impl Iterator<Item = Pin<&Node>> {
    // SAFETY: an element of a pinned slice is pinned.
    nodes.iter().map(|node| unsafe { Pin::new_unchecked(node) })
}

fn list_cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(NODE_COUNT as u64));
    let nodes = nodes(NODE_COUNT, 1);
    let ring = Box::pin(Ring::new());
    group.bench_function("ring push_back + unlink", |bencher| {
        bencher.iter(|| {
            each(&nodes).for_each(|node| ring.as_ref().push_back(black_box(node)));
            each(&nodes).for_each(|node| Ring::unlink(black_box(node)));
        });
    });
    let queue = Queue::new();
    group.bench_function("queue push_back + pop_front", |bencher| {
        bencher.iter(|| {
            each(&nodes).for_each(|node| queue.push_back(black_box(node)));
            while let Some(node) = queue.pop_front() {
                black_box(node);
            }
        });
    });
    group.finish();
}

fn wheel_cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wheel");
    group.throughput(Throughput::Elements(NODE_COUNT as u64));
    let near = nodes(NODE_COUNT, 1_000 * MILLISECOND_NS);
    let wheel = Wheel::new(0);
    group.bench_function("insert + cancel", |bencher| {
        bencher.iter(|| {
            each(&near).for_each(|node| wheel.insert(black_box(node)));
            each(&near).for_each(|node| Wheel::cancel(black_box(node)));
        });
    });
    each(&near).for_each(|node| wheel.insert(node));
    group.bench_function("next_deadline_ns", |bencher| {
        bencher.iter(|| {
            for _ in 0..NODE_COUNT {
                black_box(black_box(&wheel).next_deadline_ns());
            }
        });
    });
    for count in SPREAD_COUNTS {
        group.throughput(Throughput::Elements(count as u64));
        group.sample_size(if count > 100_000 { 10 } else { 50 });
        let spread = nodes(count, 1_000 * MILLISECOND_NS);
        let name = format!("insert {count} over 1 s, advance to each deadline");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Wheel::new(0),
                |wheel| fire_all(&wheel, &spread),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Sleeps and advances until nothing is left.
fn fire_all(wheel: &Wheel<Node>, nodes: &Pin<Box<[Node]>>) {
    let expired = Box::pin(Ring::new());
    each(nodes).for_each(|node| wheel.insert(node));
    while let Some(next_ns) = wheel.next_deadline_ns() {
        wheel.advance(next_ns, expired.as_ref());
        while let Some(node) = expired.as_ref().pop_front() {
            black_box(node);
        }
    }
}

fn slab_cells(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slab");
    group.throughput(Throughput::Elements(NODE_COUNT as u64));
    let mut slab: Slab<u64> = Slab::new();
    let mut keys = Vec::with_capacity(NODE_COUNT);
    group.bench_function("insert + get + remove", |bencher| {
        bencher.iter(|| {
            keys.extend((0..NODE_COUNT as u64).map(|value| slab.insert(value)));
            for &key in &keys {
                black_box(slab.get(black_box(key)));
            }
            for key in keys.drain(..) {
                black_box(slab.remove(key));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, list_cells, wheel_cells, slab_cells);
criterion_main!(benches);
