// SPDX-License-Identifier: MIT

//! What a registered Sleep holds without a task.

use bench_tokio::{count_arg, emit, register, resident_bytes, run};
use std::time::Duration;

async fn measure(n: usize) -> f64 {
    let before = resident_bytes();
    let mut timers: Vec<_> = (0..n)
        .map(|_| Box::pin(tokio::time::sleep(Duration::from_secs(3600))))
        .collect();
    register(&mut timers).await;
    (resident_bytes() - before) / n as f64
}

fn main() {
    let n = count_arg();
    emit("memory", "timer", run(measure(n)), "B");
}
