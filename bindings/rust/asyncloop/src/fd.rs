//! Waiting for descriptors of the program's own. `loop.add_reader`, `loop.add_writer`.

use crate::callback::Again;
use crate::error::{check, Error, Result};
use crate::ffi;
use crate::runtime::Shared;
use crate::sync::Event;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::os::unix::io::{AsRawFd, RawFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A file, socket or pipe whose readiness can be awaited, by any number of tasks; it must be
/// nonblocking. Dropping it drops the file. It stays on the thread of its loop:
/// ```compile_fail
/// fn sent<T: Send>(_: T) {}
/// asyncloop::block_on(async {
///     sent(asyncloop::fd::AsyncFd::new(std::io::stdin()).unwrap());
/// });
/// ```
pub struct AsyncFd<F: AsRawFd> {
    file: F,
    shared: Arc<Shared>,
    reading: Side,
    writing: Side,
}

impl<F: AsRawFd> AsyncFd<F> {
    /// On the loop that runs here.
    pub fn new(file: F) -> Result<AsyncFd<F>> {
        let shared =
            Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        let (reading, writing) = (
            Side::new(sys::aloop_loop_add_reader, sys::aloop_loop_remove_reader),
            Side::new(sys::aloop_loop_add_writer, sys::aloop_loop_remove_writer),
        );
        Ok(AsyncFd { file, shared, reading, writing })
    }

    /// The file.
    pub fn get_ref(&self) -> &F {
        &self.file
    }

    /// Waits until it can be read without blocking.
    pub async fn readable(&self) -> Result<()> {
        self.reading.watch(&self.shared, self.file.as_raw_fd())?.ready.wait().await
    }

    /// Waits until it can be written without blocking.
    pub async fn writable(&self) -> Result<()> {
        self.writing.watch(&self.shared, self.file.as_raw_fd())?.ready.wait().await
    }
}

type Add = unsafe extern "C" fn(
    *mut sys::aloop_loop,
    i32,
    sys::aloop_callback_fn,
    *mut c_void,
    sys::aloop_free_fn,
) -> i64;
type Remove = unsafe extern "C" fn(*mut sys::aloop_loop, i32) -> i64;

/// Reading or writing: C has one callback for each of a descriptor, which all who wait share.
struct Side {
    add: Add,
    remove: Remove,
    current: Rc<RefCell<Weak<Watching>>>, // neither Send nor Sync
}

impl Side {
    fn new(add: Add, remove: Remove) -> Side {
        Side { add, remove, current: Rc::default() }
    }

    /// The watching that is under way; one that has told already is replaced.
    fn watch(&self, shared: &Arc<Shared>, fd: RawFd) -> Result<Rc<Watching>> {
        let current = self.current.borrow().upgrade();
        if let Some(current) = current.filter(|current| !current.ready.is_set()) {
            return Ok(current);
        }
        let ready = Event::new()?;
        let told = ready.clone();
        let told = Again::new(shared, move || told.set());
        check(told.give(|run, data, free| {
            // SAFETY: the loop is a reference of ours; `give` knows whose the box is.
            unsafe { (self.add)(shared.raw(), fd, run, data, free) }
        }))?;
        let watching = Rc::new(Watching {
            shared: shared.clone(),
            fd,
            ready,
            remove: self.remove,
            of: self.current.clone(),
        });
        self.current.replace(Rc::downgrade(&watching));
        Ok(watching)
    }
}

struct Watching {
    shared: Arc<Shared>,
    fd: RawFd,
    ready: Event,
    remove: Remove,
    of: Rc<RefCell<Weak<Watching>>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // The callback of one that was replaced is gone.
        if std::ptr::eq(self.of.borrow().as_ptr(), self) {
            ffi::guard(|| {
                // SAFETY: the handle is a reference of ours.
                unsafe { (self.remove)(self.shared.raw(), self.fd) };
            });
        }
    }
}
