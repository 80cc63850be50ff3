//! cancel: the await of a task fails, and the task cleans up, or declines.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, sleep, spawn, try_spawn, Result};
use std::time::Duration;

async fn spin() -> Result<()> {
    loop {
        println!("spinning");
        if let Err(why) = sleep(Duration::from_secs(1)).await {
            println!("cleaning up: {why}");
            return Err(why);
        }
    }
}

async fn refuse() -> &'static str {
    match sleep(Duration::from_secs(10)).await {
        Ok(()) => "",
        Err(_) => "not now",
    }
}

async fn run() -> Result<()> {
    let mut spinner = try_spawn(spin());
    let mut stubborn = spawn(refuse());
    sleep(Duration::from_millis(2500)).await?;

    println!("cancel: {}", i32::from(spinner.cancel_with("enough of that")));
    stubborn.cancel();
    let _ = (&mut spinner).await;
    println!("spinner cancelled: {}", i32::from(spinner.is_canceled()));
    println!("once more: {}", i32::from(spinner.cancel()));

    let answer = (&mut stubborn).await?;
    let cancelled = i32::from(stubborn.is_canceled());
    println!("stubborn cancelled: {cancelled}, it says '{answer}'");
    Ok(())
}

fn main() -> Result<()> {
    block_on(run())
}
