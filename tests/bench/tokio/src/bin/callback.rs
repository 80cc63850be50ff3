// SPDX-License-Identifier: MIT

//! tokio has no callbacks; what comes closest is a task that wakes itself each time it is polled.

use bench_tokio::{count_arg, emit, per_op, run};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// Wakes itself so many times.
struct Again(usize);

impl Future for Again {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn measure(tasks: usize, calls: usize) -> f64 {
    let start = Instant::now();
    let all: Vec<_> = (0..tasks)
        .map(|_| tokio::spawn(Again(calls / tasks)))
        .collect();
    for task in all {
        task.await.expect("task");
    }
    per_op(start, calls)
}

fn main() {
    let n = count_arg();
    emit("callback", "among 1000", run(measure(1000, n)), "ns");
    emit("callback", "alone", run(measure(1, n)), "ns");
}
