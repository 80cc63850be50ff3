//! Conditions: a lock, and a change to wait for with it. `asyncio.Condition`.
//!
//! A wait takes the lock from a guard, and brings it back to that, however it ends and wherever
//! it is dropped ([`Lent`]; `holders.rs`).

use crate::error::{check, Code, Result};
use crate::ffi::{self, Object};
use crate::op::{self, Op};
use crate::sync::{count, Lock, LockGuard};
use asyncloop_sys as sys;
use std::cell::Cell;
use std::rc::Rc;

/// A lock, and a change to wait for with it, as [`std::sync::Condvar`] has it.
/// `asyncio.Condition`.
///
/// ```
/// use asyncloop::{spawn, sync::Condition};
/// use std::{cell::Cell, rc::Rc};
/// # asyncloop::block_on(async {
/// let (condition, ready) = (Condition::new().unwrap(), Rc::new(Cell::new(false)));
/// let (same, seen) = (condition.clone(), ready.clone());
/// let waiting = spawn(async move {
///     let guard = same.acquire().await.unwrap();
///     same.wait_for(&guard, || seen.get()).await.unwrap();
/// });
/// let guard = condition.acquire().await.unwrap();
/// ready.set(true);
/// condition.notify_all().unwrap();
/// drop(guard);
/// waiting.await.unwrap();
/// # });
/// ```
#[derive(Clone)]
pub struct Condition {
    raw: Object<sys::aloop_condition>,
    lock: Lock,
}

impl Condition {
    /// One with a lock of its own.
    pub fn new() -> Result<Condition> {
        Condition::with_lock(&Lock::new()?)
    }

    /// One that uses this lock.
    pub fn with_lock(lock: &Lock) -> Result<Condition> {
        // SAFETY: `raw` is a place for the reference, and the handle is ours.
        Object::made(|raw| unsafe { sys::aloop_condition_new(raw, lock.raw()) })
            .map(|raw| Condition { raw, lock: lock.clone() })
    }

    /// Waits for the lock; it is released with the guard.
    pub fn acquire(&self) -> Op<LockGuard> {
        let lock = self.lock.clone();
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_condition_acquire(self.raw.raw()) }, |_, _| lock.guard())
    }

    /// Gives the lock back.
    pub fn release(&self) -> Result<()> {
        self.lock.release()
    }

    /// Whether the lock is held.
    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// Releases the lock that the guard has, waits to be notified, and then the guard has it
    /// again, however this ends. It may end without a notification.
    /// [`Code::NotOwner`](crate::Code) where the guard has not the lock of this condition.
    ///
    /// Dropped, it still takes the lock again, in its own time; the guard, dropped before that,
    /// releases it then, and who waits again with the guard before that waits for that alone.
    /// [`wait_for`](crate::wait_for) awaits that, and so does
    /// [`scope::timeout`](crate::scope::timeout).
    pub fn wait(&self, guard: &LockGuard) -> Op<()> {
        let (who, lock) = match guard.of(&self.lock) {
            None => return Op::failed(Code::NotOwner.into()),
            Some(who) => (who, self.lock.clone()),
        };
        let (condition, lent) = (self.clone(), Rc::new(Lent { lock, who: Cell::new(None) }));
        let lending = lent.clone();
        let make = move || {
            let holders = condition.lock.holders();
            if let Some(back) = holders.until_back(who) {
                return back;
            }
            if !holders.lend(who) {
                return op::failing(Code::NotOwner);
            }
            lending.who.set(Some(who));
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_condition_wait(condition.raw.raw()) }
        };
        Op::lazy(make, ffi::nothing).keeping(Some(lent))
    }

    /// Waits until `holds` gives true, which is asked with the lock held.
    pub async fn wait_for(&self, guard: &LockGuard, mut holds: impl FnMut() -> bool) -> Result<()> {
        // A wait that was dropped may not have the lock again yet.
        let back = guard.of(&self.lock).and_then(|who| self.lock.holders().until_back(who));
        if let Some(back) = back {
            Op::new(back, ffi::nothing).await?;
        }
        while !holds() {
            self.wait(guard).await?;
        }
        Ok(())
    }

    /// Wakes `n` waiters at most: how many it woke.
    pub fn notify(&self, n: usize) -> Result<usize> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_condition_notify(self.raw.raw(), n) }).map(count)
    }

    /// Wakes all: how many it woke.
    pub fn notify_all(&self) -> Result<usize> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_condition_notify_all(self.raw.raw()) }).map(count)
    }

    /// How many wait to be notified.
    pub fn waiting(&self) -> usize {
        let which = sys::ALOOP_CONDITION_STAT_WAITING;
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_condition_statistic(self.raw.raw(), which) })
    }
}

/// The lock on its way through a wait. It goes when C is done with the wait and has the lock
/// again, or when the wait never began.
struct Lent {
    lock: Lock,
    who: Cell<Option<u64>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.who.take().map_or(false, |who| self.lock.holders().come_back(who)) {
            let _ = self.lock.release();
        }
    }
}
