// SPDX-License-Identifier: MIT

//! Two tasks over a bounded mpsc channel, and a foreign thread with `blocking_send`.

use bench_tokio::{count_arg, emit, per_op, pin_thread, run};
use std::time::Instant;
use tokio::sync::mpsc;

async fn measure(capacity: usize, items: usize) -> f64 {
    let (sender, mut receiver) = mpsc::channel(capacity);
    let start = Instant::now();
    tokio::spawn(async move {
        for i in 0..items {
            sender.send(i).await.expect("receiver");
        }
    });
    while receiver.recv().await.is_some() {}
    per_op(start, items)
}

async fn measure_thread(items: usize) -> f64 {
    let (sender, mut receiver) = mpsc::channel(1024);
    let start = Instant::now();
    std::thread::spawn(move || {
        pin_thread(1);
        for i in 0..items {
            sender.blocking_send(i).expect("receiver");
        }
    });
    while receiver.recv().await.is_some() {}
    per_op(start, items)
}

fn main() {
    let n = count_arg();
    pin_thread(0);
    emit("queue", "capacity 1", run(measure(1, n)), "ns");
    emit("queue", "capacity 1024", run(measure(1024, n)), "ns");
    emit("queue", "from a thread", run(measure_thread(n)), "ns");
}
