//! Blocks: what holds for everything that is awaited inside of them. Timeouts as asyncio has
//! them, and cancel scopes as Trio has them.
//!
//! A block belongs to the task that awaits it, and blocks nest: leave them in the reverse
//! order. In the branches of a `join!` or `select!` spawn a task instead.

use crate::__private::poll_fn;
use crate::error::{check, Error, Result};
use crate::ffi::Object;
use crate::step;
use crate::time::Instant;
use asyncloop_sys as sys;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

/// Runs what is inside of a block. A cancellation that reaches nothing of the library's ends
/// the block, and drops what is inside.
pub(crate) async fn run<T>(inside: impl Future<Output = Result<T>>) -> Result<T> {
    let mut inside = Box::pin(inside);
    poll_fn(|context| match inside.as_mut().poll(context) {
        Poll::Pending if step::cancel_due(context.waker()) => {
            Poll::Ready(Err(Error::from_status(sys::ALOOP_ECANCELED)))
        }
        polled => polled,
    })
    .await
}

pub(crate) fn status_of<T>(result: &Result<T>) -> i64 {
    match result {
        Ok(_) => 0,
        Err(why) => why.code().to_raw(),
    }
}

/// Runs `inside` for `limit` at most: then what it awaits is cancelled, and the cancellation
/// becomes [`Code::TimedOut`](crate::Code) when it has left. `asyncio.timeout`.
pub async fn timeout<T>(limit: Duration, inside: impl Future<Output = Result<T>>) -> Result<T> {
    let mut block = Deadline::enter(limit)?;
    let result = run(inside).await;
    let before = status_of(&result);
    let after = block.leave(before);
    if after == before {
        return result;
    }
    match result {
        Ok(value) if after >= 0 => Ok(value),
        _ => Err(Error::from_status(after)),
    }
}

struct Deadline {
    raw: Object<sys::aloop_timeout>,
    left: bool,
}

impl Deadline {
    fn enter(limit: Duration) -> Result<Deadline> {
        let seconds = limit.as_secs_f64();
        // SAFETY: `raw` is a place for the reference.
        let raw = Object::made(|raw| unsafe { sys::aloop_timeout_enter(raw, seconds) })?;
        Ok(Deadline { raw, left: false })
    }

    fn leave(&mut self, status: i64) -> i64 {
        self.left = true;
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_timeout_exit(self.raw.raw(), status) }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if !self.left {
            self.leave(sys::ALOOP_ECANCELED);
        }
        // Where another task drops it, it is not left; but it ends, too.
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_timeout_reschedule(self.raw.raw(), f64::INFINITY) };
    }
}

/// A cancel scope to be: cancellation that stays. Every await inside that has to wait fails
/// with [`Code::Canceled`](crate::Code) until the scope is left.
#[derive(Default)]
pub struct Builder {
    limit: Option<Duration>,
    shield: bool,
}

impl Builder {
    /// It cancels itself after this time.
    pub fn deadline(mut self, limit: Duration) -> Builder {
        self.limit = Some(limit);
        self
    }

    /// Outer scopes do not reach into it: for cleaning up that has to await.
    pub fn shield(mut self) -> Builder {
        self.shield = true;
        self
    }

    /// Runs what `inside` makes of the scope: `None` if the scope was cancelled, and that is
    /// why it ended.
    pub async fn run<T, F>(self, inside: impl FnOnce(Scope) -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let delay = self.limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
        let shield = self.shield.into();
        // SAFETY: `raw` is a place for the reference.
        let raw = Object::made(|raw| unsafe { sys::aloop_cancel_scope_enter(raw, delay, shield) })?;
        let mut entered = Entered { scope: Scope(raw), left: false };
        let result = run(inside(entered.scope.clone())).await;
        let before = status_of(&result);
        let after = entered.leave(before);
        match result {
            Ok(value) if after >= 0 => Ok(Some(value)),
            Err(why) if after == before => Err(why),
            _ if after >= 0 => Ok(None),
            _ => Err(Error::from_status(after)),
        }
    }
}

struct Entered {
    scope: Scope,
    left: bool,
}

impl Entered {
    fn leave(&mut self, status: i64) -> i64 {
        self.left = true;
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_cancel_scope_exit(self.scope.0.raw(), status) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.left {
            self.leave(sys::ALOOP_ECANCELED);
        }
        // Where another task drops it, or not in its turn, it is not left; but it ends, too:
        // with the last reference, of which the deadline has one.
        let _ = self.scope.set_deadline(None);
    }
}

/// Makes a cancel scope.
///
/// ```
/// use asyncloop::{scope, sleep};
/// use std::time::Duration;
/// # asyncloop::block_on(async {
/// let slept = scope::new()
///     .deadline(Duration::from_millis(1))
///     .run(|_scope| sleep(Duration::from_secs(1000)))
///     .await;
/// assert_eq!(slept.unwrap(), None);
/// # });
/// ```
pub fn new() -> Builder {
    Builder::default()
}

/// A cancel scope, for those inside of it and others. Clones are the same scope.
#[derive(Clone)]
pub struct Scope(Object<sys::aloop_cancel_scope>);

impl Scope {
    /// Cancels it: false if it was already, or has been left.
    pub fn cancel(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_cancel_scope_cancel(self.0.raw()) > 0 }
    }

    /// Whether it was cancelled, by a call or its deadline.
    pub fn cancel_called(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_cancel_scope_cancel_called(self.0.raw()) > 0 }
    }

    /// When it cancels itself; `None`: never.
    pub fn set_deadline(&self, when: Option<Instant>) -> Result<()> {
        let when = when.map_or(f64::INFINITY, Instant::seconds);
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_cancel_scope_set_deadline(self.0.raw(), when) }).map(drop)
    }

    /// Whether outer scopes reach into it.
    pub fn set_shield(&self, shield: bool) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_cancel_scope_set_shield(self.0.raw(), shield.into()) }).map(drop)
    }
}

/// Whether an await that has to wait would fail here and now.
pub fn is_cancelled() -> bool {
    // SAFETY: it takes no pointer.
    unsafe { sys::aloop_in_cancelled_scope() > 0 }
}
