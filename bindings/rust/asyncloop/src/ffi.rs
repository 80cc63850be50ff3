//! Small things between Rust and C: text, bytes, time, and the guard without which no
//! Rust code is called from C.
//!
//! What a function of C asks of its caller, and each SAFETY says: that a handle is NULL or a live
//! object, that memory is what it is said to be, and whose it is afterwards. Everything else (the
//! kind and the state of an object, the thread, numbers) it checks itself, and texts and bytes it
//! copies before it returns.

use crate::{Code, Error, Result};
use asyncloop_sys as sys;
use std::any::Any;
use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Locks, also after a panic in another holder: what these locks guard is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs what drops things of the program; its panic has nowhere to go but the hook.
pub(crate) fn guard(run: impl FnOnce()) {
    let _ = caught(run);
}

pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> std::result::Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(run))
}

/// A text for C; one with a NUL inside, which C would take for its end, is refused.
pub(crate) fn text(text: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(Code::Invalid, "a NUL character inside a text"))
}

/// A text that people read: what has a NUL inside is shown with U+FFFD in its place.
pub(crate) fn shown(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

pub(crate) fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: a constant text of C.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// The text of C, which is borrowed.
pub(crate) unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

/// What a function of the snprintf kind writes; below 0 it is an error.
pub(crate) fn written(write: impl Fn(*mut c_char, usize) -> i64) -> Result<String> {
    let mut buffer = vec![0u8; 128];
    loop {
        let length = write(buffer.as_mut_ptr() as *mut c_char, buffer.len());
        if length < 0 {
            return Err(Error::from_status(length));
        }
        let length = length as usize;
        if length < buffer.len() {
            buffer.truncate(length);
            return Ok(String::from_utf8_lossy(&buffer).into_owned());
        }
        buffer.resize(length + 1, 0);
    }
}

/// A copy of bytes, which stay as they are.
pub(crate) unsafe fn bytes(of: *const sys::aloop_bytes) -> Vec<u8> {
    std::slice::from_raw_parts(sys::aloop_bytes_data(of), sys::aloop_bytes_size(of)).to_vec()
}

/// The bytes of a reference, which it drops; none for null.
pub(crate) fn take_bytes(_status: i64, value: *mut c_void) -> Vec<u8> {
    if value.is_null() {
        return Vec::new();
    }
    let of = value as *mut sys::aloop_bytes;
    // SAFETY: it is a reference, which is given to us.
    unsafe {
        let copy = bytes(of);
        sys::aloop_bytes_unref(of);
        copy
    }
}

pub(crate) fn nothing(_status: i64, _value: *mut c_void) {}

/// Seconds, as C has them: below 0 for no limit.
pub(crate) fn limit(time: Option<Duration>) -> f64 {
    time.map_or(-1.0, |time| time.as_secs_f64())
}

/// A reference to an object of C. Dropping it is for any thread; everything else for the
/// loop's, so that it is neither `Send` nor `Sync`.
pub(crate) struct Object<T>(*mut T);

impl<T> Object<T> {
    /// Takes the reference over.
    pub(crate) fn new(raw: *mut T) -> Object<T> {
        Object(raw)
    }

    /// The same for what a constructor of C gives.
    pub(crate) fn made(make: impl FnOnce(&mut *mut T) -> i64) -> Result<Object<T>> {
        let mut raw = std::ptr::null_mut();
        let status = make(&mut raw);
        if status < 0 {
            return Err(Error::from_status(status));
        }
        Ok(Object(raw))
    }

    pub(crate) fn raw(&self) -> *mut T {
        self.0
    }

    /// The reference, for C to take over.
    pub(crate) fn into_raw(self) -> *mut T {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl<T> Clone for Object<T> {
    fn clone(&self) -> Self {
        // SAFETY: we have a reference.
        unsafe { sys::aloop_ref(self.0 as *mut c_void) };
        Object(self.0)
    }
}

impl<T> Drop for Object<T> {
    fn drop(&mut self) {
        // SAFETY: it is our reference, and goes with us.
        unsafe { sys::aloop_unref(self.0 as *mut c_void) }
    }
}

/// A value that goes to C and comes back, or is freed there by `free_box`.
pub(crate) fn into_item<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)) as *mut c_void
}

pub(crate) unsafe fn from_item<T>(item: *mut c_void) -> T {
    *Box::from_raw(item as *mut T)
}

pub(crate) fn take_item<T>(_status: i64, item: *mut c_void) -> T {
    // SAFETY: it came from `into_item` with this type, and nobody else has it.
    unsafe { from_item(item) }
}

pub(crate) unsafe extern "C" fn free_box<T>(item: *mut c_void) {
    if !item.is_null() {
        guard(|| drop(Box::from_raw(item as *mut T)));
    }
}
