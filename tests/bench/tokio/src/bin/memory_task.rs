// SPDX-License-Identifier: MIT

//! What a task holds that sleeps.

use bench_tokio::{count_arg, emit, resident_bytes, run};
use std::time::Duration;

async fn measure(n: usize) -> f64 {
    let before = resident_bytes();
    for _ in 0..n {
        tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
    }
    tokio::task::yield_now().await; // all tasks run once, and arm their timers
    (resident_bytes() - before) / n as f64
}

fn main() {
    let n = count_arg();
    emit("memory", "sleeping task", run(measure(n)), "B");
}
