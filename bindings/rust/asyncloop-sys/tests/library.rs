//! The crate finds the library, and the two agree.

use asyncloop_sys::*;
use std::ffi::{c_void, CStr};
use std::mem::size_of;
use std::ptr::null_mut;

fn text(of: *const std::os::raw::c_char) -> String {
    unsafe { CStr::from_ptr(of) }.to_str().unwrap().to_string()
}

#[test]
fn names_its_codes() {
    unsafe {
        assert_eq!(text(aloop_errname(ALOOP_EQUEUEFULL)), "ALOOP_EQUEUEFULL");
        assert_eq!(aloop_version() / 1_000_000, 0);
    }
}

#[test]
fn structs_are_as_large_as_in_c() {
    assert_eq!(size_of::<aloop_buf>(), 2 * size_of::<*mut c_void>());
    assert_eq!(size_of::<aloop_completion>(), 16 + 3 * size_of::<*mut c_void>());
}

#[test]
fn a_loop_completes_a_sleep() {
    unsafe {
        let mut event_loop = null_mut();
        assert_eq!(aloop_loop_new(&mut event_loop, std::ptr::null()), 0);
        unsafe extern "C" fn start(data: *mut c_void) -> i64 {
            aloop_loop_start(data as *mut aloop_loop, aloop_sleep(0.0), 7)
        }
        assert!(aloop_loop_call_soon(event_loop, Some(start), event_loop as *mut _, None) > 0);
        let mut record = std::mem::zeroed::<aloop_completion>();
        assert_eq!(aloop_loop_poll(event_loop, &mut record, 1, -1.0), 1);
        assert_eq!((record.token, record.status), (7, 0));
        aloop_loop_close(event_loop);
        aloop_loop_unref(event_loop);
    }
}
