// SPDX-License-Identifier: MIT

//! spawn_blocking, on a pool of four threads.

use bench_tokio::{count_arg, emit, per_op, pin_thread};
use std::sync::{Arc, Barrier};
use std::time::Instant;
use tokio::task::spawn_blocking;

async fn trips(n: usize) {
    for _ in 0..n {
        spawn_blocking(|| ()).await.expect("pool");
    }
}

async fn measure(n: usize, in_flight: usize) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| tokio::spawn(trips(n / in_flight)))
        .collect();
    for task in tasks {
        task.await.expect("task");
    }
    per_op(start, n / in_flight * in_flight)
}

/// Has all four threads started.
async fn start_threads() {
    let all_there = Arc::new(Barrier::new(4));
    let waiting: Vec<_> = (0..4)
        .map(|_| all_there.clone())
        .map(|barrier| spawn_blocking(move || barrier.wait()))
        .collect();
    for thread in waiting {
        thread.await.expect("pool");
    }
}

fn main() {
    let n = count_arg();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .expect("runtime");
    pin_thread(1); // the pool has one processor, the loop the other
    runtime.block_on(start_threads());
    pin_thread(0);
    emit(
        "thread",
        "1 in flight",
        runtime.block_on(measure(n, 1)),
        "ns",
    );
    emit(
        "thread",
        "64 in flight",
        runtime.block_on(measure(10 * n, 64)),
        "ns",
    );
}
