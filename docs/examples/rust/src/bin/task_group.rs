//! A task group ends when its tasks have; the first failure cancels the others.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, sleep, task_group, Error, Result};
use std::time::Duration;

struct Job {
    name: &'static str,
    seconds: u64,
    fails: bool,
}

async fn work(job: Job) -> Result<()> {
    println!("{}: started", job.name);
    if let Err(why) = sleep(Duration::from_secs(job.seconds)).await {
        println!("{}: {}", job.name, why.code().name());
        return Err(why);
    }
    if job.fails {
        return Err(Error::other(format!("{} is broken", job.name)));
    }
    println!("{}: finished", job.name);
    Ok(())
}

async fn run_group(jobs: [Job; 2]) -> Result<()> {
    task_group(|group| async move {
        for job in jobs {
            group.spawn(work(job));
        }
        Ok(())
    })
    .await
}

async fn run() -> Result<()> {
    let job = |name, seconds, fails| Job { name, seconds, fails };
    run_group([job("A", 2, false), job("B", 1, false)]).await?;
    println!("the first group: ALOOP_OK");
    if let Err(group) = run_group([job("C", 2, false), job("D", 1, true)]).await {
        println!("the second group: {}", group.code().name());
        for why in group.children() {
            println!("  {why}");
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    block_on(run())
}
