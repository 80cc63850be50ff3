//! The outcome of a task, shared by the task, its handle and those who wait for it.
//!
//! It lies there in Rust; C knows whether the task failed, so that its combinators do what
//! asyncio's do. A core holds a reference to its task, and the task's frame holds the core,
//! until the frame goes with the task's end.

use crate::error::{self, Error, Result};
use crate::ffi;
use crate::runtime::Shared;
use crate::step::{Body, Leaf};
use asyncloop_sys as sys;
use std::ffi::{c_void, CStr};
use std::future::Future;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

pub(crate) struct Core<T> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) aborted: Arc<AtomicBool>,
    pub(crate) state: Mutex<State<T>>,
    pub(crate) ended: Condvar,
}

pub(crate) struct State<T> {
    pub(crate) task: *mut sys::aloop_task, // a reference; null until it is made
    pub(crate) outcome: Option<Result<T>>,
    pub(crate) done: bool,
    pub(crate) cancelled: bool,
    pub(crate) cancel_asked: bool, // before it was made
    pub(crate) holders: usize,     // of the outcome: its JoinHandle, and combinators
    pub(crate) claimed: bool,      // somebody has looked at it, or will
    pub(crate) waker: Option<Waker>,
}

// SAFETY: the task is only touched on its thread, but for what C allows on all threads.
unsafe impl<T: Send> Send for Core<T> {}
// SAFETY: as `Send`; all that changes is behind the mutex.
unsafe impl<T: Send> Sync for Core<T> {}

impl<T> Core<T> {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Core<T>> {
        Arc::new(Core {
            shared: shared.clone(),
            aborted: Arc::default(),
            state: Mutex::new(State {
                task: null_mut(),
                outcome: None,
                done: false,
                cancelled: false,
                cancel_asked: false,
                holders: 1,
                claimed: false,
                waker: None,
            }),
            ended: Condvar::new(),
        })
    }

    /// The first outcome counts.
    pub(crate) fn finish(&self, outcome: Result<T>) {
        let mut state = ffi::lock(&self.state);
        if state.done {
            return;
        }
        state.done = true;
        state.cancelled = matches!(&outcome, Err(why) if why.is_canceled());
        let waker = state.waker.take();
        let unwanted = if state.holders > 0 {
            state.outcome = Some(outcome);
            None
        } else {
            Some(outcome)
        };
        drop(state);
        self.ended.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        ffi::guard(|| drop(unwanted));
    }

    pub(crate) fn task(&self) -> *mut sys::aloop_task {
        ffi::lock(&self.state).task
    }

    /// Asks the task to end; false if it has. Any thread.
    pub(crate) fn cancel(&self, message: Option<&CStr>) -> bool {
        let message = message.map_or(null(), CStr::as_ptr);
        let task = {
            let mut state = ffi::lock(&self.state);
            if state.done {
                return false;
            }
            state.cancel_asked |= state.task.is_null();
            state.task
        };
        // SAFETY: we have a reference to the task, and C copies the text.
        unsafe {
            if task.is_null() {
                true
            } else if self.shared.is_here() {
                sys::aloop_task_cancel(task, message) > 0
            } else {
                sys::aloop_future_cancel_threadsafe(task, message) >= 0
            }
        }
    }

    /// One holder less: with the last one goes the outcome. What nobody has looked at.
    pub(crate) fn release(&self) -> Option<Result<T>> {
        let mut state = ffi::lock(&self.state);
        state.holders -= 1;
        if state.holders > 0 {
            return None;
        }
        let left = state.outcome.take();
        let claimed = state.claimed;
        drop(state);
        left.filter(|_| !claimed)
    }
}

/// A task of whatever output, for who began it.
pub(crate) trait Member {
    /// Cancels it, or has its future dropped.
    fn end(&self, by_dropping: bool);
}

impl<T> Member for Core<T> {
    fn end(&self, by_dropping: bool) {
        if by_dropping {
            self.aborted.store(true, Ordering::SeqCst);
        }
        self.cancel(None);
    }
}

impl<T> Drop for Core<T> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        // SAFETY: NULL, or our reference, which goes with us.
        unsafe { sys::aloop_unref(state.task as *mut c_void) };
    }
}

pub(crate) struct TaskBody<F: Future, T> {
    pub(crate) future: F,
    pub(crate) core: Arc<Core<T>>,
    pub(crate) outcome: fn(F::Output) -> Result<T>,
}

impl<F: Future, T> TaskBody<F, T> {
    fn finish(core: &Core<T>, outcome: Result<T>) -> i64 {
        let status = match &outcome {
            Ok(_) => 0,
            Err(why) => {
                keep_quiet(core, why);
                error::raise(why)
            }
        };
        core.finish(outcome);
        status
    }
}

impl<F: Future, T> Body for TaskBody<F, T> {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<i64> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: it is pinned with `self`.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        future.poll(context).map(|output| Self::finish(&this.core, (this.outcome)(output)))
    }

    fn ended(self: Pin<&mut Self>, why: Error) -> i64 {
        Self::finish(&self.core, Err(why))
    }
}

// C reports a failure that nobody has claimed by the next iteration; while there is a
// handle somebody may do so later, and if not its drop reports it.
fn keep_quiet<T>(core: &Core<T>, why: &Error) {
    let (task, handled) = {
        let state = ffi::lock(&core.state);
        (state.task, state.holders > 0)
    };
    if handled && !why.is_canceled() && !task.is_null() {
        let looked: sys::aloop_done_fn = Some(look_at);
        // SAFETY: the core has a reference to the task; there is no data.
        unsafe { sys::aloop_future_add_done_callback(task, looked, null_mut(), None) };
    }
}

unsafe extern "C" fn look_at(future: *mut sys::aloop_future, _data: *mut c_void) -> i64 {
    sys::aloop_future_error(future);
    0
}

/// A claim to the outcome of a task.
pub(crate) struct Claim<T>(pub(crate) Arc<Core<T>>);

impl<T> Claim<T> {
    /// The outcome of a task that is done.
    pub(crate) fn take(&self) -> Result<T> {
        ffi::lock(&self.0.state).outcome.take().unwrap_or_else(taken)
    }
}

impl<T: Clone> Claim<T> {
    /// The same, and others may look at it too.
    pub(crate) fn look(&self) -> Result<T> {
        ffi::lock(&self.0.state).outcome.clone().unwrap_or_else(taken)
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

pub(crate) fn taken<T>() -> Result<T> {
    Err(Error::from_status(sys::ALOOP_EVALUETAKEN))
}

/// A task that another one awaits.
pub(crate) struct JoinLeaf<T> {
    pub(crate) core: Arc<Core<T>>,
}

impl<T> Leaf for JoinLeaf<T> {
    fn key(&self) -> *const () {
        Arc::as_ptr(&self.core) as *const ()
    }

    fn alive(&self) -> bool {
        let state = ffi::lock(&self.core.state);
        state.holders > 0 && !state.done
    }

    fn watching(&self) -> bool {
        ffi::lock(&self.core.state).waker.is_some()
    }

    fn suspend_on(&self) -> *mut sys::aloop_future {
        // SAFETY: the core has a reference to it.
        unsafe { sys::aloop_ref(self.core.task() as *mut c_void) as *mut sys::aloop_future }
    }

    fn deliver(&self, status: i64, _value: *mut c_void, _detail: *mut sys::aloop_error) -> bool {
        let state = ffi::lock(&self.core.state);
        status != sys::ALOOP_ECANCELED || state.cancelled
    }

    fn watch(self: Rc<Self>, waker: &Waker) {
        let mut state = ffi::lock(&self.core.state);
        if !state.done {
            state.waker = Some(waker.clone());
            return;
        }
        drop(state);
        waker.wake_by_ref();
    }

    fn cancel(&self) -> bool {
        // SAFETY: the core has a reference to it.
        unsafe { sys::aloop_task_cancel(self.core.task(), null()) > 0 }
    }
}
