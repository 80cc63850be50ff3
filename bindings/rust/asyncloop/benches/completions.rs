//! What an awaited completion costs: through completion records, which one call of C brings in
//! batches, and through a callback each; bare, and as the crate awaits. Time of the
//! processor, so that a busy machine does not count. With the argument `quick` less exactly.

use asyncloop::{block_on, gather, sleep, spawn, yield_now, Handle};
use asyncloop_sys::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::time::Duration;

const COMPLETIONS: usize = 100_000;
const ROUNDS: usize = 5;

#[repr(C)]
struct Timespec(i64, i64);

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn processor_time() -> f64 {
    let mut time = Timespec(0, 0);
    unsafe { clock_gettime(2, &mut time) }; // CLOCK_PROCESS_CPUTIME_ID
    time.0 as f64 + time.1 as f64 / 1e9
}

// The median, in nanoseconds each.
fn print(what: &str, run: impl Fn()) {
    let rounds = if std::env::args().any(|one| one == "quick") { 1 } else { ROUNDS };
    run(); // warm
    let mut all: Vec<f64> = (0..rounds)
        .map(|_| {
            let before = processor_time();
            run();
            processor_time() - before
        })
        .collect();
    all.sort_by(f64::total_cmp);
    let each = all[rounds / 2] / COMPLETIONS as f64 * 1e9;
    println!("{what:<40} {each:>8.0} ns");
}

fn on_a_loop(run: impl FnOnce(*mut aloop_loop)) {
    unsafe {
        let mut made = null_mut();
        assert_eq!(aloop_loop_new(&mut made, null()), 0);
        aloop_set_event_loop(made);
        run(made);
        aloop_set_event_loop(null_mut());
        aloop_loop_close(made);
        aloop_loop_unref(made);
    }
}

unsafe fn finish(futures: &[*mut aloop_future]) {
    for future in futures {
        aloop_future_set_result(*future, 0, null_mut(), None);
        aloop_unref(*future as *mut c_void);
    }
}

fn records(together: usize) {
    on_a_loop(|on| unsafe {
        let mut records: Vec<aloop_completion> = (0..256).map(|_| std::mem::zeroed()).collect();
        for _ in 0..COMPLETIONS / together {
            let futures: Vec<_> = (0..together).map(|_| aloop_loop_create_future(on)).collect();
            for (i, future) in futures.iter().enumerate() {
                let kept = aloop_ref(*future as *mut c_void) as *mut aloop_future;
                aloop_loop_start(on, kept, i as u64 + 1);
            }
            finish(&futures);
            let mut done = 0;
            while done < together as i64 {
                done += aloop_loop_poll(on, records.as_mut_ptr(), 256, -1.0);
            }
        }
    });
}

unsafe extern "C" fn on_done(_future: *mut aloop_future, called: *mut c_void) -> i64 {
    let called = &*(called as *const Cell<usize>);
    called.set(called.get() + 1);
    0
}

fn callbacks(together: usize) {
    on_a_loop(|on| unsafe {
        let called = Cell::new(0usize);
        let data = &called as *const Cell<usize> as *mut c_void;
        for _ in 0..COMPLETIONS / together {
            called.set(0);
            let futures: Vec<_> = (0..together).map(|_| aloop_loop_create_future(on)).collect();
            for future in &futures {
                aloop_future_add_done_callback(*future, Some(on_done), data, None);
            }
            finish(&futures);
            while called.get() < together {
                aloop_loop_run_once(on, -1.0);
            }
        }
    });
}

fn awaits(tasks: usize) {
    block_on(async {
        let each = COMPLETIONS / tasks;
        let all = (0..tasks).map(|_| {
            spawn(async move {
                for _ in 0..each {
                    sleep(Duration::ZERO).await.unwrap();
                }
            })
        });
        gather(all).await.unwrap();
    });
}

fn main() {
    print("completion record, in batches of 256", || records(256));
    print("completion record, one at a time", || records(1));
    print("callback, 256 at a time", || callbacks(256));
    print("callback, one at a time", || callbacks(1));
    print("await sleep(0), 256 tasks", || awaits(256));
    print("await sleep(0), one task", || awaits(1));
    print("yield_now, one task", || {
        block_on(async {
            for _ in 0..COMPLETIONS {
                yield_now().await;
            }
        })
    });
    print("spawn and await a task", || {
        block_on(async {
            for _ in 0..COMPLETIONS {
                spawn(async {}).await.unwrap();
            }
        })
    });
    print("post from a thread, in batches", || {
        block_on(async {
            let handle = Handle::current();
            let posting = asyncloop::to_thread(move || {
                for _ in 0..COMPLETIONS {
                    handle.post(|| ());
                }
            });
            posting.await.unwrap();
        })
    });
}
