//! shield: who awaits is cancelled, and the task goes on.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, shield, sleep, spawn, try_spawn, JoinHandle, Result};
use std::rc::Rc;
use std::time::Duration;

async fn simple_task(number: i32) -> Result<i32> {
    sleep(Duration::from_secs(1)).await?;
    Ok(number)
}

fn state<T: 'static>(task: &JoinHandle<T>) -> &'static str {
    match (task.is_canceled(), task.is_finished()) {
        (true, _) => "cancelled",
        (_, true) => "finished",
        _ => "pending",
    }
}

async fn run() -> Result<()> {
    let task = try_spawn(simple_task(1));
    let shielded = Rc::new(try_spawn(shield(&task)));
    let other = shielded.clone();
    spawn(async move {
        sleep(Duration::from_millis(200)).await?;
        println!("cancelled: {}", if other.cancel() { "True" } else { "False" });
        Result::Ok(())
    });
    match shielded.join().await {
        Ok(number) => println!(">got: {number}"),
        Err(_) => println!("shielded was cancelled"),
    }
    sleep(Duration::from_secs(1)).await?;
    println!("shielded: {}", state(&shielded));
    println!("task: {}", state(&task));
    println!("{}", task.await?);
    Ok(())
}

fn main() -> Result<()> {
    block_on(run())
}
