//! What programs do wrong, or at the worst moment.

mod support;

use asyncloop::{
    block_on, debug, gather, join, mpsc, select, sleep, spawn, timeout, Code, Error, JoinHandle,
    Promise, Queue, Runtime,
};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use support::{idle_waker, ms, nothing_is_left, on_virtual, poll_fn};

#[test]
fn a_loop_inside_a_loop_panics_and_leaves_nothing() {
    let inner = || block_on(async {});
    on_virtual(async {
        assert!(catch_unwind(inner).is_err());
        let runtime = Runtime::new().unwrap();
        let task = runtime.spawn(async { 5 });
        assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(async {}))).is_err());
        drop(runtime); // with a task that never ran, which is reported
        assert!(task.await.unwrap_err().is_canceled());
        sleep(ms(1)).await.unwrap(); // this one goes on
    });
    nothing_is_left();
}

/// Spawns a task when it is dropped.
struct Late(Rc<RefCell<Vec<JoinHandle<()>>>>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.borrow_mut().push(spawn(async {}));
    }
}

#[test]
fn tasks_that_come_while_the_loop_ends() {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let of = kept.clone();
    on_virtual(async move {
        for waits in [true, false] {
            let late = Late(of.clone());
            spawn(async move {
                let _late = late;
                if waits {
                    sleep(ms(1000)).await.unwrap_err();
                } else {
                    std::future::pending::<()>().await
                }
            });
        }
        sleep(ms(1)).await.unwrap();
    });
    assert_eq!(kept.borrow().len(), 2);
    drop(kept);
    nothing_is_left();
}

#[test]
fn wakers_outlive_their_tasks_and_loops() {
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let out = waker.clone();
    on_virtual(async move {
        let task = spawn(poll_fn(move |context| {
            out.replace(Some(context.waker().clone()));
            Poll::Ready(7)
        }));
        assert_eq!(task.await.unwrap(), 7);
    });
    let waker = waker.take().unwrap();
    let there = waker.clone();
    std::thread::spawn(move || there.wake()).join().unwrap();
    waker.wake();
    nothing_is_left();
}

#[test]
fn what_is_polled_again_does_not_panic() {
    on_virtual(async {
        let mut op = sleep(ms(1));
        (&mut op).await.unwrap();
        assert_eq!((&mut op).await.unwrap_err().code(), Code::InvalidState);
        let promise = Promise::<i32>::new().unwrap();
        let mut waiting = promise.wait();
        let idle = idle_waker();
        let mut context = Context::from_waker(&idle);
        assert!(Pin::new(&mut waiting).poll(&mut context).is_pending());
        promise.set(4).unwrap();
        assert_eq!(waiting.await.unwrap(), 4); // by another waker than the first
        let mut task = spawn(async { 1 });
        assert_eq!((&mut task).await.unwrap(), 1);
        assert_eq!(task.await.unwrap_err().code(), Code::ValueTaken);
    });
    nothing_is_left();
}

// A branch that loses holds no item, no lock and no memory.
#[test]
fn whoever_loses_a_race_gives_all_back() {
    on_virtual(async {
        let queue = Queue::new(1).unwrap();
        let dropped = Rc::new(Cell::new(0));
        struct Counted(Rc<Cell<i32>>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        queue.put(Counted(dropped.clone())).await.unwrap();
        select! {
            _ = queue.put(Counted(dropped.clone())) => unreachable!("it is full"),
            slept = sleep(ms(1)) => slept.unwrap(),
        }
        sleep(ms(1)).await.unwrap();
        assert_eq!((dropped.get(), queue.len(), queue.putters()), (1, 1, 0));
        let both = gather([queue.get(), queue.get()]);
        assert!(timeout(ms(1), both).await.is_err());
        sleep(ms(1)).await.unwrap();
        assert_eq!((dropped.get(), queue.getters()), (2, 0));
    });
    nothing_is_left();
}

#[test]
fn what_is_sent_where_no_loop_runs_is_dropped_once() {
    let runtime = Runtime::new().unwrap();
    let queue = Queue::new(1).unwrap();
    let (sender, receiver) = runtime.block_on(async { mpsc::channel(1).unwrap() });
    let item = Rc::new(5);
    drop(queue.put(item.clone()));
    drop(sender.send(item.clone()));
    assert_eq!(Rc::strong_count(&item), 1);
    drop((sender, receiver, queue, runtime));
    nothing_is_left();
}

#[test]
fn handlers_that_replace_themselves() {
    on_virtual(async {
        let (owned, told) = (String::from("the handler's"), Rc::new(RefCell::new(Vec::new())));
        let to = told.clone();
        debug::set_exception_handler(move |_| {
            debug::reset_exception_handler().unwrap();
            to.borrow_mut().push(owned.clone());
        })
        .unwrap();
        debug::report("once", &Error::user(1, "why")).unwrap();
        let (owned, to) = (String::from("the hook's"), told.clone());
        debug::set_trace_hook(move |_| {
            debug::reset_trace_hook().unwrap();
            to.borrow_mut().push(owned.clone());
        })
        .unwrap();
        sleep(ms(1)).await.unwrap();
        assert_eq!(*told.borrow(), ["the handler's", "the hook's"]);
    });
    nothing_is_left();
}

thread_local!(static OWN: Runtime = Runtime::new().unwrap());

#[test]
fn a_loop_that_ends_with_its_thread() {
    let thread = std::thread::spawn(|| {
        OWN.with(|own| {
            own.block_on(sleep(ms(1))).unwrap();
            drop(own.spawn(sleep(ms(1000)))); // the loop's end cancels it
        });
    });
    thread.join().unwrap();
    nothing_is_left();
}

struct Unclonable;

impl Clone for Unclonable {
    fn clone(&self) -> Unclonable {
        panic!("a clone");
    }
}

// Whoever waits is told, and nobody waits for ever.
#[test]
fn a_value_whose_clone_panics() {
    on_virtual(async {
        let promise = Promise::<Unclonable>::new().unwrap();
        let (alone, beside) = (promise.clone(), promise.clone());
        let alone = spawn(async move { alone.wait().await.map(drop) });
        let beside = spawn(async move { join!(beside.wait(), sleep(ms(1))).0.map(drop) });
        sleep(ms(0)).await.unwrap();
        promise.set(Unclonable).unwrap();
        for task in [alone, beside] {
            let why = timeout(ms(5), task).await.unwrap().unwrap().unwrap_err();
            assert!(why.is_panic());
        }
    });
    nothing_is_left();
}

// A loop that does not run as long as this one does: to wait for it would be for ever.
#[test]
fn a_task_of_another_loop() {
    let (one, two) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let (here, within) = (one.spawn(async { 5 }), one.spawn(async { 6 }));
    assert_eq!(two.block_on(here).unwrap_err().code(), Code::WrongLoop);
    let task = two.spawn(async move { join!(within, sleep(ms(0))).0.unwrap_err().code() });
    assert_eq!(two.block_on(task).unwrap(), Code::WrongLoop);
    let done = one.spawn(async { 7 });
    one.block_on(sleep(ms(0))).unwrap();
    assert_eq!(two.block_on(done).unwrap(), 7);
    drop((one, two));
    nothing_is_left();
}

// What has a stream, a queue or a lock in it can show itself, and a guard shows what it guards.
#[test]
fn all_has_a_debug() {
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Server {
        streams: Vec<asyncloop::Stream>,
        jobs: Queue<fn()>,
        running: Option<JoinHandle<fn()>>,
    }
    on_virtual(async {
        let server = Server { streams: Vec::new(), jobs: Queue::new(1).unwrap(), running: None };
        let shown = format!("{server:?}");
        assert_eq!(shown, "Server { streams: [], jobs: Queue { .. }, running: None }");
        let refused = asyncloop::TcpStream::connect("no\0host", 1).await.unwrap_err();
        assert_eq!(refused.code(), Code::Invalid);
        let value = asyncloop::sync::Mutex::new(5).unwrap();
        assert_eq!(format!("{:?}", value.lock().await.unwrap()), "5");
    });
    nothing_is_left();
}
