//! Three workers take twenty jobs from a queue, each job so many seconds of sleep. With
//! ASYNCLOOP_CLOCK=virtual in the environment it is done at once.
use asyncloop::{block_on, gather_settled, sleep, try_spawn, Instant, Queue, Result};
use std::time::Duration;

async fn work(name: String, jobs: Queue<Duration>) -> Result<()> {
    loop {
        let job = jobs.get().await?;
        sleep(job).await?;
        jobs.task_done()?;
        println!("{name} has slept for {:.2} seconds", job.as_secs_f64());
    }
}

async fn run() -> Result<()> {
    let jobs = Queue::new(0)?;
    let mut total = Duration::ZERO;
    for i in 0..20 {
        let job = Duration::from_millis(50 + (i * 379) % 950);
        total += job;
        jobs.put(job).await?;
    }
    let workers: Vec<_> =
        (0..3).map(|i| try_spawn(work(format!("worker-{i}"), jobs.clone()))).collect();

    let started = Instant::now();
    jobs.join().await?; // until every job is done
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
    block_on(run())
}
