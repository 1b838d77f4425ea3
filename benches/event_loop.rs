//! What the loop costs: spawning, yielding, waking from here and from elsewhere, a tick per backend.
//!
//! CPU time on a shared machine swings by a tenth or more; `make bench-callgrind` counts instructions,
//! which do not. Use this one for what has no instruction count: system calls and other threads.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;
use std::io::Write;
use std::rc::Rc;
use std::task::Waker;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mainspring::io::AsyncFd;
use mainspring::{BackendKind, Builder, Runtime, spawn, yield_now, yield_to_io};

const KINDS: [BackendKind; 2] = [BackendKind::Native, BackendKind::Poll];

fn runtime(kind: BackendKind) -> Runtime {
    Builder::new()
        .backend(kind)
        .build()
        .expect("the selector works")
}

fn spawning(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn");
    let runtime = runtime(BackendKind::Native);
    for count in [1_000_usize, 100_000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("spawn and join", count), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let handles: Vec<_> = (0..count)
                        .map(|index| spawn(async move { black_box(index) }))
                        .collect();
                    for handle in handles {
                        black_box(handle.await.expect("it returns"));
                    }
                })
            });
        });
    }
    group.finish();
}

fn switching(c: &mut Criterion) {
    let mut group = c.benchmark_group("switch");
    let runtime = runtime(BackendKind::Native);
    for tasks in [1_usize, 1_000] {
        group.throughput(Throughput::Elements(100_000));
        group.bench_function(BenchmarkId::new("yield", tasks), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let handles: Vec<_> = (0..tasks)
                        .map(|_| {
                            spawn(async move {
                                for _ in 0..100_000 / tasks {
                                    yield_now().await;
                                }
                            })
                        })
                        .collect();
                    for handle in handles {
                        handle.await.expect("it returns");
                    }
                })
            });
        });
    }
    group.finish();
}

/// A task that is parked for ever, and its waker.
fn parked(runtime: &Runtime) -> Waker {
    let slot = Rc::new(std::cell::RefCell::new(None));
    let inner = Rc::clone(&slot);
    runtime.spawn(std::future::poll_fn(move |cx| {
        *inner.borrow_mut() = Some(cx.waker().clone());
        std::task::Poll::<()>::Pending
    }));
    runtime.tick().expect("the selector works");
    let waker = slot.borrow_mut().take();
    waker.expect("the tick polled it")
}

fn waking(c: &mut Criterion) {
    let mut group = c.benchmark_group("wake");
    let runtime = runtime(BackendKind::Native);
    let waker = parked(&runtime);
    group.bench_function("on the loop's thread, and the tick", |b| {
        b.iter(|| {
            let entered = runtime.enter();
            waker.wake_by_ref();
            drop(entered);
            runtime.tick().expect("the selector works")
        });
    });
    group.bench_function("from elsewhere, and the tick", |b| {
        // Outside of the loop a wake takes the way of every other thread.
        b.iter(|| {
            waker.wake_by_ref();
            runtime.tick().expect("the selector works")
        });
    });
    group.finish();
}

fn ticking(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick");
    for kind in KINDS {
        let runtime = runtime(kind);
        group.bench_function(BenchmarkId::new("empty", runtime.backend_name()), |b| {
            b.iter(|| runtime.tick().expect("the selector works"));
        });
        let (near, _far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("an option");
        let near = AsyncFd::new(near).expect("a socket is pollable");
        let waiting = runtime.spawn(async move { near.readable().await.map(drop) });
        runtime.tick().expect("the selector works");
        group.bench_function(BenchmarkId::new("one fd", runtime.backend_name()), |b| {
            b.iter(|| runtime.tick().expect("the selector works"));
        });
        waiting.abort();
    }
    group.finish();
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("readable to resumed");
    for kind in KINDS {
        let runtime = runtime(kind);
        group.bench_function(runtime.backend_name(), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
                    let near = mainspring::net::UnixStream::from_std(near).expect("an option");
                    let reader = spawn(async move { near.read(&mut [0; 8]).await });
                    yield_to_io().await;
                    far.write_all(b"x").expect("there is room");
                    reader.await.expect("it returns").expect("it reads")
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, spawning, switching, waking, ticking, reading);
criterion_main!(benches);
