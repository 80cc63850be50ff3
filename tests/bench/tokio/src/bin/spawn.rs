// SPDX-License-Identifier: MIT

//! A thousand tasks at a time, each awaited by its handle.

use bench_tokio::{count_arg, emit, per_op, run};
use std::time::Instant;

const BATCH: usize = 1000;

async fn measure(n: usize) -> f64 {
    let mut handles = Vec::with_capacity(BATCH);
    let start = Instant::now();
    for _ in 0..n / BATCH {
        handles.extend((0..BATCH).map(|_| tokio::spawn(async {})));
        for handle in handles.drain(..) {
            handle.await.expect("task");
        }
    }
    per_op(start, n)
}

fn main() {
    let n = count_arg();
    emit("spawn", "spawn + join", run(measure(n)), "ns");
}
