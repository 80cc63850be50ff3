//! Functions of the program as C calls them: once, or again and again. What they panic
//! with ends the loop, and `block_on` resumes it.

use crate::ffi;
use crate::runtime::Shared;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Arc;

/// One that is called once.
pub(crate) struct Once<F> {
    shared: Arc<Shared>,
    run: Option<F>,
}

impl<F: FnOnce() + 'static> Once<F> {
    pub(crate) fn new(shared: &Arc<Shared>, run: F) -> Once<F> {
        Once { shared: shared.clone(), run: Some(run) }
    }

    /// Registers it; where that fails it is dropped here.
    pub(crate) fn give(
        self,
        register: impl FnOnce(sys::aloop_callback_fn, *mut c_void, sys::aloop_free_fn) -> i64,
    ) -> i64 {
        let data = Box::into_raw(Box::new(self)) as *mut c_void;
        let status = register(Some(call_once::<F>), data, Some(ffi::free_box::<Once<F>>));
        if status < 0 {
            // SAFETY: C has not taken the box.
            unsafe { ffi::free_box::<Once<F>>(data) };
        }
        status
    }
}

unsafe extern "C" fn call_once<F: FnOnce() + 'static>(data: *mut c_void) -> i64 {
    let once = &mut *(data as *mut Once<F>);
    if let Some(run) = once.run.take() {
        once.shared.run(run);
    }
    0
}

/// One that is called any number of times.
pub(crate) struct Again<F> {
    shared: Arc<Shared>,
    run: RefCell<F>,
}

impl<F: FnMut() + 'static> Again<F> {
    pub(crate) fn new(shared: &Arc<Shared>, run: F) -> Again<F> {
        Again { shared: shared.clone(), run: RefCell::new(run) }
    }

    /// Registers it; where that fails it is dropped here.
    pub(crate) fn give(
        self,
        register: impl FnOnce(sys::aloop_callback_fn, *mut c_void, sys::aloop_free_fn) -> i64,
    ) -> i64 {
        let data = Box::into_raw(Box::new(self)) as *mut c_void;
        let status = register(Some(call_again::<F>), data, Some(ffi::free_box::<Again<F>>));
        if status < 0 {
            // SAFETY: C has not taken the box.
            unsafe { ffi::free_box::<Again<F>>(data) };
        }
        status
    }
}

unsafe extern "C" fn call_again<F: FnMut() + 'static>(data: *mut c_void) -> i64 {
    let again = &*(data as *const Again<F>);
    again.shared.run(|| (again.run.borrow_mut())());
    0
}
