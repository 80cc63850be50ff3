//! Looking at what a program does: counters, call graphs, traces, and what is left.

use crate::ffi;
use asyncloop_sys as sys;

/// How many live things of each kind the library holds in this process, by name: all
/// zero when every loop and object is gone. For tests and leak hunts.
pub fn stats() -> impl Iterator<Item = (&'static str, i64)> {
    (0..).map_while(|which| {
        let name = unsafe { sys::aloop_debug_stats_name(which) };
        if name.is_null() {
            return None;
        }
        Some((ffi::static_text(name), unsafe { sys::aloop_debug_stats(which) }))
    })
}
