//! wait_for cancels what takes too long.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, sleep, try_spawn, wait_for, Result};
use std::time::Duration;

async fn task_coro() -> Result<()> {
    let time = Duration::from_millis(1650);
    println!(">task got {:.2}", time.as_secs_f64());
    sleep(time).await?;
    println!(">task done");
    Ok(())
}

fn main() -> Result<()> {
    block_on(async {
        let limited = wait_for(Duration::from_millis(200), try_spawn(task_coro()));
        if limited.await.is_err() {
            println!("Gave up waiting, task canceled");
        }
        // Anything that can be awaited can be limited.
        let hour = wait_for(Duration::from_secs(1), sleep(Duration::from_secs(3600)));
        if let Err(why) = hour.await {
            assert!(why.is_timed_out());
            println!("timeout!");
        }
        Ok(())
    })
}
