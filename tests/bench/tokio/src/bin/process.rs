// SPDX-License-Identifier: MIT

//! tokio::process::Command of /bin/true, by as many tasks as there are to be children at a time.

use bench_tokio::{count_arg, emit, run};
use std::time::Instant;
use tokio::process::Command;

async fn one_after_another(children: usize) {
    for _ in 0..children {
        assert!(Command::new("/bin/true")
            .status()
            .await
            .expect("spawn")
            .success());
    }
}

async fn measure(children: usize, at_a_time: usize) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..at_a_time)
        .map(|_| tokio::spawn(one_after_another(children / at_a_time)))
        .collect();
    for task in tasks {
        task.await.expect("task");
    }
    (children / at_a_time * at_a_time) as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let n = count_arg();
    emit("process", "1 at a time", run(measure(n, 1)), "/s");
    emit("process", "16 at a time", run(measure(n, 16)), "/s");
    let ballast = vec![1u8; 1 << 30];
    emit(
        "process",
        "with 1 GiB resident",
        run(measure(1 + n / 20, 1)),
        "/s",
    );
    // Read behind the compiler's back, so that it cannot leave the memory out.
    assert_eq!(unsafe { std::ptr::read_volatile(&ballast[n]) }, 1);
}
