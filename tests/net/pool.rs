//! Pools of buffers: idle connections hold none, and who waits for one gets it in turn.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use mainspring::io::BufferPool;
use mainspring::net::UnixStream;
use mainspring::spawn;
use mainspring::time::timeout;

use crate::rig::{On, pattern, reset_on_close, tcp_pair, turns};
use crate::{NEVER, both};

on_both! {
    a_hundred_idle_connections_hold_none_of_two_buffers,
    buffers_go_to_who_waits_longest,
    a_free_buffer_is_not_lent_past_the_line,
    an_idle_reader_does_not_stand_in_the_line,
    a_stolen_byte_sends_the_reader_back_to_its_socket,
    the_end_and_a_reset_need_no_more_than_a_read,
    halves_read_into_the_pool_too,
    a_pool_that_never_runs_out_lets_others_run,
}

fn a_hundred_idle_connections_hold_none_of_two_buffers(on: On) {
    on.sim(async {
        let pool = BufferPool::new(2, 64);
        let (mut fars, mut readers) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let (near, far) = UnixStream::pair().unwrap();
            let pool = pool.clone();
            readers.push(spawn(async move {
                let buf = near.read_pooled(&pool).await.unwrap();
                turns(3).await;
                buf.to_vec()
            }));
            fars.push(far);
        }
        turns(5).await;
        assert_eq!(pool.available(), 2, "nobody has anything to read");
        for (index, far) in fars.iter().enumerate() {
            far.write_all(&pattern(index + 1)[..index.min(63) + 1])
                .await
                .unwrap();
        }
        for (index, reader) in readers.into_iter().enumerate() {
            let got = timeout(NEVER, reader).await.unwrap().unwrap();
            assert_eq!(got, pattern(index.min(63) + 1));
        }
        assert_eq!(pool.available(), 2);
    });
}

fn buffers_go_to_who_waits_longest(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let order = Rc::new(RefCell::new(Vec::new()));
        let held = pool.take().await;
        let mut tasks = Vec::new();
        for name in 0..5 {
            let (pool, order) = (pool.clone(), Rc::clone(&order));
            tasks.push(spawn(async move {
                let _buf = pool.take().await;
                order.borrow_mut().push(name);
                turns(2).await;
            }));
        }
        turns(2).await;
        assert!(order.borrow().is_empty());
        drop(held);
        for task in tasks {
            timeout(NEVER, task).await.unwrap().unwrap();
        }
        assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
        assert_eq!(pool.available(), 1);
    });
}

fn a_free_buffer_is_not_lent_past_the_line(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let held = pool.take().await;
        let other = pool.clone();
        let waiter = spawn(async move { drop(other.take().await) });
        turns(2).await;
        drop(held);
        assert!(pool.try_take().is_none(), "it is under way to the waiter");
        waiter.await.unwrap();
        assert!(pool.try_take().is_some());
    });
}

fn an_idle_reader_does_not_stand_in_the_line(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let held = pool.take().await;
        let (idle, _idle_far) = UnixStream::pair().unwrap();
        let (busy, busy_far) = UnixStream::pair().unwrap();
        let of_idle = pool.clone();
        let idle_task = spawn(async move { idle.read_pooled(&of_idle).await.map(drop) });
        turns(2).await;
        busy_far.write_all(b"tick").await.unwrap();
        let of_busy = pool.clone();
        let busy_task = spawn(async move { busy.read_pooled(&of_busy).await.unwrap() });
        turns(3).await;
        drop(held);
        let buf = timeout(NEVER, busy_task).await.unwrap().unwrap();
        assert_eq!((&*buf, buf.capacity()), (&b"tick"[..], 8));
        drop(buf);
        assert_eq!(pool.available(), 1, "nothing is under way to the idle one");
        idle_task.abort();
    });
}

fn a_stolen_byte_sends_the_reader_back_to_its_socket(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let held = pool.take().await;
        let (near, far) = UnixStream::pair().unwrap();
        let near = Rc::new(near);
        far.write_all(b"x").await.unwrap();
        let (reader, of_reader) = (Rc::clone(&near), pool.clone());
        let task = spawn(async move { reader.read_pooled(&of_reader).await.unwrap().to_vec() });
        turns(3).await;
        assert_eq!(near.try_read(&mut [0; 8]).unwrap(), 1);
        drop(held);
        turns(3).await;
        assert_eq!(
            pool.available(),
            1,
            "it waits for the socket, without a buffer"
        );
        far.write_all(b"y").await.unwrap();
        assert_eq!(timeout(NEVER, task).await.unwrap().unwrap(), b"y");
    });
}

fn the_end_and_a_reset_need_no_more_than_a_read(on: On) {
    on.run(async {
        let pool = BufferPool::new(1, 8);
        let (near, far) = tcp_pair().await;
        drop(far);
        assert!(near.read_pooled(&pool).await.unwrap().is_empty());
        let (near, far) = tcp_pair().await;
        reset_on_close(&far);
        drop(far);
        let error = near.read_pooled(&pool).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(pool.available(), 1);
    });
}

fn halves_read_into_the_pool_too(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let (mut near, far) = UnixStream::pair().unwrap();
        let (reader, _) = near.split();
        let (buf, ()) = both(reader.read_pooled(&pool), async {
            turns(2).await;
            far.write_all(b"tick").await.unwrap();
        })
        .await;
        assert_eq!(&*buf.unwrap(), b"tick");
    });
}

fn a_pool_that_never_runs_out_lets_others_run(on: On) {
    on.sim(async {
        let pool = BufferPool::new(1, 8);
        let greedy = spawn(async move {
            loop {
                drop(pool.take().await);
            }
        });
        turns(3).await;
        assert!(!greedy.is_finished());
        greedy.abort();
    });
}
