// SPDX-License-Identifier: MIT

//! Tasks that yield to each other.

use bench_tokio::{count_arg, emit, per_op, run};
use std::time::Instant;

async fn yielder(yields: usize) {
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
}

async fn measure(tasks: usize, switches: usize) -> f64 {
    let start = Instant::now();
    let all: Vec<_> = (0..tasks)
        .map(|_| tokio::spawn(yielder(switches / tasks)))
        .collect();
    for task in all {
        task.await.expect("task");
    }
    per_op(start, switches)
}

fn main() {
    let n = count_arg();
    emit("switch", "2 tasks", run(measure(2, n)), "ns");
    emit("switch", "1000 tasks", run(measure(1000, n)), "ns");
}
