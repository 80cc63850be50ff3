//! as_completed: results in the order in which they come.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{as_completed, block_on, sleep, try_spawn, Result};
use std::time::Duration;

async fn work(name: char, seconds: u64, result: char) -> Result<char> {
    println!("{name}: started");
    sleep(Duration::from_secs(seconds)).await?;
    println!("{name}: finished");
    Ok(result)
}

async fn run() -> Result<()> {
    let tasks = [
        try_spawn(work('C', 3, 'c')),
        try_spawn(work('B', 1, 'b')),
        try_spawn(work('A', 2, 'a')),
    ];
    let mut finished = as_completed(tasks, None)?;
    while let Some(result) = finished.next().await {
        println!("{}", result?);
    }
    Ok(())
}

fn main() -> Result<()> {
    block_on(run())
}
