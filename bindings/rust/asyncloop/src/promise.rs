//! An outcome that somebody sets. `asyncio.Future`.

use crate::error::{self, check, Error, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::runtime::Shared;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::Arc;

/// An outcome that is not there yet, for any number of tasks to wait for. Clones are the
/// same promise. From other threads: [`Handle::post`](crate::Handle::post).
pub struct Promise<T> {
    future: Object<sys::aloop_future>,
    value: Rc<RefCell<Option<T>>>,
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Promise<T> {
        Promise { future: self.future.clone(), value: self.value.clone() }
    }
}

impl<T: 'static> Promise<T> {
    /// One that is pending, of the loop that runs here.
    pub fn new() -> Result<Promise<T>> {
        let shared = Shared::current();
        let shared = shared.ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        // SAFETY: the handle is a reference of ours.
        let future = unsafe { sys::aloop_loop_create_future(shared.raw()) };
        if future.is_null() {
            return Err(Error::from_status(sys::ALOOP_ENOMEM));
        }
        Ok(Promise { future: Object::new(future), value: Rc::default() })
    }

    /// Keeps it. [`Code::InvalidState`](crate::Code) if it is done.
    pub fn set(&self, value: T) -> Result<()> {
        if self.is_done() {
            return Err(Error::from_status(sys::ALOOP_EINVALIDSTATE));
        }
        self.value.replace(Some(value));
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_future_set_result(self.future.raw(), 0, null_mut(), None) })
            .map(drop)
    }

    /// Fails it.
    pub fn fail(&self, why: &Error) -> Result<()> {
        // SAFETY: the handle is a reference of ours, and so is the error, which goes here.
        let status = unsafe {
            let detail = error::to_c(why);
            let status = sys::aloop_future_set_error(self.future.raw(), detail);
            sys::aloop_error_unref(detail);
            status
        };
        check(status).map(drop)
    }

    /// Cancels it: false if it was done.
    pub fn cancel(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_future_cancel(self.future.raw(), null()) > 0 }
    }

    /// Whether it has an outcome.
    pub fn is_done(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_future_done(self.future.raw()) > 0 }
    }

    /// Whether that is a cancellation.
    pub fn is_canceled(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_future_cancelled(self.future.raw()) > 0 }
    }

    /// Waits for the outcome. Who is cancelled, or dropped, while waiting cancels it, as in
    /// asyncio; see [`shield`](crate::shield).
    pub fn wait(&self) -> Op<T>
    where
        T: Clone,
    {
        let value = self.value.clone();
        Op::fallible(self.future.clone().into_raw(), move |_, _| {
            value.borrow().clone().ok_or_else(|| Error::from_status(sys::ALOOP_EVALUETAKEN))
        })
    }

    /// Runs a function when it is done, through the loop.
    pub fn on_done(&self, run: impl FnOnce() + 'static) -> Result<()> {
        let shared = Shared::current();
        let shared = shared.ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        let data = ffi::into_item::<Done>((shared, Some(Box::new(run))));
        let free: sys::aloop_free_fn = Some(ffi::free_box::<Done>);
        // SAFETY: the handle is a reference of ours; the box is C's if this succeeds.
        unsafe {
            let raw = self.future.raw();
            let status = sys::aloop_future_add_done_callback(raw, Some(on_done), data, free);
            if status < 0 {
                ffi::free_box::<Done>(data);
            }
            check(status).map(drop)
        }
    }
}

type Done = (Arc<Shared>, Option<Box<dyn FnOnce()>>);

unsafe extern "C" fn on_done(_future: *mut sys::aloop_future, data: *mut c_void) -> i64 {
    let done = &mut *(data as *mut Done);
    if let Some(run) = done.1.take() {
        done.0.run(run);
    }
    0
}
