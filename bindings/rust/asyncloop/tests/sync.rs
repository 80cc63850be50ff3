//! Locks and what is like them, queues and channels.

mod support;

use asyncloop::sync::{Barrier, Condition, Event, Lock, Mutex, RwLock, Semaphore};
use asyncloop::{
    broadcast, mpsc, oneshot, select, sleep, spawn, timeout, watch, yield_now, Code, Error,
    Limiter, OnceCell, Promise, Queue, RateLimiter,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;
use support::{ms, nothing_is_left, on_virtual};

#[test]
fn a_mutex_is_one_tasks_at_a_time() {
    on_virtual(async {
        let counter = Rc::new(Mutex::new(0).unwrap());
        let tasks = (0..5).map(|_| {
            let counter = counter.clone();
            spawn(async move {
                let mut guard = counter.lock().await.unwrap();
                let before = *guard;
                sleep(ms(1)).await.unwrap();
                *guard = before + 1;
            })
        });
        asyncloop::gather(tasks).await.unwrap();
        assert_eq!(*counter.lock().await.unwrap(), 5);
        assert!(!counter.is_locked());
    });
    nothing_is_left();
}

#[test]
fn a_lock_that_came_for_a_dropped_acquire_goes_back() {
    on_virtual(async {
        let lock = Lock::new().unwrap();
        let held = lock.acquire().await.unwrap();
        let both = lock.clone();
        let waiting = spawn(async move {
            // Both branches are done in one iteration, and the first one counts.
            select! {
                slept = sleep(ms(10)) => slept.unwrap(),
                _ = both.acquire() => unreachable!("not in time"),
            }
        });
        sleep(ms(10)).await.unwrap();
        drop(held);
        waiting.await.unwrap();
        timeout(ms(1), lock.acquire()).await.unwrap().unwrap().forget();
        lock.release().unwrap();
        assert_eq!(lock.release().unwrap_err().code(), Code::NotOwner);
    });
    nothing_is_left();
}

#[test]
fn events_conditions_semaphores_barriers() {
    on_virtual(async {
        let event = Event::new().unwrap();
        let (told, condition) = (event.clone(), Condition::new().unwrap());
        let (ready, flag) = (condition.clone(), Rc::new(Cell::new(false)));
        let seen = flag.clone();
        let waiter = spawn(async move {
            told.wait().await.unwrap();
            let guard = ready.acquire().await.unwrap();
            ready.wait_for(&guard, || seen.get()).await.unwrap();
            assert!(ready.is_locked());
        });
        event.set();
        sleep(ms(1)).await.unwrap();
        assert_eq!(condition.notify_all().unwrap_err().code(), Code::NotOwner);
        let guard = condition.acquire().await.unwrap();
        flag.set(true);
        assert_eq!(condition.notify_all().unwrap(), 1);
        drop(guard);
        waiter.await.unwrap();

        let permits = Semaphore::bounded(1).unwrap();
        let permit = permits.acquire().await.unwrap();
        assert!(permits.is_locked());
        drop(permit);
        assert_eq!(
            (permits.available(), permits.release().unwrap_err().code()),
            (1, Code::Invalid)
        );

        let barrier = Barrier::new(2).unwrap();
        let other = barrier.clone();
        let first = spawn(async move { other.wait().await.unwrap() });
        yield_now().await;
        assert_eq!((barrier.wait().await.unwrap(), first.await.unwrap()), (1, 0));
    });
    nothing_is_left();
}

#[test]
fn readers_share_and_writers_do_not() {
    on_virtual(async {
        let lock = Rc::new(RwLock::new(1).unwrap());
        let (a, b) = (lock.read().await.unwrap(), lock.read().await.unwrap());
        assert_eq!(*a + *b, 2);
        let writer = lock.clone();
        let writing = spawn(async move { *writer.write().await.unwrap() = 7 });
        assert!(timeout(ms(1), lock.write()).await.is_err());
        drop((a, b));
        writing.await.unwrap();
        assert_eq!(*lock.read().await.unwrap(), 7);
    });
    nothing_is_left();
}

#[test]
fn limits_and_cells() {
    on_virtual(async {
        let limiter = Limiter::new(1).unwrap();
        let token = limiter.acquire().await.unwrap();
        assert_eq!(limiter.try_acquire().err().unwrap().code(), Code::WouldBlock);
        limiter.set_total(2).unwrap();
        drop(limiter.acquire().await.unwrap());
        drop(token);
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 2));

        let rate = RateLimiter::new(10.0, 1).unwrap();
        let start = asyncloop::Instant::now();
        for _ in 0..3 {
            rate.acquire(1).await.unwrap();
        }
        assert_eq!(start.elapsed(), ms(200));
        assert_eq!(rate.try_acquire(1).unwrap_err().code(), Code::WouldBlock);

        let cell = OnceCell::new().unwrap();
        let failed = cell.get_or_try_init(|| async { Err(Error::user(1, "not yet")) });
        assert_eq!(failed.await.unwrap_err().message(), "not yet");
        assert_eq!(*cell.get_or_try_init(|| async { Ok(3) }).await.unwrap(), 3);
        assert_eq!(cell.set(4), Err(4));
    });
    nothing_is_left();
}

#[test]
fn queues_in_their_orders() {
    on_virtual(async {
        for (queue, expected) in [
            (Queue::new(3).unwrap(), [2, 1, 3]),
            (Queue::lifo(3).unwrap(), [3, 1, 2]),
            (Queue::priority(3).unwrap(), [1, 2, 3]),
        ] {
            for item in [2, 1, 3] {
                queue.put(item).await.unwrap();
            }
            let rejected = queue.try_put(4).unwrap_err();
            assert_eq!((rejected.item, rejected.error.code()), (4, Code::QueueFull));
            let mut left = Vec::new();
            while let Ok(item) = queue.try_get() {
                left.push(item);
                queue.task_done().unwrap();
            }
            assert_eq!(left, expected);
            queue.join().await.unwrap();
            queue.shut_down(false).unwrap();
            assert_eq!(queue.get().await.unwrap_err().code(), Code::QueueShutDown);
        }
        let held: Queue<Rc<()>> = Queue::new(0).unwrap();
        let item = Rc::new(());
        held.put(item.clone()).await.unwrap();
        drop(held);
        assert_eq!(Rc::strong_count(&item), 1); // dropped with the queue
    });
    nothing_is_left();
}

#[test]
fn an_item_that_came_for_a_dropped_get_is_not_lost() {
    on_virtual(async {
        let queue = Queue::new(0).unwrap();
        let other = queue.clone();
        let waiting = spawn(async move {
            select! {
                slept = sleep(ms(10)) => slept.unwrap(),
                _ = other.get() => unreachable!("not in time"),
            }
        });
        sleep(ms(10)).await.unwrap();
        queue.try_put(5).unwrap();
        waiting.await.unwrap();
        assert_eq!(timeout(ms(1), queue.get()).await.unwrap().unwrap(), 5);
        assert_eq!(queue.unfinished(), 1);
    });
    nothing_is_left();
}

#[test]
fn inlets_take_from_threads() {
    asyncloop::block_on(async {
        let queue = Queue::new(1).unwrap();
        let inlet = queue.inlet(2).unwrap();
        let full = Queue::new(1).unwrap().inlet(1).unwrap();
        full.put(0, None).unwrap();
        assert_eq!(full.put(1, None).unwrap_err().error.code(), Code::WrongThread);
        let thread = thread::spawn(move || (1..100).for_each(|i| inlet.put(i, None).unwrap()));
        for i in 1..100 {
            assert_eq!(queue.get().await.unwrap(), i);
        }
        thread.join().unwrap();
    });
    nothing_is_left();
}

#[test]
fn channels() {
    on_virtual(async {
        let (sender, mut receiver) = mpsc::channel(1).unwrap();
        let two = sender.clone();
        let sending = spawn(async move {
            for i in 0..3 {
                two.send(i).await.unwrap();
            }
        });
        drop(sender);
        let mut got = Vec::new();
        while let Ok(item) = receiver.recv().await {
            got.push(item);
        }
        sending.await.unwrap();
        assert_eq!(got, [0, 1, 2]);
        assert_eq!(receiver.recv().await.unwrap_err().code(), Code::StopIteration);

        let (sender, receiver) = oneshot::channel().unwrap();
        sender.send("once").unwrap();
        assert_eq!(receiver.await.unwrap(), "once");
        let (sender, receiver) = oneshot::channel::<u8>().unwrap();
        drop(sender);
        assert_eq!(receiver.await.unwrap_err().code(), Code::StopIteration);

        let news = broadcast::channel(2).unwrap();
        let (mut a, mut b) = (news.subscribe().unwrap(), news.subscribe().unwrap());
        for i in 0..3 {
            assert_eq!(news.send(i).unwrap(), 2);
        }
        assert_eq!(a.recv().await.err().unwrap().code(), Code::Lagged);
        assert_eq!((a.missed(), *a.recv().await.unwrap(), *a.try_recv().unwrap()), (1, 1, 2));
        assert_eq!(b.recv().await.err().unwrap().code(), Code::Lagged);

        let (setting, mut looking) = watch::channel("old").unwrap();
        assert!(!looking.has_changed().unwrap());
        setting.send("new").unwrap();
        looking.changed().await.unwrap();
        assert_eq!((*looking.get().unwrap(), *setting.get().unwrap()), ("new", "new"));
        drop(looking);
        setting.closed().await.unwrap();
        assert_eq!(setting.send("never").unwrap_err().error.code(), Code::BrokenPipe);
    });
    nothing_is_left();
}

#[test]
fn promises() {
    on_virtual(async {
        let promise = Promise::new().unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let log = told.clone();
        promise.on_done(move || log.borrow_mut().push("done")).unwrap();
        let (a, b) = (promise.clone(), promise.clone());
        let waiters = [spawn(async move { a.wait().await }), spawn(async move { b.wait().await })];
        sleep(ms(1)).await.unwrap();
        promise.set(6).unwrap();
        assert_eq!(promise.set(7).unwrap_err().code(), Code::InvalidState);
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap().unwrap(), 6);
        }
        assert_eq!(*told.borrow(), ["done"]);
        let failed = Promise::<()>::new().unwrap();
        failed.fail(&Error::user(2, "out of luck")).unwrap();
        assert_eq!(failed.wait().await.unwrap_err().message(), "out of luck");
        assert!(!failed.cancel());
        let cancelled = Promise::<()>::new().unwrap();
        assert!(cancelled.cancel() && cancelled.is_canceled());
    });
    nothing_is_left();
}
