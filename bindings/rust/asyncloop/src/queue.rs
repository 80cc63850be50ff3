//! Queues between the tasks of one loop, and inlets for other threads. `asyncio.Queue`.

use crate::error::{check, Error, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::runtime::Shared;
use crate::stash::Stash;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::time::Duration;

/// An item that was not taken, and why.
pub struct Rejected<T> {
    /// The item.
    pub item: T,
    /// Why it came back.
    pub error: Error,
}

impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("error", &self.error).finish()
    }
}

impl<T> From<Rejected<T>> for Error {
    fn from(rejected: Rejected<T>) -> Error {
        rejected.error
    }
}

/// Gives an item to C, which gives it back where it fails.
pub(crate) fn offer<T>(
    item: T,
    to: impl FnOnce(*mut c_void) -> i64,
) -> std::result::Result<i64, Rejected<T>> {
    let raw = ffi::into_item(item);
    let status = to(raw);
    if status < 0 {
        return Err(Rejected {
            // SAFETY: it came from `into_item` with this type, and nobody else has it.
            item: unsafe { ffi::from_item(raw) },
            error: Error::from_status(status),
        });
    }
    Ok(status)
}

/// A queue. Clones are the same queue. Who waits is served in order; a `get` that is dropped
/// or cancelled loses nothing.
pub struct Queue<T> {
    raw: Object<sys::aloop_queue>,
    stash: Stash<T>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { raw: self.raw.clone(), stash: self.stash.clone() }
    }
}

impl<T: Ord + 'static> Queue<T> {
    /// One whose smallest item leaves first. `asyncio.PriorityQueue`.
    pub fn priority(maxsize: usize) -> Result<Queue<T>> {
        Queue::make(maxsize, sys::ALOOP_QUEUE_PRIORITY, Some(compare::<T>))
    }
}

unsafe extern "C" fn compare<T: Ord>(a: *const c_void, b: *const c_void, _: *mut c_void) -> i64 {
    let (a, b) = (&*(a as *const T), &*(b as *const T));
    Shared::run_here(0, || a.cmp(b) as i64)
}

impl<T: 'static> Queue<T> {
    /// First in, first out, for `maxsize` items; 0: any number.
    pub fn new(maxsize: usize) -> Result<Queue<T>> {
        Queue::make(maxsize, sys::ALOOP_QUEUE_FIFO, None)
    }

    /// Last in, first out. `asyncio.LifoQueue`.
    pub fn lifo(maxsize: usize) -> Result<Queue<T>> {
        Queue::make(maxsize, sys::ALOOP_QUEUE_LIFO, None)
    }

    fn make(maxsize: usize, kind: i32, compare: sys::aloop_compare_fn) -> Result<Queue<T>> {
        let maxsize = i64::try_from(maxsize).unwrap_or(i64::MAX);
        // SAFETY: it takes no pointer.
        let options = unsafe { Object::new(sys::aloop_queue_options_new()) };
        let set = options.raw();
        // SAFETY: the options are a reference of ours; all free and compare what is a T.
        unsafe {
            check(sys::aloop_queue_options_set_maxsize(set, maxsize))?;
            check(sys::aloop_queue_options_set_kind(set, kind))?;
            check(sys::aloop_queue_options_set_item_free(set, Some(ffi::free_box::<T>)))?;
            if compare.is_some() {
                check(sys::aloop_queue_options_set_compare(set, compare, null_mut(), None))?;
            }
            let raw = Object::made(|raw| sys::aloop_queue_new(raw, set))?;
            Ok(Queue { raw, stash: Stash::default() })
        }
    }

    /// Waits until there is room. An item whose `put` fails or is dropped is dropped.
    pub fn put(&self, item: T) -> Op<()> {
        // SAFETY: the handle is ours, and the item is C's from here on, also if it gives NULL.
        let op = unsafe { sys::aloop_queue_put(self.raw.raw(), ffi::into_item(item)) };
        Op::new(op, ffi::nothing)
    }

    /// The same at once, or [`Code::QueueFull`](crate::Code).
    pub fn try_put(&self, item: T) -> std::result::Result<(), Rejected<T>> {
        // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
        offer(item, |item| unsafe { sys::aloop_queue_put_nowait(self.raw.raw(), item) }).map(drop)
    }

    /// Waits for an item. [`Code::QueueShutDown`](crate::Code) at the end.
    pub fn get(&self) -> Op<T> {
        let (raw, took, back, left) =
            (self.raw.clone(), self.clone(), self.clone(), self.stash.clone());
        let get = self.stash.receive_or(
            // SAFETY: the handle is a reference of ours.
            move || unsafe { sys::aloop_queue_get(raw.raw()) },
            move |status, item| {
                took.pass_on();
                ffi::take_item(status, item)
            },
            move || back.pass_on(),
        );
        // C does not know of what came back.
        get.or_instead(move |status| match status {
            sys::ALOOP_EQUEUESHUTDOWN => left.pop(),
            _ => None,
        })
    }

    // Items that came for a get that was dropped in this very moment, for those who wait in C;
    // the next get finds the others. Where C's queue is full, somebody has been woken for what
    // is in it: whoever takes that, from here on, passes on too.
    fn pass_on(&self) {
        while self.getters() > 0 {
            let item = match self.stash.pop() {
                None => return,
                Some(item) => item,
            };
            match self.try_put(item) {
                // SAFETY: the handle is a reference of ours.
                Ok(()) => unsafe {
                    sys::aloop_queue_task_done(self.raw.raw()); // it was put once, not twice
                },
                Err(rejected) => return self.stash.put_back(rejected.item),
            }
        }
    }

    /// The same at once, or [`Code::QueueEmpty`](crate::Code).
    pub fn try_get(&self) -> Result<T> {
        if let Some(item) = self.stash.pop() {
            return Ok(item);
        }
        let mut item = null_mut();
        // SAFETY: the handle is ours, and C writes to a place of that type.
        check(unsafe { sys::aloop_queue_get_nowait(self.raw.raw(), &mut item) })?;
        self.pass_on();
        // SAFETY: it came from `into_item` with this type, and nobody else has it.
        Ok(unsafe { ffi::from_item(item) })
    }

    /// Waits until every item that was put is [done with](Queue::task_done).
    pub fn join(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_queue_join(self.raw.raw()) }, ffi::nothing)
    }

    /// One item is done with.
    pub fn task_done(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_queue_task_done(self.raw.raw()) }).map(drop)
    }

    /// How many items are in it.
    pub fn len(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        self.number(unsafe { sys::aloop_queue_qsize(self.raw.raw()) }) + self.stash.len()
    }

    fn number(&self, status: i64) -> usize {
        usize::try_from(status).unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a put would have to wait.
    pub fn is_full(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_queue_full(self.raw.raw()) > 0 }
    }

    /// How many it holds at most; 0: any number.
    pub fn maxsize(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        self.number(unsafe { sys::aloop_queue_maxsize(self.raw.raw()) })
    }

    /// Items put and not done with.
    pub fn unfinished(&self) -> usize {
        self.statistic(sys::ALOOP_QUEUE_STAT_UNFINISHED)
    }

    /// How many wait to get.
    pub fn getters(&self) -> usize {
        self.statistic(sys::ALOOP_QUEUE_STAT_GETTERS)
    }

    /// How many wait to put.
    pub fn putters(&self) -> usize {
        self.statistic(sys::ALOOP_QUEUE_STAT_PUTTERS)
    }

    fn statistic(&self, which: i32) -> usize {
        // SAFETY: the handle is a reference of ours.
        self.number(unsafe { sys::aloop_queue_statistic(self.raw.raw(), which) })
    }

    /// From now on puts fail with [`Code::QueueShutDown`](crate::Code), and gets when it is
    /// empty. `immediate`: it is emptied, and what was in it counts as done with.
    pub fn shut_down(&self, immediate: bool) -> Result<()> {
        if immediate {
            for _ in 0..self.stash.clear().len() {
                self.task_done()?;
            }
        }
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_queue_shutdown(self.raw.raw(), immediate.into()) }).map(drop)
    }

    /// An end for other threads to put into: it holds `capacity` items until the queue, which
    /// is of the loop that runs here, has room.
    pub fn inlet(&self, capacity: usize) -> Result<Inlet<T>>
    where
        T: Send,
    {
        let capacity = i64::try_from(capacity).unwrap_or(i64::MAX);
        let raw =
            // SAFETY: `raw` is a place for the reference, and the handle is ours.
            Object::made(|raw| unsafe { sys::aloop_inlet_new(raw, self.raw.raw(), capacity) })?;
        Ok(Inlet { raw, items: PhantomData })
    }
}

/// An end of a [`Queue`] for other threads. Clones are the same inlet; the last one that
/// goes closes it.
pub struct Inlet<T> {
    raw: Object<sys::aloop_inlet>,
    items: PhantomData<fn(T)>,
}

// SAFETY: every function of C's inlet is for any thread, and the items are `Send`.
unsafe impl<T: Send> Send for Inlet<T> {}
// SAFETY: as `Send`.
unsafe impl<T: Send> Sync for Inlet<T> {}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Inlet<T> {
        Inlet { raw: self.raw.clone(), items: PhantomData }
    }
}

impl<T: Send> Inlet<T> {
    /// Blocks until there is room, `limit` at most: [`Code::TimedOut`]. [`Code::Closed`] once
    /// it or the loop is closed; [`Code::WrongThread`] on the loop's own thread.
    ///
    /// [`Code::TimedOut`]: crate::Code::TimedOut
    /// [`Code::Closed`]: crate::Code::Closed
    /// [`Code::WrongThread`]: crate::Code::WrongThread
    pub fn put(&self, item: T, limit: Option<Duration>) -> std::result::Result<(), Rejected<T>> {
        let limit = ffi::limit(limit);
        // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
        offer(item, |item| unsafe { sys::aloop_inlet_put(self.raw.raw(), item, limit) }).map(drop)
    }

    /// The same at once, or [`Code::QueueFull`](crate::Code).
    pub fn try_put(&self, item: T) -> std::result::Result<(), Rejected<T>> {
        // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
        offer(item, |item| unsafe { sys::aloop_inlet_put_nowait(self.raw.raw(), item) }).map(drop)
    }

    /// Takes no more; what it holds is still put.
    pub fn close(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_inlet_close(self.raw.raw()) };
    }
}
