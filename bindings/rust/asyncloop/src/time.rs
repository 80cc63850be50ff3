//! Sleeping, timeouts, intervals and timers, on the loop's clock.

use crate::callback::Once;
use crate::error::{check, Error, Result};
use crate::ffi;
use crate::op::Op;
use crate::runtime::{self, Shared};
use asyncloop_sys as sys;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A time of the running loop's clock, which may be a virtual one: what has passed since
/// it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// Now; the beginning where no loop runs.
    pub fn now() -> Instant {
        Instant(Duration::from_secs_f64(runtime::now().max(0.0)))
    }

    /// What has passed since.
    pub fn elapsed(self) -> Duration {
        Instant::now() - self
    }

    /// From `earlier` to this; zero if that is later.
    pub fn duration_since(self, earlier: Instant) -> Duration {
        self - earlier
    }

    /// What has passed since the loop's clock began.
    pub fn since_start(self) -> Duration {
        self.0
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, time: Duration) -> Instant {
        Instant(self.0.saturating_add(time))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, time: Duration) {
        *self = *self + time;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Done after `delay`; zero lets every other task that is ready run once. It fails only
/// where the task is cancelled. `asyncio.sleep`.
pub fn sleep(delay: Duration) -> Op<()> {
    let seconds = delay.as_secs_f64();
    // SAFETY: it takes no pointer.
    Op::later(move || unsafe { sys::aloop_sleep(seconds) }, ffi::nothing)
}

/// Done at a time of the loop's clock.
pub fn sleep_until(when: Instant) -> Op<()> {
    // What is left of it is known when it begins.
    let left = move || (when - Instant::now()).as_secs_f64();
    // SAFETY: it takes no pointer.
    Op::lazy(move || unsafe { sys::aloop_sleep(left()) }, ffi::nothing)
}

/// The output of `future`, or [`Code::TimedOut`](crate::Code) once `limit` has passed: then
/// the future is dropped, and what it did is cancelled. See [`wait_for`](crate::wait_for) and
/// [`scope::timeout`](crate::scope::timeout) for asyncio's, which await its end.
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit) }
}

/// The same with a time of the loop's clock.
pub fn timeout_at<F: Future>(when: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(when) }
}

/// What [`timeout`] gives.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Timeout<F> {
    future: F,
    sleep: Op<()>,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: it is pinned with `self`.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut this.sleep)
            .poll(context)
            .map(|slept| Err(slept.err().unwrap_or(Error::from_status(sys::ALOOP_ETIMEDOUT))))
    }
}

/// What an [`Interval`] does when ticks were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedTicks {
    /// They come at once, one after the other, until it has caught up.
    Burst,
    /// The next one comes a period after the late one.
    Delay,
    /// They are left out: the next one is a multiple of the period after the first.
    Skip,
}

/// Ticks every `period`, at once for the first time.
///
/// # Panics
/// If the period is zero.
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "interval: the period is zero");
    Interval { period, next: None, missed: MissedTicks::Burst }
}

/// What [`interval`] gives.
pub struct Interval {
    period: Duration,
    next: Option<Instant>,
    missed: MissedTicks,
}

impl Interval {
    /// What is done about missed ticks; default: [`MissedTicks::Burst`].
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Interval {
        self.missed = missed;
        self
    }

    /// Waits for the next tick: the time for which it was meant. Dropped early, it is
    /// not lost.
    pub async fn tick(&mut self) -> Result<Instant> {
        let due = *self.next.get_or_insert_with(Instant::now);
        if due > Instant::now() {
            sleep_until(due).await?;
        }
        let now = Instant::now();
        let mut next = due + self.period;
        if next < now {
            match self.missed {
                MissedTicks::Burst => {}
                MissedTicks::Delay => next = now + self.period,
                MissedTicks::Skip => {
                    let late = (now - due).as_nanos() / self.period.as_nanos();
                    let skipped = u32::try_from(late + 1).unwrap_or(u32::MAX);
                    next = due + self.period.saturating_mul(skipped);
                }
            }
        }
        self.next = Some(next);
        Ok(due)
    }
}

/// Runs a function on this thread's loop in its next iteration. `loop.call_soon`.
pub fn call_soon(run: impl FnOnce() + 'static) -> Result<Timer> {
    // SAFETY: the loop runs; `give` knows whose the box is.
    arm(run, |raw, fn_, data, free| unsafe { sys::aloop_loop_call_soon(raw, fn_, data, free) })
}

/// The same after `delay`. A panic of the function ends the loop, and `block_on` resumes it.
/// `loop.call_later`.
pub fn call_later(delay: Duration, run: impl FnOnce() + 'static) -> Result<Timer> {
    let seconds = delay.as_secs_f64();
    // SAFETY: the loop runs; `give` knows whose the box is.
    arm(run, |raw, fn_, data, free| unsafe {
        sys::aloop_loop_call_later(raw, seconds, fn_, data, free)
    })
}

/// The same at a time of the loop's clock. `loop.call_at`.
pub fn call_at(when: Instant, run: impl FnOnce() + 'static) -> Result<Timer> {
    // SAFETY: the loop runs; `give` knows whose the box is.
    arm(run, |raw, fn_, data, free| unsafe {
        sys::aloop_loop_call_at(raw, when.seconds(), fn_, data, free)
    })
}

fn arm<F: FnOnce() + 'static>(
    run: F,
    arm: impl FnOnce(
        *mut sys::aloop_loop,
        sys::aloop_callback_fn,
        *mut std::ffi::c_void,
        sys::aloop_free_fn,
    ) -> i64,
) -> Result<Timer> {
    let shared = Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
    let once = Once::new(&shared, run);
    let handle = check(once.give(|fn_, data, free| arm(shared.raw(), fn_, data, free)))?;
    Ok(Timer { shared, handle: handle as u64, bound: PhantomData })
}

/// A function that is to be called. Dropping this does not keep it from that. It stays on the
/// thread of its loop:
/// ```compile_fail
/// asyncloop::block_on(async {
///     let timer = asyncloop::time::call_soon(|| ()).unwrap();
///     std::thread::spawn(move || timer.cancel());
/// });
/// ```
pub struct Timer {
    shared: Arc<Shared>,
    handle: u64,
    bound: PhantomData<*mut ()>,
}

impl Timer {
    /// Takes it back: false if it was called or taken back already.
    pub fn cancel(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_loop_cancel_handle(self.shared.raw(), self.handle) >= 0 }
    }

    /// When it is to be called; `None` if it was, or is no timer.
    pub fn when(&self) -> Option<Instant> {
        // SAFETY: the handle is a reference of ours.
        let when = unsafe { sys::aloop_loop_handle_when(self.shared.raw(), self.handle) };
        // from_secs_f64 panics beyond what a Duration holds.
        (when >= 0.0).then(|| Instant(Duration::from_secs_f64(when.min(1e18))))
    }
}
