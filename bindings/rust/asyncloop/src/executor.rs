//! Blocking functions beside the loop: in threads, or in worker processes.

use crate::error::{self, check, Error, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::runtime::Shared;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::null_mut;
use std::time::Duration;

struct Job<F>(Option<F>);

unsafe extern "C" fn run_job<F, R>(arg: *mut c_void, _value: *mut *mut c_void) -> i64
where
    F: FnOnce() -> Result<R>,
{
    let job = (*(arg as *mut Job<F>)).0.take();
    let job = match job {
        None => return sys::ALOOP_EINVALIDSTATE,
        Some(job) => job,
    };
    match ffi::caught(job) {
        Ok(Ok(result)) => {
            sys::aloop_job_return(0, ffi::into_item(result), Some(ffi::free_box::<R>))
        }
        Ok(Err(why)) => error::raise(&why),
        Err(panic) => error::raise(&Error::from_panic(panic)),
    }
}

fn start<F, R>(
    job: F,
    to: impl FnOnce(sys::aloop_job_fn, *mut c_void, sys::aloop_free_fn) -> *mut sys::aloop_future,
) -> Op<R>
where
    F: FnOnce() -> Result<R> + Send + 'static,
    R: Send + 'static,
{
    let arg = ffi::into_item(Job(Some(job)));
    let op = to(Some(run_job::<F, R>), arg, Some(ffi::free_box::<Job<F>>));
    Op::new(op, ffi::take_item)
}

/// Runs a function in a thread, when this is awaited: its result, or its panic as an error.
/// `asyncio.to_thread`. Where it is cancelled the function goes on, unseen; see
/// [`is_cancelled`].
///
/// What goes to a thread and comes back must be `Send`:
/// ```compile_fail
/// asyncloop::to_thread(|| std::rc::Rc::new(1));
/// ```
pub fn to_thread<R: Send + 'static>(job: impl FnOnce() -> R + Send + 'static) -> Op<R> {
    try_to_thread(move || Ok(job()))
}

/// The same for a function that can fail.
pub fn try_to_thread<F, R>(job: F) -> Op<R>
where
    F: FnOnce() -> Result<R> + Send + 'static,
    R: Send + 'static,
{
    // SAFETY: the box is C's, also where this fails, and of the type of `run` and `free`.
    start(job, |run, arg, free| unsafe { sys::aloop_to_thread(run, arg, free) })
}

/// The same, but it starts at once. Dropped, it goes on.
pub fn spawn_blocking<R: Send + 'static>(job: impl FnOnce() -> R + Send + 'static) -> Op<R> {
    let shared = match Shared::current() {
        None => return Op::failed(Error::from_status(sys::ALOOP_ENORUNNINGLOOP)),
        Some(shared) => shared,
    };
    start(
        move || Ok(job()),
        // SAFETY: the loop runs; the box is C's, also where this fails.
        |run, arg, free| unsafe {
            sys::aloop_run_in_executor(shared.raw(), null_mut(), run, arg, free)
        },
    )
}

/// In a job: whether it should end soon, because nobody waits for it any more.
pub fn is_cancelled() -> bool {
    // SAFETY: it takes no pointer.
    unsafe { sys::aloop_job_cancelled() > 0 }
}

/// A pool of threads. Any thread may have it; jobs are given to it where a loop runs.
#[derive(Clone)]
pub struct ThreadPool(Object<sys::aloop_executor>);

// SAFETY: C's executor is for any thread.
unsafe impl Send for ThreadPool {}
// SAFETY: the same.
unsafe impl Sync for ThreadPool {}

impl ThreadPool {
    /// At most `threads`; 0: as many as the machine has cores, and four.
    pub fn new(threads: usize) -> Result<ThreadPool> {
        // SAFETY: it takes no pointer.
        made(unsafe { sys::aloop_executor_new_threads(threads as i64) }).map(ThreadPool)
    }

    /// Names the threads `name_0`, `name_1` and so on.
    pub fn set_name(&self, name: &str) -> Result<()> {
        let name = ffi::text(name)?;
        // SAFETY: the handle is ours, and C copies the text.
        check(unsafe { sys::aloop_executor_set_name(self.0.raw(), name.as_ptr()) }).map(drop)
    }

    /// How many jobs may wait; more fail with [`Code::QueueFull`](crate::Code).
    pub fn set_max_queue(&self, jobs: usize) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_executor_set_max_queue(self.0.raw(), jobs as i64) }).map(drop)
    }

    /// Runs a function there, at once. `loop.run_in_executor`.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Op<R> {
        let shared = match Shared::current() {
            None => return Op::failed(Error::from_status(sys::ALOOP_ENORUNNINGLOOP)),
            Some(shared) => shared,
        };
        start(
            move || Ok(job()),
            // SAFETY: the loop runs; the box is C's, also where this fails.
            |run, arg, free| unsafe {
                sys::aloop_run_in_executor(shared.raw(), self.0.raw(), run, arg, free)
            },
        )
    }

    /// Takes no more jobs and waits for those it has, `limit` at most:
    /// [`Code::TimedOut`](crate::Code) names those that still run.
    pub fn shut_down(&self, limit: Option<Duration>) -> Op<()> {
        shut_down(&self.0, limit)
    }

    /// Has this thread's loop use it for [`to_thread`] from now on.
    pub fn make_default(&self) -> Result<()> {
        let shared =
            Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_loop_set_default_executor(shared.raw(), self.0.raw()) }).map(drop)
    }
}

fn made(raw: *mut sys::aloop_executor) -> Result<Object<sys::aloop_executor>> {
    if raw.is_null() {
        return Err(Error::from_status(sys::ALOOP_ENOMEM));
    }
    Ok(Object::new(raw))
}

fn shut_down(executor: &Object<sys::aloop_executor>, limit: Option<Duration>) -> Op<()> {
    // SAFETY: the handles are ours, and C copies the bytes.
    let op = unsafe { sys::aloop_executor_shutdown(executor.raw(), ffi::limit(limit)) };
    Op::new(op, ffi::nothing)
}

/// A pool of worker processes. They are forked when it is made: make it early, before the
/// program starts threads.
pub struct ProcessPool(Object<sys::aloop_executor>);

/// What a worker process runs: bytes in, bytes out.
pub type Work = fn(&[u8]) -> Result<Vec<u8>>;

impl ProcessPool {
    /// Of so many; 0: one a core.
    pub fn new(workers: usize) -> Result<ProcessPool> {
        // SAFETY: it takes no pointer.
        made(unsafe { sys::aloop_executor_new_processes(workers as i64) }).map(ProcessPool)
    }

    /// Runs `work` there on a copy of `input`. If the worker dies its job alone fails, with
    /// [`Code::BrokenPool`](crate::Code). An error, and a panic, come back as their texts.
    pub fn run(&self, work: Work, input: &[u8]) -> Op<Vec<u8>> {
        let shared = match Shared::current() {
            None => return Op::failed(Error::from_status(sys::ALOOP_ENORUNNINGLOOP)),
            Some(shared) => shared,
        };
        // The workers are copies of this process, so that the function is where it is here.
        let mut data = (work as usize).to_ne_bytes().to_vec();
        data.extend_from_slice(input);
        let at = data.as_ptr() as *const c_void;
        // SAFETY: the handles are ours, and C copies the bytes.
        let op = unsafe {
            sys::aloop_run_in_process(shared.raw(), self.0.raw(), Some(run_work), at, data.len())
        };
        Op::new(op, ffi::take_bytes)
    }

    /// As [`ThreadPool::shut_down`]; when the time is up the workers are killed.
    pub fn shut_down(&self, limit: Option<Duration>) -> Op<()> {
        shut_down(&self.0, limit)
    }
}

unsafe extern "C" fn run_work(
    data: *const c_void,
    len: usize,
    result: *mut *mut sys::aloop_bytes,
) -> i64 {
    let data = std::slice::from_raw_parts(data as *const u8, len);
    let (work, input) = data.split_at(size_of::<usize>());
    let mut address = [0; size_of::<usize>()];
    address.copy_from_slice(work);
    let work: Work = std::mem::transmute(usize::from_ne_bytes(address));
    let why = match ffi::caught(|| work(input)) {
        Ok(Ok(output)) => {
            *result = sys::aloop_bytes_new(output.as_ptr() as *const c_void, output.len());
            return if (*result).is_null() { sys::ALOOP_ENOMEM } else { output.len() as i64 };
        }
        Ok(Err(why)) => why,
        Err(panic) => Error::from_panic(panic),
    };
    let text = ffi::shown(why.message());
    sys::aloop_raise_message(why.code().to_raw(), text.as_ptr())
}
