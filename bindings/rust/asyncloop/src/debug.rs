//! Looking at what a program does: counters, call graphs, reports, traces, and what is left.

use crate::error::{self, check, Error, Result};
use crate::ffi;
use crate::runtime::Shared;
use crate::task::JoinHandle;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::os::unix::io::AsRawFd;
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How many live things of each kind the library holds in this process, by name: all
/// zero when every loop and object is gone. For tests and leak hunts.
pub fn stats() -> impl Iterator<Item = (&'static str, i64)> {
    (0..).map_while(|which| {
        // SAFETY: it takes no pointer.
        let name = unsafe { sys::aloop_debug_stats_name(which) };
        if name.is_null() {
            return None;
        }
        // SAFETY: it takes no pointer.
        Some((ffi::static_text(name), unsafe { sys::aloop_debug_stats(which) }))
    })
}

/// The library's version: `"0.1.0"`.
pub fn version() -> &'static str {
    // SAFETY: it takes no pointer.
    ffi::static_text(unsafe { sys::aloop_version_string() })
}

fn here() -> Result<Arc<Shared>> {
    Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))
}

/// Switches the running loop's debug mode: it reports slow callbacks, calls from wrong
/// threads, operations that were never awaited, and swallowed cancellations.
pub fn set_debug(debug: bool) -> Result<()> {
    // SAFETY: the loop runs, and so is open.
    check(unsafe { sys::aloop_loop_set_debug(here()?.raw(), debug.into()) }).map(drop)
}

/// In debug mode a callback or step that takes this long is reported.
pub fn set_slow_callback(limit: Duration) -> Result<()> {
    let seconds = limit.as_secs_f64();
    // SAFETY: the loop runs, and so is open.
    check(unsafe { sys::aloop_loop_set_slow_callback_duration(here()?.raw(), seconds) }).map(drop)
}

/// The running loop's counters, by name.
pub fn metrics() -> Result<Vec<(&'static str, i64)>> {
    let shared = here()?;
    let names = (0..).map_while(|which| {
        // SAFETY: it takes no pointer.
        let name = unsafe { sys::aloop_loop_metrics_name(which) };
        (!name.is_null()).then(|| (which, ffi::static_text(name)))
    });
    Ok(names
        // SAFETY: the handle is a reference of ours.
        .map(|(which, name)| (name, unsafe { sys::aloop_loop_metrics(shared.raw(), which) }))
        .collect())
}

/// Writes the counters and every unfinished task to a file: how many tasks.
pub fn dump(to: &impl AsRawFd) -> Result<usize> {
    // SAFETY: the loop runs, and so is open.
    check(unsafe { sys::aloop_loop_dump(here()?.raw(), to.as_raw_fd()) }).map(|n| n as usize)
}

/// Who awaits a task, and what it awaits, as text. On the loop's thread.
pub fn call_graph<T: 'static>(task: &JoinHandle<T>) -> Result<String> {
    let raw = task.raw();
    if raw.is_null() {
        return Err(Error::from_status(sys::ALOOP_EWRONGTHREAD));
    }
    // SAFETY: the handle is ours, and C writes `size` bytes at most.
    ffi::written(|buffer, size| unsafe {
        sys::aloop_format_call_graph(raw, sys::ALOOP_NO_LIMIT, buffer, size)
    })
}

/// Once a callback or step has blocked the running loop for `limit`, its stack is written to
/// the file, which must stay open; `None`: no more. Handles SIGURG.
pub fn set_watchdog(limit: Option<Duration>, to: &impl AsRawFd) -> Result<()> {
    let seconds = limit.map_or(0.0, |limit| limit.as_secs_f64());
    // SAFETY: the loop runs, and so is open.
    check(unsafe { sys::aloop_loop_set_watchdog(here()?.raw(), seconds, to.as_raw_fd()) }).map(drop)
}

/// Something that nobody handles: a task that failed and was not awaited, for instance.
#[derive(Clone, Debug)]
pub struct Unhandled {
    /// What happened.
    pub message: String,
    /// The error, if there is one.
    pub error: Option<Error>,
    /// The name of the task concerned, or `""`.
    pub task: String,
}

type Handling = Box<dyn FnMut(&Unhandled)>;

// C drops it when it is replaced, which it may do itself: who calls it keeps it.
#[derive(Clone)]
struct Handler {
    shared: Arc<Shared>,
    run: Rc<RefCell<Handling>>,
}

/// Calls `handler` instead of writing reports to standard error. On the running loop.
pub fn set_exception_handler(handler: impl FnMut(&Unhandled) + 'static) -> Result<()> {
    let shared = here()?;
    let raw = shared.raw();
    let run: Rc<RefCell<Handling>> = Rc::new(RefCell::new(Box::new(handler)));
    let data = ffi::into_item(Handler { shared, run });
    let free: sys::aloop_free_fn = Some(ffi::free_box::<Handler>);
    let status =
        // SAFETY: the loop runs; the box is C's if this succeeds.
        unsafe { sys::aloop_loop_set_exception_handler(raw, Some(on_unhandled), data, free) };
    if status < 0 {
        // SAFETY: it came from `into_item` with this type, and nobody else has it.
        drop(unsafe { ffi::from_item::<Handler>(data) });
    }
    check(status).map(drop)
}

/// Reports are written to standard error again.
pub fn reset_exception_handler() -> Result<()> {
    let raw = here()?.raw();
    // SAFETY: the loop runs.
    check(unsafe { sys::aloop_loop_set_exception_handler(raw, None, null_mut(), None) }).map(drop)
}

/// Reports on the program's own account.
pub fn report(message: &str, error: &Error) -> Result<()> {
    here()?.report(message, error);
    Ok(())
}

unsafe extern "C" fn on_unhandled(
    _loop: *mut sys::aloop_loop,
    context: *mut sys::aloop_exception_context,
    data: *mut c_void,
) {
    let handler = (*(data as *const Handler)).clone();
    handler.shared.run(|| {
        let code = sys::aloop_exception_context_code(context);
        let task = sys::aloop_exception_context_task(context);
        let name = |buffer, size| sys::aloop_task_get_name(task, buffer, size);
        let unhandled = Unhandled {
            message: ffi::owned_text(sys::aloop_exception_context_message(context)),
            error: (code < 0)
                .then(|| error::from_c(code, sys::aloop_exception_context_error(context))),
            task: if task.is_null() {
                String::new()
            } else {
                ffi::written(name).unwrap_or_default()
            },
        };
        // A report from inside the handler goes nowhere.
        if let Ok(mut run) = handler.run.try_borrow_mut() {
            run(&unhandled);
        }
    });
}

/// What the running loop does, as a trace hook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// A callback or a step of a task begins, at this time in nanoseconds.
    Begin(i64),
    /// It ends, after so long.
    End(i64, Duration),
    /// The loop was idle for so long.
    Slept(i64, Duration),
    /// A task was made.
    TaskCreated(i64),
    /// A task has ended.
    TaskDone(i64),
}

type Hook = Box<dyn FnMut(TraceEvent)>;

// As a `Handler`.
#[derive(Clone)]
struct Trace {
    shared: Arc<Shared>,
    run: Rc<RefCell<Hook>>,
}

/// Has `hook` told of each thing that the running loop does.
pub fn set_trace_hook(hook: impl FnMut(TraceEvent) + 'static) -> Result<()> {
    let shared = here()?;
    let raw = shared.raw();
    let run: Rc<RefCell<Hook>> = Rc::new(RefCell::new(Box::new(hook)));
    let data = ffi::into_item(Trace { shared, run });
    let free: sys::aloop_free_fn = Some(ffi::free_box::<Trace>);
    // SAFETY: the loop runs; the box is C's if this succeeds.
    let status = unsafe { sys::aloop_loop_set_trace_hook(raw, Some(on_trace), data, free) };
    if status < 0 {
        // SAFETY: it came from `into_item` with this type, and nobody else has it.
        drop(unsafe { ffi::from_item::<Trace>(data) });
    }
    check(status).map(drop)
}

/// No hook any more.
pub fn reset_trace_hook() -> Result<()> {
    let raw = here()?.raw();
    // SAFETY: the loop runs.
    check(unsafe { sys::aloop_loop_set_trace_hook(raw, None, null_mut(), None) }).map(drop)
}

unsafe extern "C" fn on_trace(
    _loop: *mut sys::aloop_loop,
    event: *const sys::aloop_trace_event,
    data: *mut c_void,
) {
    let trace = (*(data as *const Trace)).clone();
    trace.shared.run(|| {
        let at = sys::aloop_trace_event_time(event);
        let nanoseconds = u64::try_from(sys::aloop_trace_event_duration(event)).unwrap_or(0);
        let time = Duration::from_nanos(nanoseconds);
        let event = match sys::aloop_trace_event_kind(event) {
            sys::ALOOP_TRACE_BEGIN => TraceEvent::Begin(at),
            sys::ALOOP_TRACE_END => TraceEvent::End(at, time),
            sys::ALOOP_TRACE_SLEPT => TraceEvent::Slept(at, time),
            sys::ALOOP_TRACE_TASK_CREATED => TraceEvent::TaskCreated(at),
            _ => TraceEvent::TaskDone(at),
        };
        if let Ok(mut run) = trace.run.try_borrow_mut() {
            run(event);
        }
    });
}
