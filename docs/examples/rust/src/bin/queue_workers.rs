//! A queue with twenty jobs, and three workers that share them: queue_workers [SEED]
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, gather_settled, sleep, try_spawn, Instant, Queue, Result};
use std::time::Duration;

// Takes jobs until it is cancelled.
async fn work(number: usize, queue: Queue<Duration>) -> Result<()> {
    loop {
        let job = queue.get().await?;
        sleep(job).await?;
        queue.task_done()?;
        println!("worker-{number} has slept for {:.2} seconds", job.as_secs_f64());
    }
}

// Numbers from 0 to 1 that look random: a linear congruential generator.
fn random(mut seed: u64) -> impl Iterator<Item = f64> {
    std::iter::from_fn(move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Some((seed >> 11) as f64 / (1u64 << 53) as f64)
    })
}

async fn run(seed: u64) -> Result<()> {
    let queue = Queue::new(0)?;
    let mut total = Duration::ZERO;
    for number in random(seed).take(20) {
        let job = Duration::from_secs_f64(0.05 + 0.95 * number);
        total += job;
        queue.try_put(job)?;
    }
    let workers: Vec<_> = (0..3).map(|i| try_spawn(work(i, queue.clone()))).collect();

    // Wait until every job is done.
    let started = Instant::now();
    queue.join().await?;
    let slept = started.elapsed();

    for worker in &workers {
        worker.cancel();
    }
    gather_settled(workers).await?;

    println!("====");
    println!("3 workers slept in parallel for {:.2} seconds", slept.as_secs_f64());
    println!("total expected sleep time: {:.2} seconds", total.as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok());
    block_on(run(seed.unwrap_or_else(|| std::process::id().into())))
}
