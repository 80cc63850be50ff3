//! A function that blocks runs in a thread, and the loop goes on.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, sleep, to_thread, try_spawn, Result};
use std::time::Duration;

fn blocking_task() {
    println!("Task starting");
    std::thread::sleep(Duration::from_millis(500)); // or anything else that blocks
    println!("Task done");
}

fn main() -> Result<()> {
    block_on(async {
        println!("Main running the blocking task");
        // An operation starts when it is awaited, for instance by a task.
        let task = try_spawn(to_thread(blocking_task));
        println!("Main doing other things");
        sleep(Duration::ZERO).await?; // lets the task start
        task.await
    })
}
