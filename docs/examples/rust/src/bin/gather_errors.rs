//! gather: the first error; errors among the results; cancelled as a whole.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, gather, gather_settled, sleep, try_spawn, Error, Result};
use std::time::Duration;

async fn good(name: &'static str) -> Result<&'static str> {
    if let Err(why) = sleep(Duration::from_secs(2)).await {
        println!("{name}: {why}");
        return Err(why);
    }
    println!("{name}: finished");
    Ok(name)
}

// Any error will do: it arrives as it is where the task is awaited.
async fn bad(name: &'static str) -> Result<&'static str> {
    sleep(Duration::from_secs(1)).await?;
    Err(Error::other(format!("{name} is out of order")))
}

async fn first_error() -> Result<()> {
    if let Err(why) = gather([try_spawn(good("A")), try_spawn(bad("B"))]).await {
        println!("gather failed: {why}");
    }
    sleep(Duration::from_secs(2)).await // A is still at work
}

async fn errors_as_results() -> Result<()> {
    let both = [try_spawn(good("C")), try_spawn(bad("D"))];
    for (i, outcome) in gather_settled(both).await?.iter().enumerate() {
        match outcome {
            Ok(name) => println!("{i}: {name}"),
            Err(why) => println!("{i}: {why}"),
        }
    }
    Ok(())
}

async fn cancelled_gather() -> Result<()> {
    let all = try_spawn(gather([try_spawn(good("E")), try_spawn(good("F"))]));
    sleep(Duration::from_secs(1)).await?;
    println!("cancelling: {}", i32::from(all.cancel()));
    if let Err(why) = all.await {
        println!("gather: {}", why.code().name());
    }
    Ok(())
}

async fn run() -> Result<()> {
    first_error().await?;
    errors_as_results().await?;
    cancelled_gather().await
}

fn main() -> Result<()> {
    block_on(run())
}
