// SPDX-License-Identifier: MIT

//! tokio's timers are futures. Arming and cancelling needs no task: a Sleep is registered when
//! first polled, and taken out when dropped. To be told that one fired takes a task.

use bench_tokio::{count_arg, cpu_time, emit, per_op, register, run, Random};
use std::time::{Duration, Instant};
use tokio::time::sleep;

async fn arm_cancel(n: usize) -> f64 {
    let mut random = Random::new();
    let start = Instant::now();
    let mut timers: Vec<_> = (0..n)
        .map(|_| {
            Box::pin(sleep(Duration::from_nanos(
                1_000_000_000 + random.below(59_000_000_000),
            )))
        })
        .collect();
    register(&mut timers).await;
    drop(timers);
    per_op(start, n)
}

async fn arm_fire(n: usize) -> f64 {
    let mut random = Random::new();
    let start = cpu_time();
    let tasks: Vec<_> = (0..n)
        .map(|_| tokio::spawn(sleep(Duration::from_nanos(random.below(1_000_000_000)))))
        .collect();
    tokio::task::yield_now().await; // all tasks run once, and arm their timers

    // Every loop is late at times; here the last deadline passes before the first timer fires.
    std::thread::sleep(Duration::from_secs(1));
    for task in tasks {
        task.await.expect("task");
    }
    (cpu_time() - start).as_nanos() as f64 / n as f64
}

async fn precision(samples: usize) {
    let mut elapsed = Vec::with_capacity(samples);
    for _ in 0..samples {
        let armed = Instant::now();
        sleep(Duration::from_micros(1300)).await;
        elapsed.push(armed.elapsed().as_nanos() as f64 / 1e6);
    }
    elapsed.sort_by(f64::total_cmp);
    emit("timer", "1.3 ms, earliest", elapsed[0], "ms");
    emit("timer", "1.3 ms, p50", elapsed[samples / 2], "ms");
    emit("timer", "1.3 ms, p99", elapsed[samples * 99 / 100], "ms");
}

fn main() {
    let n = count_arg();
    emit("timer", "arm + cancel", run(arm_cancel(n)), "ns");
    emit("timer", "arm + fire", run(arm_fire(n)), "ns");
    run(precision(1 + n / 1000));
}
