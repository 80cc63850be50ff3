//! Conditions: a lock, and a change to wait for with it. `asyncio.Condition`.
//!
//! A wait takes the lock from the guard that has it, and brings it back to that, however it ends
//! and wherever it is dropped ([`Lent`]). Which guard that is, the guard itself says, or else the
//! lock's list (`holders.rs`).

use crate::error::{check, Result};
use crate::ffi::Object;
use crate::holders::{self, Holder};
use crate::op::Op;
use crate::sync::{count, Lock, LockGuard};
use asyncloop_sys as sys;
use std::cell::Cell;
use std::rc::Rc;

/// A lock, and a change to wait for with it. `asyncio.Condition`.
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
    pub fn acquire(&self) -> Op<ConditionGuard> {
        let (condition, task) = (self.clone(), holders::running_task());
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_condition_acquire(self.raw.raw()) };
        Op::new(op, move |_, _| {
            let guard = condition.lock.clone().guard(task);
            ConditionGuard { condition, guard }
        })
    }

    /// Gives the lock back.
    pub fn release(&self) -> Result<()> {
        self.lock.holders().clear();
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_condition_release(self.raw.raw()) }).map(drop)
    }

    /// Whether the lock is held.
    pub fn is_locked(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_condition_locked(self.raw.raw()) > 0 }
    }

    /// Releases the lock, waits to be notified, and holds the lock again however it ends. It
    /// may end without a notification. [`Code::NotOwner`](crate::Code) without the lock.
    ///
    /// Dropped, it still takes the lock again, in its own time; the guard, dropped before that,
    /// releases it then, and who waits again with the guard before that waits for that alone.
    /// [`wait_for`](crate::wait_for) awaits that, and so does
    /// [`scope::timeout`](crate::scope::timeout).
    ///
    /// It is a wait of the guard that the running task has. Where branches of one task have
    /// several, or a future with its guard moves to another task, [`ConditionGuard::wait`] says
    /// whose it is.
    pub fn wait(&self) -> Op<()> {
        self.wait_of(None)
    }

    /// Waits until `holds` gives true, which is asked with the lock held.
    pub async fn wait_for(&self, holds: impl FnMut() -> bool) -> Result<()> {
        let who = self.lock.holders().asking();
        self.wait_for_of(who, holds).await
    }

    fn wait_of(&self, who: Option<Holder>) -> Op<()> {
        let (condition, lent) = (self.clone(), Rc::new(Lent::of(&self.lock)));
        let lending = lent.clone();
        let make = move || {
            let who = who.or_else(|| condition.lock.holders().asking());
            if let Some(back) = who.and_then(|who| condition.lock.holders().until_back(who)) {
                return back;
            }
            lending.begin(who);
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_condition_wait(condition.raw.raw()) }
        };
        Op::lazy(make, |_, _| ()).keeping(Some(lent))
    }

    async fn wait_for_of(
        &self,
        who: Option<Holder>,
        mut holds: impl FnMut() -> bool,
    ) -> Result<()> {
        // A wait that was dropped may not have the lock again yet.
        if let Some(back) = who.and_then(|who| self.lock.holders().until_back(who)) {
            Op::new(back, |_, _| ()).await?;
        }
        while !holds() {
            self.wait_of(who).await?;
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
    who: Cell<Option<Holder>>,
}

impl Lent {
    fn of(lock: &Lock) -> Lent {
        Lent { lock: lock.clone(), who: Cell::new(None) }
    }

    fn begin(&self, who: Option<Holder>) {
        self.who.set(who.filter(|who| self.lock.holders().lend(*who)));
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.who.take().map_or(false, |who| self.lock.holders().come_back(who)) {
            let _ = self.lock.release();
        }
    }
}

/// Holds the lock of a [`Condition`].
#[must_use = "the lock is released when this is dropped"]
pub struct ConditionGuard {
    condition: Condition,
    guard: LockGuard,
}

impl ConditionGuard {
    /// Waits with this guard: [`Condition::wait`], for where several are about.
    pub fn wait(&self) -> Op<()> {
        self.condition.wait_of(Some(self.guard.who()))
    }

    /// The same until `holds` gives true: [`Condition::wait_for`].
    pub async fn wait_for(&self, holds: impl FnMut() -> bool) -> Result<()> {
        self.condition.wait_for_of(Some(self.guard.who()), holds).await
    }

    /// Keeps the lock: [`Condition::release`] is called elsewhere.
    pub fn forget(self) {
        self.guard.forget();
    }
}
