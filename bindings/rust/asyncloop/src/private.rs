//! What the macros need.
#![doc(hidden)]
#![allow(missing_debug_implementations)]

pub use crate::combine::select;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What std has from Rust 1.64 on.
pub fn poll_fn<T, F: FnMut(&mut Context<'_>) -> Poll<T>>(poll: F) -> PollFn<F> {
    PollFn(poll)
}

pub struct PollFn<F>(F);

impl<F> Unpin for PollFn<F> {}

impl<T, F: FnMut(&mut Context<'_>) -> Poll<T>> Future for PollFn<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        (self.0)(context)
    }
}

/// A future, its output, or nothing any more.
pub enum MaybeDone<F: Future> {
    Future(F),
    Done(Option<F::Output>),
}

impl<F: Future> MaybeDone<F> {
    pub fn new(future: F) -> MaybeDone<F> {
        MaybeDone::Future(future)
    }

    /// True once its output is there.
    pub fn poll_done(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        // SAFETY: nothing is moved out of it.
        let output = match unsafe { self.as_mut().get_unchecked_mut() } {
            MaybeDone::Done(_) => return true,
            MaybeDone::Future(future) => {
                // SAFETY: it is pinned with `self`.
                match unsafe { Pin::new_unchecked(future) }.poll(context) {
                    Poll::Pending => return false,
                    Poll::Ready(output) => output,
                }
            }
        };
        self.set(MaybeDone::Done(Some(output)));
        true
    }

    /// The output: once.
    pub fn take(self: Pin<&mut Self>) -> F::Output {
        // SAFETY: an output may move; a future does not.
        match unsafe { self.get_unchecked_mut() } {
            MaybeDone::Done(output) => output.take().expect("the output of a join, once"),
            MaybeDone::Future(_) => panic!("a join that is not done"),
        }
    }

    /// The value of what has succeeded.
    pub fn take_ok<T, E>(self: Pin<&mut Self>) -> T
    where
        F: Future<Output = Result<T, E>>,
    {
        match self.take() {
            Ok(value) => value,
            Err(_) => unreachable!("a try_join that has failed"),
        }
    }

    /// Whether it is done and was not taken, and an error: see `try_join!`.
    pub fn failed<T, E>(self: Pin<&mut Self>) -> Option<E>
    where
        F: Future<Output = Result<T, E>>,
    {
        // SAFETY: an output may move; a future does not.
        match unsafe { self.get_unchecked_mut() } {
            MaybeDone::Done(output) if matches!(output, Some(Err(_))) => match output.take() {
                Some(Err(why)) => Some(why),
                _ => None,
            },
            _ => None,
        }
    }
}
