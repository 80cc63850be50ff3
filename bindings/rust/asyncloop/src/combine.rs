//! Awaiting several things at once.
//!
//! gather, wait, wait_for, shield and as_completed are C's own, so that they do what asyncio's
//! do; join_all and select are Rust's: they poll what they are given.

use crate::__private::{poll_fn, MaybeDone};
use crate::error::{self, Error, Result};
use crate::ffi::{self, Object};
use crate::op::{self, Convert, Op, Parts};
use crate::runtime::Shared;
use crate::stash::Stash;
use crate::task::JoinHandle;
use asyncloop_sys as sys;
use std::collections::HashMap;
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::ptr::null_mut;
use std::task::{Context, Poll};
use std::time::Duration;

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::Op<T> {}
    impl<T> Sealed for super::JoinHandle<T> {}
    impl<T> Sealed for &super::JoinHandle<T> {}
}

/// What C can combine: an [`Op`], a [`JoinHandle`], and a reference to one whose value can be
/// cloned, with which the handle stays the caller's.
pub trait Awaitable: sealed::Sealed {
    /// What it gives.
    type Value: 'static;

    #[doc(hidden)]
    fn parts(self) -> Result<Parts<Self::Value>>;

    /// The same of one that may end without anybody there to take what it gives.
    #[doc(hidden)]
    fn parts_of_its_own(self) -> Result<Parts<Self::Value>>
    where
        Self: Sized,
    {
        self.parts()
    }
}

impl<T: 'static> Awaitable for Op<T> {
    type Value = T;

    fn parts(self) -> Result<Parts<T>> {
        self.into_parts()
    }

    // What a guard stands for is given back when it is dropped, of which C knows nothing: a task
    // of Rust's has it until it is taken, and sees the end of what has something to do then.
    fn parts_of_its_own(self) -> Result<Parts<T>> {
        let own = std::mem::needs_drop::<T>() || self.has_an_end();
        if own && Shared::current().is_some() {
            return crate::try_spawn(self.begun()).parts();
        }
        self.into_parts()
    }
}

impl<T: Clone + 'static> Awaitable for &JoinHandle<T> {
    type Value = T;

    fn parts(self) -> Result<Parts<T>> {
        let (future, claim) = self.claim()?;
        Ok(Parts::new(future, Box::new(move |_, _| claim.look())))
    }
}

impl<T: 'static> Awaitable for JoinHandle<T> {
    type Value = T;

    fn parts(self) -> Result<Parts<T>> {
        let (future, claim) = self.claim()?;
        Ok(Parts::new(future, Box::new(move |_, _| claim.take())))
    }
}

/// All of them, or none.
struct All<T> {
    futures: Vec<*mut sys::aloop_future>,
    converts: Vec<Convert<T>>,
}

impl<T: 'static> All<T> {
    fn of<I>(items: I) -> Result<All<T>>
    where
        I: IntoIterator,
        I::Item: Awaitable<Value = T>,
    {
        let mut all = All { futures: Vec::new(), converts: Vec::new() };
        for item in items {
            let parts = item.parts_of_its_own()?;
            all.futures.push(parts.future);
            all.converts.push(parts.convert);
        }
        Ok(all)
    }

    /// Gives the references to C.
    fn give<R>(
        mut self,
        to: impl FnOnce(*const *mut sys::aloop_future, i64) -> R,
    ) -> (R, Vec<Convert<T>>) {
        let futures = std::mem::take(&mut self.futures);
        let made = to(futures.as_ptr(), futures.len() as i64);
        (made, std::mem::take(&mut self.converts))
    }
}

impl<T> Drop for All<T> {
    fn drop(&mut self) {
        for future in &self.futures {
            // SAFETY: they are references that C was not given.
            unsafe { sys::aloop_unref(*future as *mut c_void) };
        }
    }
}

/// Awaits all and gives their values in order; the first error ends it, but not the others.
/// Cancelling it cancels all. `asyncio.gather`.
///
/// ```
/// # asyncloop::block_on(async {
/// let tasks = (1..4).map(|i| asyncloop::spawn(async move { i * i }));
/// assert_eq!(asyncloop::gather(tasks).await.unwrap(), [1, 4, 9]);
/// # });
/// ```
pub fn gather<I, T>(items: I) -> Op<Vec<T>>
where
    I: IntoIterator,
    I::Item: Awaitable<Value = T>,
    T: 'static,
{
    gather_as(items, 0, |outcomes| outcomes.into_iter().collect())
}

/// The same, but errors are among the results. `asyncio.gather(return_exceptions=True)`.
pub fn gather_settled<I, T>(items: I) -> Op<Vec<Result<T>>>
where
    I: IntoIterator,
    I::Item: Awaitable<Value = T>,
    T: 'static,
{
    gather_as(items, sys::ALOOP_RETURN_EXCEPTIONS, Ok)
}

fn gather_as<I, T, R>(items: I, flags: i32, give: fn(Vec<Result<T>>) -> Result<R>) -> Op<R>
where
    I: IntoIterator,
    I::Item: Awaitable<Value = T>,
    T: 'static,
    R: 'static,
{
    let all = match All::of(items) {
        Err(why) => return Op::failed(why),
        Ok(all) => all,
    };
    // SAFETY: there are `n` references at `futures`, which C takes over.
    let (future, converts) = all.give(|futures, n| unsafe { sys::aloop_gather(futures, n, flags) });
    Op::fallible(future, move |_, value| {
        let results = Object::new(value as *mut sys::aloop_results);
        let outcomes = converts.into_iter().enumerate();
        // SAFETY: C gave as many entries as it was given futures.
        give(outcomes.map(|(i, convert)| unsafe { entry(results.raw(), i, convert) }).collect())
    })
}

unsafe fn entry<T>(results: *mut sys::aloop_results, i: usize, convert: Convert<T>) -> Result<T> {
    let status = sys::aloop_results_status(results, i as i64);
    if status < 0 {
        return Err(error::from_c(status, sys::aloop_results_error(results, i as i64)));
    }
    convert(status, sys::aloop_results_take(results, i as i64))
}

/// Awaits it; cancelling who awaits this leaves it running. `asyncio.shield`.
pub fn shield<A: Awaitable>(item: A) -> Op<A::Value> {
    // SAFETY: the reference is C's from here on.
    around(item.parts_of_its_own(), |future| unsafe { sys::aloop_shield(future) })
}

/// Its outcome, or [`Code::TimedOut`](crate::Code) after `limit`: then it was cancelled, and
/// its end awaited. `asyncio.wait_for`.
pub fn wait_for<A: Awaitable>(limit: Duration, item: A) -> Op<A::Value> {
    let seconds = limit.as_secs_f64();
    // SAFETY: the reference is C's from here on.
    around(item.parts(), |future| unsafe { sys::aloop_wait_for(future, seconds) })
}

fn around<T: 'static>(
    parts: Result<Parts<T>>,
    make: impl FnOnce(*mut sys::aloop_future) -> *mut sys::aloop_future,
) -> Op<T> {
    match parts {
        Ok(parts) => op::around(parts, make),
        Err(why) => Op::failed(why),
    }
}

/// When [`wait`] has waited enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When all are done.
    AllCompleted,
    /// When one is.
    FirstCompleted,
    /// When one has failed, or all are done.
    FirstException,
}

/// What [`wait`] found: places in the list it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Those that are done.
    pub done: Vec<usize>,
    /// Those that are not.
    pub pending: Vec<usize>,
}

/// Waits until as many tasks are done as `when` says, or `limit` has passed. It never fails
/// for them and cancels none. `asyncio.wait`.
pub fn wait<'a, T: 'static>(
    tasks: impl IntoIterator<Item = &'a JoinHandle<T>>,
    limit: Option<Duration>,
    when: ReturnWhen,
) -> Op<Waited> {
    let mut all = All::<T> { futures: Vec::new(), converts: Vec::new() };
    for task in tasks {
        match task.claim() {
            Ok((future, _)) => all.futures.push(future),
            Err(why) => return Op::failed(why),
        }
    }
    let places: HashMap<_, _> =
        all.futures.iter().enumerate().map(|(i, future)| (*future as usize, i)).collect();
    let when = match when {
        ReturnWhen::AllCompleted => sys::ALOOP_ALL_COMPLETED,
        ReturnWhen::FirstCompleted => sys::ALOOP_FIRST_COMPLETED,
        ReturnWhen::FirstException => sys::ALOOP_FIRST_EXCEPTION,
    };
    let (future, _) =
        // SAFETY: there are `n` references at `futures`, which C takes over.
        all.give(|futures, n| unsafe { sys::aloop_wait(futures, n, ffi::limit(limit), when) });
    // SAFETY: the value of a wait is a wait result, whose lists live with it.
    Op::new(future, move |_, value| unsafe {
        let result = Object::new(value as *mut sys::aloop_wait_result);
        let among = |list: *mut sys::aloop_results| {
            (0..sys::aloop_results_count(list))
                .filter_map(|i| places.get(&(sys::aloop_results_future(list, i) as usize)).copied())
                .collect()
        };
        Waited {
            done: among(sys::aloop_wait_result_done(result.raw())),
            pending: among(sys::aloop_wait_result_pending(result.raw())),
        }
    })
}

/// Gives the outcomes in the order in which they come. `asyncio.as_completed`.
pub fn as_completed<I, T>(items: I, limit: Option<Duration>) -> Result<AsCompleted<T>>
where
    I: IntoIterator,
    I::Item: Awaitable<Value = T>,
    T: 'static,
{
    let mut all = All::of(items)?;
    for future in &mut all.futures {
        // SAFETY: it takes the reference over, and gives one.
        *future = unsafe { sys::aloop_ensure_future(*future) };
    }
    let keys: Vec<_> = all.futures.iter().map(|future| *future as usize).collect();
    let mut raw = null_mut();
    // SAFETY: there are `n` references at `futures`, which C takes over.
    let (status, converts) = all.give(|futures, n| unsafe {
        sys::aloop_as_completed(&mut raw, futures, n, ffi::limit(limit))
    });
    error::check(status)?;
    let mut by: HashMap<usize, Vec<Convert<T>>> = HashMap::new();
    for (key, convert) in keys.into_iter().zip(converts) {
        by.entry(key).or_default().push(convert);
    }
    Ok(AsCompleted { completions: Object::new(raw), stash: Stash::default(), by })
}

/// What [`as_completed`] gives.
pub struct AsCompleted<T> {
    completions: Object<sys::aloop_completions>,
    stash: Stash<Object<sys::aloop_future>>,
    by: HashMap<usize, Vec<Convert<T>>>,
}

impl<T: 'static> AsCompleted<T> {
    /// The next outcome; `None` after the last. When the time is up it is
    /// [`Code::TimedOut`](crate::Code). Dropped, it loses none.
    pub async fn next(&mut self) -> Option<Result<T>> {
        let raw = self.completions.clone();
        let next = self.stash.receive(
            // SAFETY: the handle is a reference of ours.
            move || unsafe { sys::aloop_as_completed_next(raw.raw()) },
            |_, value| Object::new(value as *mut sys::aloop_future),
        );
        let future = match next.await {
            Ok(future) => future,
            Err(why) if why == crate::Code::StopIteration => return None,
            Err(why) => return Some(Err(why)),
        };
        let convert = self.by.get_mut(&(future.raw() as usize)).and_then(Vec::pop);
        let mut value = null_mut();
        // SAFETY: the future is a reference of ours, and its error lives with it.
        unsafe {
            let status = sys::aloop_future_take(future.raw(), &mut value);
            if status < 0 {
                return Some(Err(error::from_c(status, sys::aloop_future_error(future.raw()))));
            }
            let convert = match convert {
                Some(convert) => convert,
                None => return Some(Err(Error::from_status(sys::ALOOP_EVALUETAKEN))),
            };
            Some(convert(status, value))
        }
    }
}

/// One of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

/// Awaits two futures at once: the output of the one that is done first, the first one's if
/// both are. The other is dropped. The macro [`select!`](crate::select!) is the same for more.
pub async fn select<A: Future, B: Future>(a: A, b: B) -> Either<A::Output, B::Output> {
    let (mut a, mut b) = (Box::pin(a), Box::pin(b));
    poll_fn(|context| {
        if let Poll::Ready(output) = a.as_mut().poll(context) {
            return Poll::Ready(Either::Left(output));
        }
        b.as_mut().poll(context).map(Either::Right)
    })
    .await
}

/// Awaits all, in one task: their outputs in order.
pub async fn join_all<I>(futures: I) -> Vec<<I::Item as Future>::Output>
where
    I: IntoIterator,
    I::Item: Future,
{
    let mut all: Vec<_> =
        futures.into_iter().map(|future| Box::pin(MaybeDone::new(future))).collect();
    poll_fn(|context| poll_all(&mut all, context)).await;
    all.iter_mut().map(|one| one.as_mut().take()).collect()
}

fn poll_all<F: Future>(all: &mut [Pin<Box<MaybeDone<F>>>], context: &mut Context<'_>) -> Poll<()> {
    let mut done = true;
    for one in all {
        done &= one.as_mut().poll_done(context);
    }
    if done {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}

/// The same for futures that give a `Result`: their values, or the first error, and then the
/// others are dropped.
pub async fn try_join_all<I, T, E>(futures: I) -> std::result::Result<Vec<T>, E>
where
    I: IntoIterator,
    I::Item: Future<Output = std::result::Result<T, E>>,
{
    let mut all: Vec<_> =
        futures.into_iter().map(|future| Box::pin(MaybeDone::new(future))).collect();
    poll_fn(|context| {
        let polled = poll_all(&mut all, context);
        match all.iter_mut().find_map(|one| one.as_mut().failed()) {
            Some(why) => Poll::Ready(Err(why)),
            None => polled.map(Ok),
        }
    })
    .await?;
    Ok(all.iter_mut().map(|one| one.as_mut().take_ok()).collect())
}
