//! What is dropped at any moment loses nothing, keeps nothing, and changes no order.

mod support;

use asyncloop::datagram::Datagram;
use asyncloop::sync::{Condition, Lock};
use asyncloop::{
    as_completed, block_on, broadcast, gather, gather_settled, join, mpsc, shield, sleep, spawn,
    timeout, try_spawn, wait_for, watch, yield_now, Code, JoinHandle, Promise, Queue, Stream,
};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use support::{idle_waker, ms, nothing_is_left, on_virtual, HANG};

/// Begins it, has `meanwhile` done, and drops it so many iterations later.
async fn given_up(future: impl Future, meanwhile: impl FnOnce(), iterations: usize) {
    let mut future = Box::pin(future);
    let waker = idle_waker();
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sleep(ms(0)).await.unwrap(); // an iteration: it waits now
    meanwhile();
    for _ in 0..iterations {
        sleep(ms(0)).await.unwrap();
    }
}

#[test]
fn items_keep_their_order() {
    on_virtual(async {
        for iterations in 0..8 {
            let queue = Queue::new(0).unwrap();
            let put = || (1..4).for_each(|i| queue.try_put(i).unwrap());
            given_up(queue.get(), put, iterations).await;
            for i in 1..4 {
                assert_eq!(queue.get().await.unwrap(), i, "{iterations}");
            }
            assert_eq!(queue.unfinished(), 3);

            let (sender, mut receiver) = mpsc::unbounded().unwrap();
            let send = || (1..4).for_each(|i| sender.try_send(i).unwrap());
            given_up(receiver.recv(), send, iterations).await;
            for i in 1..4 {
                assert_eq!(receiver.recv().await.unwrap(), i, "{iterations}");
            }

            let news = broadcast::channel(4).unwrap();
            let mut listener = news.subscribe().unwrap();
            let tell = || (1..4).for_each(|i| assert_eq!(news.send(i).unwrap(), 1));
            given_up(listener.recv(), tell, iterations).await;
            for i in 1..4 {
                assert_eq!(*listener.recv().await.unwrap(), i, "{iterations}");
            }

            let (a, b) = Stream::pair().unwrap();
            let write = || assert_eq!(a.write(b"1\n2\n3\n").unwrap(), 0);
            given_up(b.read_line(), write, iterations).await;
            for i in 1..4 {
                assert_eq!(b.read_line().await.unwrap(), format!("{i}\n").as_bytes());
            }
        }
    });
    nothing_is_left();
}

// Also where they are looked for at once.
#[test]
fn items_keep_their_order_for_who_does_not_wait() {
    on_virtual(async {
        for iterations in 0..8 {
            let queue = Queue::new(0).unwrap();
            let put = || (1..4).for_each(|i| queue.try_put(i).unwrap());
            given_up(queue.get(), put, iterations).await;
            let mut got = Vec::new();
            while got.len() < 3 {
                match queue.try_get() {
                    Ok(item) => got.push(item),
                    Err(_) => yield_now().await,
                }
            }
            assert_eq!(got, [1, 2, 3], "{iterations}");
        }
    });
    nothing_is_left();
}

#[test]
fn two_who_give_up_keep_it_too() {
    on_virtual(async {
        for iterations in 0..8 {
            let queue = Queue::new(0).unwrap();
            let put = || (1..4).for_each(|i| queue.try_put(i).unwrap());
            let (one, two) = (queue.get(), queue.get());
            join!(given_up(one, || (), iterations), given_up(two, put, iterations));
            let mut got = Vec::new();
            while got.len() < 3 {
                got.push(queue.get().await.unwrap());
            }
            assert_eq!(got, [1, 2, 3], "{iterations}");
        }
    });
    nothing_is_left();
}

// Who waits already gets what one who gave up has got.
#[test]
fn an_item_that_comes_back_goes_on() {
    on_virtual(async {
        for iterations in 0..8 {
            let queue = Queue::new(0).unwrap();
            let (one, two) = (queue.get(), queue.get());
            let put = || queue.try_put(1).unwrap();
            let ((), got) = join!(given_up(one, put, iterations), two);
            assert_eq!((got.unwrap(), queue.unfinished()), (1, 1), "{iterations}");
        }
    });
    nothing_is_left();
}

#[test]
fn datagrams_are_not_lost() {
    block_on(async {
        for iterations in 0..8 {
            let there = Datagram::bind("127.0.0.1", 0).await.unwrap();
            let to = there.local_addr().unwrap();
            let here = Datagram::connect(&to.host(), to.port()).await.unwrap();
            let send = || (1..4).for_each(|i| here.send(&[i]).unwrap());
            if iterations % 2 == 0 {
                given_up(there.recv_from(), send, iterations).await;
            } else {
                given_up(there.recv_many(2), send, iterations).await;
            }
            let mut got = Vec::new();
            while got.len() < 3 {
                got.extend(timeout(HANG, there.recv_many(2)).await.unwrap().unwrap());
                if got.len() < 3 {
                    got.push(timeout(HANG, there.recv_from()).await.unwrap().unwrap());
                }
            }
            let bytes: Vec<_> = got.iter().map(|packet| packet.data[0]).collect();
            assert_eq!(bytes, [1, 2, 3], "{iterations}");
        }
    });
    nothing_is_left();
}

#[test]
fn changes_are_not_lost() {
    on_virtual(async {
        for iterations in 0..8 {
            let (setting, mut looking) = watch::channel("old").unwrap();
            given_up(looking.changed(), || setting.send("new").unwrap(), iterations).await;
            let told = timeout(ms(1), looking.changed()).await;
            assert!(matches!(told, Ok(Ok(()))), "{iterations}: {told:?}");
            assert!(!looking.has_changed().unwrap());
            setting.send("newer").unwrap();
            assert!(looking.has_changed().unwrap());
            assert_eq!(*looking.get_and_update().unwrap(), "newer");
            assert!(timeout(ms(1), looking.changed()).await.is_err());
        }
    });
    nothing_is_left();
}

#[test]
fn completions_are_not_lost() {
    on_virtual(async {
        for iterations in 0..8 {
            let (promise, other) = (Promise::new().unwrap(), Promise::new().unwrap());
            let mut all = as_completed([promise.wait(), other.wait()], None).unwrap();
            given_up(all.next(), || promise.set(1).unwrap(), iterations).await;
            assert_eq!(all.next().await.unwrap().unwrap(), 1, "{iterations}");
            other.set(2).unwrap();
            assert_eq!(all.next().await.unwrap().unwrap(), 2);
            assert!(all.next().await.is_none());
        }
    });
    nothing_is_left();
}

#[test]
fn a_condition_is_not_left_locked() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        for contended in [false, true] {
            let waiter = condition.clone();
            let waiting = spawn(async move {
                let guard = waiter.acquire().await.unwrap();
                assert!(timeout(ms(2), waiter.wait(&guard)).await.is_err());
            });
            sleep(ms(1)).await.unwrap();
            let held = match contended {
                true => Some(condition.acquire().await.unwrap()),
                false => None,
            };
            waiting.await.unwrap();
            sleep(ms(1)).await.unwrap();
            assert_eq!(condition.is_locked(), contended);
            drop(held);
            sleep(ms(1)).await.unwrap();
            assert!(!condition.is_locked());
        }
        // One that is awaited to its end has the lock until the guard goes.
        let guard = condition.acquire().await.unwrap();
        assert!(wait_for(ms(1), condition.wait(&guard)).await.unwrap_err().is_timed_out());
        assert!(condition.is_locked());
        drop(guard);
        assert!(!condition.is_locked());
    });
    nothing_is_left();
}

/// Waits with a guard, for longer than anybody lets it.
fn holding(condition: &Condition) -> Pin<Box<dyn Future<Output = ()>>> {
    let condition = condition.clone();
    Box::pin(async move {
        let guard = condition.acquire().await.unwrap();
        condition.wait(&guard).await.unwrap();
    })
}

async fn is_free(condition: &Condition) {
    sleep(ms(10)).await.unwrap();
    assert!(!condition.is_locked(), "locked for ever");
}

#[test]
fn a_condition_that_is_waited_for_again() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        {
            let guard = condition.acquire().await.unwrap();
            assert!(timeout(ms(1), condition.wait(&guard)).await.is_err());
            // A notification may have passed by: it ends once the lock is held again.
            condition.wait(&guard).await.unwrap();
            assert!(condition.is_locked());
            assert!(timeout(ms(1), condition.wait(&guard)).await.is_err());
            drop(condition.wait(&guard)); // it has not begun
            condition.wait_for(&guard, || condition.is_locked()).await.unwrap();
            assert!(timeout(ms(1), wait_for(ms(1000), condition.wait(&guard))).await.is_err());
        }
        is_free(&condition).await;
    });
    nothing_is_left();
}

// Who waits again before it has the lock again takes it from nobody.
#[test]
fn a_condition_that_is_waited_for_again_while_another_has_it() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        let (mine, inside) = (condition.clone(), Rc::new(Cell::new(false)));
        let seen = inside.clone();
        let waiting = spawn(async move {
            let guard = mine.acquire().await.unwrap();
            assert!(timeout(ms(2), mine.wait(&guard)).await.is_err());
            assert!(seen.get());
            mine.wait(&guard).await.unwrap();
            assert!(!seen.get() && mine.is_locked());
        });
        sleep(ms(1)).await.unwrap();
        let guard = condition.acquire().await.unwrap();
        inside.set(true);
        sleep(ms(5)).await.unwrap();
        assert!(inside.replace(false));
        drop(guard);
        waiting.await.unwrap();
        is_free(&condition).await;
    });
    nothing_is_left();
}

// A wait without the lock takes it from nobody.
#[test]
fn a_condition_whose_guard_is_gone() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        let guard = condition.acquire().await.unwrap();
        let late = condition.wait(&guard);
        drop(guard);
        let guard = condition.acquire().await.unwrap();
        assert_eq!(late.await.unwrap_err().code(), Code::NotOwner);
        assert!(condition.is_locked());
        let other = Condition::new().unwrap();
        assert_eq!(other.wait(&guard).await.unwrap_err().code(), Code::NotOwner);
        condition.release().unwrap();
        assert_eq!(condition.wait(&guard).await.unwrap_err().code(), Code::NotOwner);
    });
    nothing_is_left();
}

#[test]
fn a_condition_of_two_branches() {
    on_virtual(async {
        for late in [1, 5] {
            let condition = Condition::new().unwrap();
            let branch = |limit| {
                let condition = condition.clone();
                async move {
                    let guard = condition.acquire().await.unwrap();
                    // Who leaves wakes the other.
                    let _ = timeout(ms(limit), condition.wait(&guard)).await;
                }
            };
            join!(branch(1), branch(late));
            is_free(&condition).await;
            join!(timeout(ms(1), holding(&condition)), timeout(ms(late), holding(&condition)))
                .0
                .unwrap_err();
            is_free(&condition).await;
        }
    });
    nothing_is_left();
}

#[test]
fn a_condition_that_another_task_drops() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        let mut future = holding(&condition);
        assert!(timeout(ms(1), &mut future).await.is_err());
        spawn(async move { drop(future) }).await.unwrap();
        is_free(&condition).await;

        // Who has the lock meanwhile keeps it.
        let mut future = holding(&condition);
        assert!(timeout(ms(1), &mut future).await.is_err());
        let guard = condition.acquire().await.unwrap();
        let other = condition.clone();
        let dropping = spawn(async move {
            drop(future);
            assert!(other.is_locked());
            sleep(ms(5)).await.unwrap();
            assert!(other.is_locked());
        });
        dropping.await.unwrap();
        drop(guard);
        is_free(&condition).await;
    });
    nothing_is_left();
}

#[test]
fn a_condition_that_is_combined() {
    on_virtual(async {
        let condition = Condition::new().unwrap();
        for way in 0..4 {
            {
                let guard = condition.acquire().await.unwrap();
                let late = match way {
                    0 => timeout(ms(1), wait_for(ms(9), condition.wait(&guard))).await.is_err(),
                    1 => timeout(ms(1), gather([condition.wait(&guard)])).await.is_err(),
                    2 => timeout(ms(1), shield(condition.wait(&guard))).await.is_err(),
                    _ => {
                        let shielded = shield(condition.wait(&guard));
                        timeout(ms(1), wait_for(ms(9), shielded)).await.is_err()
                    }
                };
                assert!(late, "{way}");
            }
            sleep(ms(1)).await.unwrap();
            if let Ok(guard) = timeout(ms(1), condition.acquire()).await {
                let _guard = guard.unwrap();
                condition.notify_all().unwrap(); // those that are shielded wait on
            }
            is_free(&condition).await;
        }
        // The wait is the guard's from here on, which is gone when it starts.
        let guard = condition.acquire().await.unwrap();
        drop(shield(condition.wait(&guard)));
        drop(guard);
        sleep(ms(1)).await.unwrap();
        assert_eq!((condition.waiting(), condition.is_locked()), (1, false));
        let guard = condition.acquire().await.unwrap();
        condition.notify_all().unwrap();
        drop(guard);
        is_free(&condition).await;
    });
    nothing_is_left();
}

// The lock is one that has guards of its own, and two conditions.
#[test]
fn a_condition_with_a_lock_of_others() {
    on_virtual(async {
        let lock = Lock::new().unwrap();
        let conditions = [(); 2].map(|()| Condition::with_lock(&lock).unwrap());
        {
            let guard = lock.acquire().await.unwrap();
            assert!(timeout(ms(1), conditions[0].wait(&guard)).await.is_err());
            conditions[1].wait(&guard).await.unwrap(); // once the lock is held again
            assert!(timeout(ms(1), conditions[1].wait(&guard)).await.is_err());
        }
        is_free(&conditions[0]).await;
        {
            let guard = conditions[0].acquire().await.unwrap();
            assert!(timeout(ms(1), conditions[1].wait(&guard)).await.is_err());
        }
        is_free(&conditions[1]).await;
        // One that is kept is given back by hand, also if it was to come back first.
        let guard = conditions[0].acquire().await.unwrap();
        assert!(timeout(ms(1), conditions[0].wait(&guard)).await.is_err());
        guard.forget();
        sleep(ms(1)).await.unwrap();
        assert!(lock.is_locked());
        lock.release().unwrap();
    });
    nothing_is_left();
}

/// A bounded queue for which two wait, and into which an item comes back; whether there was
/// room for a second one.
async fn comes_back(iterations: usize) -> (Queue<i32>, [JoinHandle<i32>; 2], bool) {
    let queue = Queue::new(1).unwrap();
    let mut given_up = Box::pin(queue.get());
    let waker = idle_waker();
    assert!(given_up.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sleep(ms(0)).await.unwrap();
    let getters = [(); 2].map(|()| {
        let queue = queue.clone();
        try_spawn(async move { timeout(ms(100), queue.get()).await? })
    });
    sleep(ms(1)).await.unwrap();
    queue.try_put(1).unwrap();
    for _ in 0..iterations {
        yield_now().await;
    }
    let put = queue.try_put(2).is_ok();
    drop(given_up);
    (queue, getters, put)
}

// Who waits in a bounded queue gets what comes back while it is full.
#[test]
fn an_item_that_comes_back_to_a_full_queue() {
    for (before, after) in (0..36).map(|i| (i / 6, i % 6)) {
        on_virtual(async {
            let (queue, getters, mut put) = comes_back(before).await;
            for _ in 0..after {
                yield_now().await;
                put = put || queue.try_put(2).is_ok();
            }
            if !put {
                queue.put(2).await.unwrap();
            }
            let mut got = gather(getters).await.unwrap();
            got.sort();
            assert_eq!((got, queue.unfinished()), (vec![1, 2], 2), "{before} {after}");
        });
    }
    nothing_is_left();
}

// The same while it is shut down: who waits is not told that nothing is left.
#[test]
fn an_item_that_comes_back_as_the_queue_is_shut_down() {
    for (before, after) in (0..36).map(|i| (i / 6, i % 6)) {
        on_virtual(async {
            let (queue, getters, put) = comes_back(before).await;
            for _ in 0..after {
                yield_now().await;
            }
            queue.shut_down(false).unwrap();
            let outcomes = gather_settled(getters).await.unwrap();
            let mut got: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
            got.sort();
            let expected = if put { vec![1, 2] } else { vec![1] };
            assert_eq!(got, expected, "{before} {after}");
            assert_eq!(queue.get().await.unwrap_err().code(), Code::QueueShutDown);
        });
    }
    nothing_is_left();
}

// What had come back once and was to be taken comes back again.
#[test]
fn an_item_that_comes_back_twice() {
    on_virtual(async {
        for iterations in 0..4 {
            let queue = Queue::new(0).unwrap();
            given_up(queue.get(), || queue.try_put(1).unwrap(), 2).await;
            sleep(ms(1)).await.unwrap();
            let (again, waits) = (queue.get(), queue.get());
            let ((), got) = join!(given_up(again, || (), iterations), timeout(ms(1), waits));
            assert_eq!((got.unwrap().unwrap(), queue.unfinished()), (1, 1), "{iterations}");
        }
    });
    nothing_is_left();
}

// A guard that came for somebody who is no longer there.
#[test]
fn what_is_combined_leaves_nothing_locked() {
    on_virtual(async {
        let (free, taken) = (Lock::new().unwrap(), Lock::new().unwrap());
        for shielded in [false, true] {
            let held = taken.acquire().await.unwrap();
            if shielded {
                assert!(timeout(ms(1), shield(taken.acquire())).await.is_err());
            } else {
                let both = gather([free.acquire(), taken.acquire()]);
                assert!(timeout(ms(1), both).await.is_err());
            }
            sleep(ms(1)).await.unwrap();
            assert!(!free.is_locked());
            drop(held);
            sleep(ms(1)).await.unwrap();
            assert!(!taken.is_locked());
        }
        let both = gather([free.acquire(), taken.acquire()]).await.unwrap();
        assert!(free.is_locked() && taken.is_locked());
        drop(both);
        assert!(!free.is_locked() && !taken.is_locked());
    });
    nothing_is_left();
}
