//! Running, spawning, cancelling, and what panics become.

mod support;

use asyncloop::{
    block_on, debug, join, sleep, spawn, timeout, try_spawn, Code, Error, Handle, Promise, Runtime,
};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;
use support::{ms, nothing_is_left, on_virtual, poll_fn};

#[test]
fn block_on_gives_the_output_and_borrows() {
    let text = String::from("borrowed");
    assert_eq!(block_on(async { text.len() }), 8);
    nothing_is_left();
}

#[test]
fn a_runtime_runs_several_futures() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.spawn(async { 3 });
    assert_eq!(runtime.block_on(async { handle.await.unwrap() + 1 }), 4);
    runtime.block_on(sleep(ms(0))).unwrap();
    runtime.close().unwrap();
    nothing_is_left();
}

#[test]
fn tasks_run_side_by_side() {
    on_virtual(async {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..3u64)
            .map(|i| {
                let order = order.clone();
                spawn(async move {
                    sleep(ms(30 - 10 * i)).await.unwrap();
                    order.borrow_mut().push(i);
                    i
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!((sum, &*order.borrow()), (3, &vec![2, 1, 0]));
    });
    nothing_is_left();
}

#[test]
fn cancel_makes_the_await_fail() {
    on_virtual(async {
        let task = spawn(async { sleep(ms(1000)).await.unwrap_err().code() });
        sleep(ms(1)).await.unwrap();
        assert!(task.cancel());
        assert_eq!(task.cancelling(), 1);
        assert_eq!(task.await.unwrap(), Code::Canceled);
    });
    nothing_is_left();
}

#[test]
fn cancel_reaches_every_branch_of_a_join() {
    on_virtual(async {
        let task = spawn(async {
            let (a, b) = asyncloop::join!(sleep(ms(1000)), sleep(ms(2000)));
            (a.unwrap_err().code(), b.unwrap_err().code())
        });
        sleep(ms(1)).await.unwrap();
        task.cancel();
        assert_eq!(task.await.unwrap(), (Code::Canceled, Code::Canceled));
    });
    nothing_is_left();
}

struct Told(Rc<Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn abort_drops_the_future() {
    on_virtual(async {
        for start in [false, true] {
            let dropped = Rc::new(Cell::new(false));
            let told = Told(dropped.clone());
            let task = spawn(async move {
                let _told = told;
                while sleep(ms(1000)).await.is_err() {} // it would not listen
            });
            if start {
                sleep(ms(1)).await.unwrap();
            }
            task.abort();
            assert!(task.await.unwrap_err().is_canceled());
            assert!(dropped.get());
        }
    });
    nothing_is_left();
}

#[test]
fn a_task_that_awaits_nothing_of_the_loop_is_dropped_when_cancelled() {
    on_virtual(async {
        let task = spawn(pending::<()>());
        asyncloop::yield_now().await;
        asyncloop::yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_canceled());
    });
    nothing_is_left();
}

// Also where the task has waited for several things before.
#[test]
fn a_task_that_yields_lets_others_run() {
    on_virtual(async {
        for round in 0..3 {
            let ran = Rc::new(Cell::new(false));
            let told = ran.clone();
            drop(spawn(async move { told.set(true) }));
            asyncloop::yield_now().await;
            assert!(ran.get(), "{round}");
            asyncloop::join!(sleep(ms(1)), sleep(ms(2))).1.unwrap();
        }
    });
    nothing_is_left();
}

#[test]
fn cancelling_who_awaits_cancels_what_is_awaited() {
    on_virtual(async {
        let inner = spawn(async { sleep(ms(1000)).await });
        let outer = spawn(inner);
        sleep(ms(1)).await.unwrap();
        outer.cancel();
        assert!(outer.await.unwrap().unwrap().unwrap_err().is_canceled());
    });
    nothing_is_left();
}

#[test]
fn dropping_a_handle_detaches() {
    on_virtual(async {
        let done = Rc::new(Cell::new(false));
        let told = Told(done.clone());
        drop(spawn(async move {
            sleep(ms(10)).await.unwrap();
            drop(told);
        }));
        sleep(ms(20)).await.unwrap();
        assert!(done.get());
    });
    nothing_is_left();
}

#[test]
fn what_is_left_at_the_end_is_cancelled_and_awaited() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    on_virtual(async move {
        spawn(async move {
            let why = sleep(ms(1000)).await.unwrap_err();
            log.borrow_mut().push(why.code());
            sleep(ms(1)).await.unwrap();
            log.borrow_mut().push(Code::Exists);
        });
        sleep(ms(1)).await.unwrap();
    });
    assert_eq!(*seen.borrow(), [Code::Canceled, Code::Exists]);
    nothing_is_left();
}

#[test]
fn timeout_drops_what_takes_too_long() {
    on_virtual(async {
        let dropped = Rc::new(Cell::new(false));
        let told = Told(dropped.clone());
        let late = timeout(ms(10), async move {
            let _told = told;
            sleep(ms(1000)).await
        });
        assert!(late.await.unwrap_err().is_timed_out());
        assert!(dropped.get());
        assert_eq!(timeout(ms(10), async { 5 }).await.unwrap(), 5);
    });
    nothing_is_left();
}

#[test]
fn the_panic_of_a_task_reaches_who_awaits_it_whole() {
    on_virtual(async {
        let task = spawn(async {
            sleep(ms(1)).await.unwrap();
            std::panic::panic_any(vec![1, 2, 3]);
        });
        let why = task.await.unwrap_err();
        assert!(why.is_panic());
        let payload = why.into_panic().unwrap();
        assert_eq!(*payload.downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
    });
    nothing_is_left();
}

#[test]
fn the_panic_of_the_main_future_goes_through_block_on() {
    let payload = catch_unwind(|| on_virtual(async { panic!("from main") })).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "from main");
    nothing_is_left();
}

#[test]
fn the_panic_of_a_callback_goes_through_block_on() {
    let run = || {
        on_virtual(async {
            asyncloop::time::call_soon(|| panic!("from a callback")).unwrap();
            pending::<()>().await
        })
    };
    let payload = catch_unwind(run).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "from a callback");
    nothing_is_left();
}

#[test]
fn the_panic_of_a_drop_stays_out_of_c() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    on_virtual(async {
        let task = spawn(async {
            let _bomb = Bomb;
            sleep(ms(1)).await
        });
        assert!(task.await.unwrap_err().is_panic());
    });
    nothing_is_left();
}

#[test]
fn an_error_passes_through_the_task_whole() {
    #[derive(Debug)]
    struct Own(u8);
    impl std::fmt::Display for Own {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "own error {}", self.0)
        }
    }
    impl std::error::Error for Own {}
    on_virtual(async {
        let task = try_spawn(async { Err::<(), _>(Error::other(Own(7))) });
        let why = task.await.unwrap_err();
        assert_eq!(why.to_string(), "own error 7");
        assert_eq!(format!("{why:?}"), "own error 7");
        assert!(format!("{why:#?}").contains("code: User"));
        let source = std::error::Error::source(&why).unwrap();
        assert_eq!(source.downcast_ref::<Own>().unwrap().0, 7);
    });
    nothing_is_left();
}

#[test]
fn other_threads_spawn_wait_cancel_and_post() {
    on_virtual_clock_off(|handle| {
        let mut ten = handle.spawn_with(|| async {
            sleep(ms(1)).await.unwrap();
            10
        });
        assert_eq!(ten.wait(None).unwrap(), 10);
        let (begun, begins) = mpsc::channel();
        let mut long = handle.spawn_with(move || async move {
            begun.send(()).unwrap();
            sleep(Duration::from_secs(1000)).await
        });
        assert!(long.wait(Some(ms(5))).unwrap_err().is_timed_out());
        begins.recv().unwrap(); // one that has not begun would be cancelled without a word
        long.cancel();
        assert!(long.wait(None).unwrap().unwrap_err().is_canceled());
        let mut gone = handle.spawn(pending::<()>());
        gone.abort();
        assert!(gone.wait(None).unwrap_err().is_canceled());
        let mut soon = handle.spawn(async { 5 });
        assert_eq!(soon.wait(Some(Duration::MAX)).unwrap(), 5);
        let (to, from) = mpsc::channel();
        assert!(handle.post(move || to.send(thread::current().id()).unwrap()));
        assert_ne!(from.recv().unwrap(), thread::current().id());
    });
    nothing_is_left();
}

// Runs `other` in a thread beside a loop.
fn on_virtual_clock_off(other: impl FnOnce(Handle) + Send + 'static) {
    block_on(async {
        let handle = Handle::current();
        let (stop, stopped) = local_oneshot();
        let ended = Handle::current();
        let thread = thread::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| other(handle)));
            ended.post(stop);
            result
        });
        stopped.await;
        thread.join().unwrap().unwrap();
    });
}

// The smallest possible: a flag that other threads set.
fn local_oneshot() -> (impl FnMut() + Send, impl std::future::Future<Output = ()>) {
    let state = std::sync::Arc::new(std::sync::Mutex::new((false, None::<Waker>)));
    let there = state.clone();
    let set = move || {
        let mut state = there.lock().unwrap();
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    };
    let wait = poll_fn(move |context| {
        let mut state = state.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    });
    (set, wait)
}

#[test]
fn a_waker_of_another_thread_wakes_a_task() {
    block_on(async {
        for _ in 0..100 {
            let (set, wait) = local_oneshot();
            let thread = thread::spawn(set);
            wait.await;
            thread.join().unwrap();
        }
    });
    nothing_is_left();
}

#[test]
fn a_handle_outlives_its_loop() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    drop(runtime);
    assert!(handle.is_closed());
    assert!(!handle.post(|| ()));
    assert!(handle.spawn(async { 1 }).wait(None).is_err());
    drop(handle);
    nothing_is_left();
}

#[test]
fn a_handle_that_moves_to_another_task() {
    on_virtual(async {
        let mut task = spawn(async { sleep(ms(10)).await.map(|()| 5) });
        assert!(timeout(ms(1), &mut task).await.is_err());
        let other = spawn(async move { task.await.unwrap() });
        assert_eq!(timeout(ms(20), other).await.unwrap().unwrap().unwrap(), 5);
    });
    nothing_is_left();
}

// A cancellation goes to what is awaited, not to what was.
#[test]
fn a_task_that_is_no_longer_awaited_goes_on() {
    on_virtual(async {
        let task = spawn(async {
            let mut other = spawn(async { sleep(ms(10)).await.map(|()| 5) });
            assert!(timeout(ms(1), &mut other).await.is_err());
            sleep(ms(1)).await.unwrap();
            assert!(sleep(ms(5)).await.unwrap_err().is_canceled());
            other.await.unwrap().unwrap()
        });
        sleep(ms(4)).await.unwrap();
        task.cancel();
        assert_eq!(task.await.unwrap(), 5);
    });
    nothing_is_left();
}

// One that comes as all that is awaited has just ended is not lost on what is no operation.
#[test]
fn a_cancellation_ends_what_waits_for_something_else() {
    on_virtual(async {
        for iterations in 0..5 {
            let promise = Promise::new().unwrap();
            let waited = promise.clone();
            let task = spawn(async move { join!(waited.wait(), sleep(ms(1)), pending::<()>()) });
            sleep(ms(2)).await.unwrap();
            promise.set(()).unwrap();
            for _ in 0..iterations {
                sleep(ms(0)).await.unwrap();
            }
            task.cancel();
            let ended = timeout(ms(10), task).await;
            assert!(ended.unwrap().unwrap_err().is_canceled(), "{iterations}");
        }
    });
    nothing_is_left();
}

#[test]
fn an_operation_without_a_loop_fails() {
    let mut op = Box::pin(sleep(ms(1)));
    let waker = support::idle_waker();
    let mut context = std::task::Context::from_waker(&waker);
    match std::future::Future::poll(op.as_mut(), &mut context) {
        Poll::Ready(Err(why)) => assert_eq!(why.code(), Code::NoRunningLoop),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_and_eager_starts() {
    on_virtual(async {
        let ran = Rc::new(Cell::new(false));
        let told = Told(ran.clone());
        let task = asyncloop::task::Builder::new().name("worker").eager(true).spawn(async move {
            drop(told);
        });
        assert!(ran.get());
        task.await.unwrap();
        let task = asyncloop::task::Builder::new().name("worker").spawn(async {});
        assert_eq!(task.name(), "worker");
        task.set_name("other");
        assert_eq!(task.name(), "other");
        task.await.unwrap();
    });
    nothing_is_left();
}

// Its handle may look at it later.
#[test]
fn a_failure_at_once_is_not_reported() {
    on_virtual(async {
        let told = Rc::new(Cell::new(0));
        let count = told.clone();
        debug::set_exception_handler(move |_| count.set(count.get() + 1)).unwrap();
        for eager in [false, true] {
            let failing = async { Err::<(), _>(Error::user(1, "at once")) };
            let task = asyncloop::task::Builder::new().eager(eager).try_spawn(failing);
            sleep(ms(1)).await.unwrap();
            assert_eq!(told.get(), 0, "{eager}");
            assert_eq!(task.await.unwrap_err().message(), "at once");
        }
        let failing = async { Err::<(), _>(Error::user(1, "at once")) };
        drop(asyncloop::task::Builder::new().eager(true).try_spawn(failing));
        sleep(ms(1)).await.unwrap();
        assert_eq!(told.get(), 1);
        debug::reset_exception_handler().unwrap();
    });
    nothing_is_left();
}
