//! Two tasks side by side take as long as the longer one.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, sleep, try_spawn, Instant, Result};
use std::time::Duration;

async fn delay_print(seconds: u64, name: &str) -> Result<()> {
    println!(">>> start {name}");
    sleep(Duration::from_secs(seconds)).await?;
    println!("<<< end   {name}");
    Ok(())
}

async fn run() -> Result<()> {
    let start = Instant::now();
    println!("Start");
    let task1 = try_spawn(delay_print(4, "task1"));
    let task2 = try_spawn(delay_print(2, "task2"));

    sleep(Duration::from_secs(1)).await?;
    println!("All tasks are started");

    task1.await?;
    task2.await?;
    println!("End   after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    block_on(run())
}
