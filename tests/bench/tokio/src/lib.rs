// SPDX-License-Identifier: MIT

//! What the tokio programs share: the count, the runtime, clocks, resident memory, and the one way
//! to print a result.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Sleep;

pub fn count_arg() -> usize {
    let argument = std::env::args().nth(1).expect("usage: PROGRAM COUNT");
    argument.parse().expect("COUNT is a number")
}

pub fn emit(workload: &str, metric: &str, value: f64, unit: &str) {
    print!("{{\"workload\": {workload:?}, \"peer\": \"tokio\", \"metric\": {metric:?}, ");
    println!("\"value\": {value}, \"unit\": {unit:?}}}");
}

/// Nanoseconds an operation, of `n` since `start`.
pub fn per_op(start: Instant, n: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / n as f64
}

/// One thread, as the other loops have.
pub fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
}

/// Runs `work` as a task: the future that `block_on` is given itself is polled by a slower path.
pub fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    runtime().block_on(async { tokio::spawn(work).await.expect("task") })
}

/// `register(&mut timers).await` arms them all: a Sleep is registered when it is first polled.
pub struct Register<'a>(&'a mut [Pin<Box<Sleep>>]);

pub fn register(timers: &mut [Pin<Box<Sleep>>]) -> Register<'_> {
    Register(timers)
}

impl Future for Register<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for timer in self.0.iter_mut() {
            let _ = timer.as_mut().poll(context);
        }
        Poll::Ready(())
    }
}

/// Time all threads of this process spent on a processor.
pub fn cpu_time() -> Duration {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: f64 = text
        .split(' ')
        .nth(1)
        .expect("resident")
        .parse()
        .expect("a number");
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

/// Gives the calling thread, and those it starts, one processor.
pub fn pin_thread(processor: usize) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}

/// The same sequence in every run (xorshift64).
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Random(88172645463325252)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
