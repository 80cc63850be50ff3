// SPDX-License-Identifier: MIT

//! An unbounded channel of functions is what tokio's users post callbacks with: leaner than a task
//! for each.

use bench_tokio::{count_arg, emit, per_op, pin_thread, run, runtime};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use tokio::sync::mpsc::unbounded_channel;

static DONE: AtomicUsize = AtomicUsize::new(0);

fn work() {
    DONE.store(DONE.load(Relaxed) + 1, Relaxed); // only the loop's thread writes
}

async fn flood(n: usize) -> f64 {
    let (sender, mut receiver) = unbounded_channel::<fn()>();
    let start = Instant::now();
    std::thread::spawn(move || {
        pin_thread(1);
        for _ in 0..n {
            sender.send(work).expect("receiver");
        }
    });
    while let Some(function) = receiver.recv().await {
        function();
    }
    assert_eq!(DONE.load(Relaxed), n);
    per_op(start, n)
}

/// Two runtimes in two threads, each asleep while the other answers.
async fn round_trip(n: usize) -> f64 {
    let (ask, mut asked) = unbounded_channel();
    let (answer, mut answered) = unbounded_channel();
    std::thread::spawn(move || {
        pin_thread(1);
        runtime().block_on(async {
            while let Some(()) = asked.recv().await {
                answer.send(()).expect("receiver");
            }
        })
    });
    let start = Instant::now();
    for _ in 0..n {
        ask.send(()).expect("receiver");
        answered.recv().await.expect("answer");
    }
    per_op(start, n)
}

fn main() {
    let n = count_arg();
    pin_thread(0);
    emit("post", "flood", run(flood(n)), "ns");
    emit(
        "post",
        "wake-up, round trip",
        run(round_trip(1 + n / 100)) / 1000.0,
        "us",
    );
}
