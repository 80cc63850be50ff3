//! Waiting for descriptors of the program's own. `loop.add_reader`, `loop.add_writer`.

use crate::callback::Again;
use crate::error::{check, Error, Result};
use crate::ffi;
use crate::runtime::Shared;
use crate::sync::Event;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::os::unix::io::{AsRawFd, RawFd};
use std::sync::Arc;

/// A file, socket or pipe whose readiness can be awaited; it must be nonblocking. Dropping it
/// ends the watching, and drops the file.
pub struct AsyncFd<F: AsRawFd> {
    file: F,
    shared: Arc<Shared>,
}

impl<F: AsRawFd> AsyncFd<F> {
    /// On the loop that runs here.
    pub fn new(file: F) -> Result<AsyncFd<F>> {
        let shared =
            Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        Ok(AsyncFd { file, shared })
    }

    /// The file.
    pub fn get_ref(&self) -> &F {
        &self.file
    }

    /// Waits until it can be read without blocking.
    pub async fn readable(&self) -> Result<()> {
        Watching::new(self, sys::aloop_loop_add_reader, sys::aloop_loop_remove_reader)?.wait().await
    }

    /// Waits until it can be written without blocking.
    pub async fn writable(&self) -> Result<()> {
        Watching::new(self, sys::aloop_loop_add_writer, sys::aloop_loop_remove_writer)?.wait().await
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

struct Watching {
    shared: Arc<Shared>,
    fd: RawFd,
    ready: Event,
    remove: Remove,
}

impl Watching {
    fn new<F: AsRawFd>(of: &AsyncFd<F>, add: Add, remove: Remove) -> Result<Watching> {
        let (shared, fd, ready) = (of.shared.clone(), of.file.as_raw_fd(), Event::new()?);
        let told = ready.clone();
        let told = Again::new(&shared, move || told.set());
        check(told.give(|run, data, free| unsafe { add(shared.raw(), fd, run, data, free) }))?;
        Ok(Watching { shared, fd, ready, remove })
    }

    async fn wait(self) -> Result<()> {
        self.ready.wait().await
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        ffi::guard(|| {
            unsafe { (self.remove)(self.shared.raw(), self.fd) };
        });
    }
}
