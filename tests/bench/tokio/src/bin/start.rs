// SPDX-License-Identifier: MIT

//! A current-thread runtime with its drivers made, turned once and dropped.

use bench_tokio::{count_arg, emit, per_op, runtime};
use std::time::Instant;

fn main() {
    let n = count_arg();
    let start = Instant::now();
    for _ in 0..n {
        runtime().block_on(tokio::task::yield_now());
    }
    emit("start", "loop", per_op(start, n) / 1000.0, "us");
}
