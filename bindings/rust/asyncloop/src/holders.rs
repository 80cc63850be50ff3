//! Whose a lock is: the one guard that has it, and those whose wait for a condition has given it
//! away for a while.
//!
//! C's lock has no owner, and a wait that is dropped takes it again in its own time. A guard is
//! therefore a number, and all guards of a lock stand in one list: one that goes before its wait
//! is back has that release the lock, whoever drops it, and never takes it from another.
//!
//! Invariant: `here` is the guard that has C's lock, none if that is of no guard (free, kept by
//! hand, or on its way to who acquires it); a number stands here, in `away`, or is forgotten.

use crate::op;
use asyncloop_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;

struct Absent {
    who: u64,
    dropped: bool,
    awaited: Vec<*mut sys::aloop_future>, // references: done when it is back
}

impl Drop for Absent {
    fn drop(&mut self) {
        for future in self.awaited.drain(..) {
            // SAFETY: it is a reference of ours, which goes here.
            unsafe {
                sys::aloop_future_set_result(future, 0, null_mut(), None);
                sys::aloop_unref(future as *mut c_void);
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Holders {
    last: Cell<u64>,
    here: Cell<Option<u64>>,
    away: RefCell<Vec<Absent>>,
}

impl Holders {
    /// A guard that has the lock.
    pub(crate) fn enter(&self) -> u64 {
        let who = self.last.get() + 1;
        self.last.set(who);
        self.here.set(Some(who));
        who
    }

    /// The guard is dropped: whether the lock is to be released now.
    pub(crate) fn leave(&self, who: u64) -> bool {
        if self.here.get() == Some(who) {
            self.here.set(None);
            return true;
        }
        if let Some(absent) = self.away.borrow_mut().iter_mut().find(|one| one.who == who) {
            absent.dropped = true;
        }
        false
    }

    /// It keeps the lock for somebody else to release.
    pub(crate) fn forget(&self, who: u64) {
        if self.here.get() == Some(who) {
            self.here.set(None);
        }
        drop(self.take_away(who));
    }

    /// The lock is released by hand.
    pub(crate) fn clear(&self) {
        self.here.set(None);
    }

    /// Gives the lock away for a wait; false if this guard does not have it.
    pub(crate) fn lend(&self, who: u64) -> bool {
        if self.here.get() != Some(who) {
            return false;
        }
        self.here.set(None);
        self.away.borrow_mut().push(Absent { who, dropped: false, awaited: Vec::new() });
        true
    }

    /// The wait has ended: whether the lock is to be released now.
    pub(crate) fn come_back(&self, who: u64) -> bool {
        let absent = match self.take_away(who) {
            None => return false,
            Some(absent) => absent,
        };
        if self.here.get().is_some() {
            return false; // the loop was closed before the wait had the lock again
        }
        if !absent.dropped {
            self.here.set(Some(who));
        }
        absent.dropped
    }

    /// A future that is done when the guard has the lock again; `None` if it is not away.
    pub(crate) fn until_back(&self, who: u64) -> Option<*mut sys::aloop_future> {
        let mut away = self.away.borrow_mut();
        let absent = away.iter_mut().find(|one| one.who == who)?;
        let future = op::pending();
        if !future.is_null() {
            // SAFETY: it is a future, and this another reference.
            absent.awaited.push(unsafe { sys::aloop_ref(future as *mut c_void) }.cast());
        }
        Some(future)
    }

    fn take_away(&self, who: u64) -> Option<Absent> {
        let mut away = self.away.borrow_mut();
        let at = away.iter().position(|one| one.who == who)?;
        Some(away.remove(at))
    }
}
