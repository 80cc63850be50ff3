//! Three tasks, gathered.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, gather, sleep, try_spawn, Result};
use std::time::Duration;

async fn work(name: char, result: char, seconds: u64) -> Result<char> {
    println!("{name}: started");
    sleep(Duration::from_secs(seconds)).await?;
    println!("{name}: finished");
    Ok(result)
}

fn main() -> Result<()> {
    block_on(async {
        let all = [work('A', 'a', 2), work('B', 'b', 1), work('C', 'c', 3)];
        println!("Result: {:?}", gather(all.map(try_spawn)).await?);
        Ok(())
    })
}
