//! Timers, intervals, and loops that are made otherwise.

mod support;

use asyncloop::time::{call_at, call_later, call_soon, sleep_until, timeout_at, MissedTicks};
use asyncloop::{interval, scope, sleep, spawn, timeout, Builder, Code, Instant, Result, Runtime};
use std::cell::{Cell, RefCell};
use std::future::{pending, Future};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use support::{ms, nothing_is_left, on_virtual};

#[test]
fn functions_run_when_they_are_due() {
    on_virtual(async {
        let order = Rc::new(RefCell::new(Vec::new()));
        let note = |text: &'static str| {
            let order = order.clone();
            move || order.borrow_mut().push(text)
        };
        call_later(ms(10), note("later")).unwrap();
        call_at(Instant::now() + ms(5), note("at")).unwrap();
        call_soon(note("soon")).unwrap();
        let never = call_later(ms(1), note("never")).unwrap();
        assert_eq!(never.when(), Some(Instant::now() + ms(1)));
        assert!(never.cancel() && !never.cancel());
        assert_eq!(never.when(), None);
        let endless = call_later(Duration::MAX, note("never")).unwrap();
        assert!(endless.when().is_some() && endless.cancel());
        assert_eq!(timeout(Duration::MAX, sleep(ms(0))).await.unwrap().unwrap(), ());
        sleep(ms(20)).await.unwrap();
        assert_eq!(*order.borrow(), ["soon", "at", "later"]);
    });
    assert_eq!(call_soon(|| ()).err().unwrap().code(), Code::NoRunningLoop);
    nothing_is_left();
}

#[test]
fn intervals_tick() {
    on_virtual(async {
        let start = Instant::now();
        for (missed, expected) in [
            (MissedTicks::Burst, [0, 10, 20, 30]),
            (MissedTicks::Delay, [0, 35, 45, 55]),
            (MissedTicks::Skip, [0, 30, 40, 50]),
        ] {
            let begun = Instant::now();
            let mut ticks = interval(ms(10)).missed_ticks(missed);
            let mut due = Vec::new();
            for i in 0..4 {
                due.push(ticks.tick().await.unwrap() - begun);
                if i == 0 {
                    // Late for the next ones; it notices at the first of them.
                    sleep(ms(25)).await.unwrap();
                }
            }
            let first_two = [due[0], due[1]];
            assert_eq!(first_two, [ms(0), ms(10)], "{missed:?}");
            assert!(due[3] >= ms(expected[3] - 20), "{missed:?}: {due:?}");
        }
        assert!(timeout_at(start, sleep(ms(1))).await.is_err());
    });
    nothing_is_left();
}

#[test]
fn a_time_is_kept_however_late_it_is_awaited() {
    on_virtual(async {
        let start = Instant::now();
        let (until, limited) = (sleep_until(start + ms(10)), timeout_at(start + ms(20), pending()));
        sleep(ms(6)).await.unwrap();
        until.await.unwrap();
        assert_eq!(start.elapsed(), ms(10));
        let never: Result<()> = limited.await;
        assert!(never.unwrap_err().is_timed_out());
        assert_eq!(start.elapsed(), ms(20));
        sleep_until(start).await.unwrap(); // over
        assert_eq!(start.elapsed(), ms(20));
        interval(Duration::MAX).tick().await.unwrap();
        assert!(start + Duration::MAX > start);
    });
    nothing_is_left();
}

#[test]
fn a_virtual_clock_jumps() {
    on_virtual(async {
        let start = Instant::now();
        sleep(ms(3_600_000)).await.unwrap();
        assert_eq!(start.elapsed(), ms(3_600_000));
        assert_eq!(Instant::now().since_start(), ms(3_600_000));
    });
    nothing_is_left();
}

#[test]
fn loops_are_made_as_asked() {
    let eager = Builder::new().eager_tasks().virtual_clock().build().unwrap();
    eager.block_on(async {
        let ran = Rc::new(Cell::new(false));
        let told = ran.clone();
        let task = spawn(async move { told.set(true) });
        assert!(ran.get());
        task.await.unwrap();
    });
    let order = |seed| {
        let runtime = Runtime::builder().virtual_clock().shuffle(seed).build().unwrap();
        let order = Rc::new(RefCell::new(Vec::new()));
        runtime.block_on(async {
            for i in 0..10 {
                let order = order.clone();
                call_soon(move || order.borrow_mut().push(i)).unwrap();
            }
            sleep(ms(1)).await.unwrap();
        });
        let order = order.borrow().clone();
        order
    };
    assert_eq!(order(7), order(7));
    assert_ne!(order(7), order(8));
    let simulated = Builder::new().simulator(1, ms(100)).debug(true).build().unwrap();
    simulated.block_on(async {
        let listener = asyncloop::Listener::bind("127.0.0.1", 0).await.unwrap();
        let port = listener.port();
        let (here, there) =
            asyncloop::join!(asyncloop::TcpStream::connect("127.0.0.1", port), listener.accept());
        here.unwrap().send(b"simulated").await.unwrap();
        assert_eq!(there.unwrap().read_exactly(9).await.unwrap(), b"simulated");
    });
    drop((eager, simulated));
    nothing_is_left();
}

// Nobody is cancelled for a block that is gone, wherever and in whichever order it went.
#[test]
fn blocks_that_are_dropped() {
    fn boxed<T>(block: impl Future<Output = T> + 'static) -> Pin<Box<dyn Future<Output = T>>> {
        Box::pin(block)
    }
    on_virtual(async {
        for elsewhere in [false, true] {
            for scoped in [false, true] {
                let mut blocks = [ms(5), ms(6)].map(|limit| {
                    let inside = sleep(ms(100));
                    match scoped {
                        false => boxed(scope::timeout(limit, async { inside.await.map(Some) })),
                        true => boxed(scope::new().deadline(limit).run(|_| inside)),
                    }
                });
                for block in &mut blocks {
                    assert!(timeout(ms(1), block).await.is_err());
                }
                if elsewhere {
                    spawn(async move { drop(blocks) }).await.unwrap();
                } else {
                    drop(blocks); // the outer one first
                }
                sleep(ms(50)).await.unwrap();
            }
        }
    });
    nothing_is_left();
}
