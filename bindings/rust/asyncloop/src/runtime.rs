//! Loops: making one, running a future on it, and reaching it from other threads.
//!
//! `Shared` is what all have in common that belong to a loop. Other threads post closures
//! to it; any number of posts cost one crossing into C. A panic in a callback cannot
//! unwind through C: it is kept, the loop stops, and `block_on` resumes it.

use crate::error::{self, check, Error, Result};
use crate::ffi;
use crate::step::{Body, Frame, Slot};
use crate::task::{self, JoinHandle};
use asyncloop_sys as sys;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

type Posted = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Inbox {
    posted: Vec<Posted>,
    woken: bool,
    closed: bool,
}

pub(crate) struct Shared {
    raw: *mut sys::aloop_loop, // a reference
    thread: ThreadId,
    inbox: Mutex<Inbox>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: the pointer is only used on its thread, but for what C allows on all threads.
unsafe impl Send for Shared {}
// SAFETY: as `Send`.
unsafe impl Sync for Shared {}

// Without a destructor, so that a loop in a thread_local! may end with its thread.
thread_local! {
    static CURRENT: Cell<*const Shared> = const { Cell::new(null()) };
}

impl Shared {
    pub(crate) fn current() -> Option<Arc<Shared>> {
        let current = CURRENT.with(Cell::get);
        if current.is_null() {
            return None;
        }
        // SAFETY: it came from `Arc::as_ptr`, of the one that `Entered` has.
        unsafe {
            Arc::increment_strong_count(current);
            Some(Arc::from_raw(current))
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::aloop_loop {
        self.raw
    }

    pub(crate) fn is_here(&self) -> bool {
        self.thread == thread::current().id()
    }

    /// Runs it on the loop's thread, soon; false, and it is dropped, once the loop is closed.
    pub(crate) fn post(self: &Arc<Self>, run: Posted) -> bool {
        let mut inbox = ffi::lock(&self.inbox);
        if inbox.closed {
            return false;
        }
        inbox.posted.push(run);
        if !inbox.woken {
            inbox.woken = true;
            let data = Arc::into_raw(self.clone()) as *mut c_void;
            let free: sys::aloop_free_fn = Some(free_shared);
            // SAFETY: the loop is a reference of ours; the count in `data` is C's if this succeeds.
            unsafe {
                if sys::aloop_loop_call_soon_threadsafe(self.raw, Some(on_posted), data, free) < 0 {
                    inbox.woken = false; // the next post tries again
                    free_shared(data);
                }
            }
        }
        true
    }

    fn drain(&self) {
        let posted = {
            let mut inbox = ffi::lock(&self.inbox);
            inbox.woken = false;
            std::mem::take(&mut inbox.posted)
        };
        for run in posted {
            self.run(run);
        }
    }

    /// Runs a callback of the program.
    pub(crate) fn run(&self, run: impl FnOnce()) {
        if let Err(panic) = ffi::caught(run) {
            self.panicked(panic);
        }
    }

    /// The same for one that gives something, on whichever loop runs here.
    pub(crate) fn run_here<R>(default: R, run: impl FnOnce() -> R) -> R {
        match (ffi::caught(run), Shared::current()) {
            (Ok(result), _) => result,
            (Err(panic), Some(shared)) => {
                shared.panicked(panic);
                default
            }
            (Err(_), None) => default,
        }
    }

    fn panicked(&self, panic: Box<dyn Any + Send>) {
        ffi::lock(&self.panic).get_or_insert(panic);
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_loop_stop(self.raw) };
    }

    fn close(&self) {
        let left = {
            let mut inbox = ffi::lock(&self.inbox);
            inbox.closed = true;
            std::mem::take(&mut inbox.posted)
        };
        ffi::guard(|| drop(left));
    }

    /// Tells the exception handler; on the loop's thread.
    pub(crate) fn report(&self, message: &str, error: &Error) {
        let text = ffi::shown(message);
        // SAFETY: C copies the text.
        unsafe {
            let detail = error::to_c(error);
            sys::aloop_loop_call_exception_handler(self.raw, text.as_ptr(), detail);
            sys::aloop_error_unref(detail);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_loop_unref(self.raw) };
    }
}

unsafe extern "C" fn on_posted(data: *mut c_void) -> i64 {
    (*(data as *const Shared)).drain();
    0
}

unsafe extern "C" fn free_shared(data: *mut c_void) {
    ffi::guard(|| drop(Arc::from_raw(data as *const Shared)));
}

/// Makes a loop the current one of its thread.
struct Entered {
    _shared: Arc<Shared>,
    outer: *const Shared,
}

impl Entered {
    fn new(shared: &Arc<Shared>) -> Entered {
        let outer = CURRENT.with(|current| current.replace(Arc::as_ptr(shared)));
        Entered { _shared: shared.clone(), outer }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.outer));
    }
}

/// Runs a future to its end on a loop of its own; then cancels and awaits the tasks that are
/// left. `asyncio.run`.
///
/// # Panics
/// Inside a running loop; and with what the future, or a callback of the loop, panics with.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = Runtime::new().expect("a loop for block_on");
    runtime.block_on(future)
}

/// What a [`Runtime`] is made of.
#[derive(Default)]
pub struct Builder {
    debug: Option<bool>,
    virtual_clock: bool,
    seed: u64,
    simulator: Option<(u64, Duration)>,
    simulated_loss: f64,
    busy_poll: Duration,
    eager: bool,
}

impl Builder {
    /// The defaults.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Debug mode: reports slow callbacks, operations never awaited, and the like. Default:
    /// what `ASYNCLOOP_DEBUG` says.
    pub fn debug(mut self, debug: bool) -> Builder {
        self.debug = Some(debug);
        self
    }

    /// A clock that starts at 0 and jumps to the next timer when nothing else is to be done.
    pub fn virtual_clock(mut self) -> Builder {
        self.virtual_clock = true;
        self
    }

    /// A test mode: the callbacks of an iteration run in an order shuffled from this seed.
    pub fn shuffle(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// A test mode: TCP in a simulated world on the virtual clock, drawn from this seed.
    pub fn simulator(mut self, seed: u64, most_delay: Duration) -> Builder {
        self.simulator = Some((seed, most_delay));
        self
    }

    /// The share of its datagrams, 0 to 1, that the simulated world loses.
    pub fn simulated_loss(mut self, share: f64) -> Builder {
        self.simulated_loss = share;
        self
    }

    /// For how long, a second at most, an idle loop looks for work before it sleeps: what comes
    /// meanwhile is served earlier, for the processor's time.
    pub fn busy_poll(mut self, most: Duration) -> Builder {
        self.busy_poll = most;
        self
    }

    /// Tasks run at once, inside `spawn`, up to where they first wait.
    pub fn eager_tasks(mut self) -> Builder {
        self.eager = true;
        self
    }

    /// The loop.
    pub fn build(self) -> Result<Runtime> {
        // SAFETY: it takes no pointer.
        let options = unsafe { ffi::Object::new(sys::aloop_loop_options_new()) };
        let set = options.raw();
        // SAFETY: the options are a reference of ours, and `raw` is a place for another.
        unsafe {
            if let Some(debug) = self.debug {
                check(sys::aloop_loop_options_set_debug(set, debug.into()))?;
            }
            if self.virtual_clock {
                check(sys::aloop_loop_options_set_clock(set, sys::ALOOP_CLOCK_VIRTUAL))?;
            }
            if let Some((seed, delay)) = self.simulator {
                let delay = delay.as_secs_f64();
                check(sys::aloop_loop_options_set_simulator(set, seed, delay))?;
            }
            check(sys::aloop_loop_options_set_simulated_loss(set, self.simulated_loss))?;
            let seconds = self.busy_poll.as_secs_f64();
            check(sys::aloop_loop_options_set_busy_poll(set, seconds))?;
            check(sys::aloop_loop_options_set_seed(set, self.seed))?;
            check(sys::aloop_loop_options_set_eager_tasks(set, self.eager.into()))?;
            let mut raw = null_mut();
            check(sys::aloop_loop_new(&mut raw, set))?;
            Ok(Runtime {
                shared: Arc::new(Shared {
                    raw,
                    thread: thread::current().id(),
                    inbox: Mutex::default(),
                    panic: Mutex::new(None),
                }),
                bound: PhantomData,
            })
        }
    }
}

/// A loop, on the thread that made it. Dropping it cancels the tasks that are left, awaits
/// them, and closes it.
pub struct Runtime {
    shared: Arc<Shared>,
    bound: PhantomData<*mut ()>,
}

impl Runtime {
    /// One with the defaults.
    pub fn new() -> Result<Runtime> {
        Builder::new().build()
    }

    /// To make one otherwise.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// What other threads reach it with.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// As [`crate::spawn`]; the task runs when the loop does.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        task::Builder::new().spawn_on(&self.shared, future)
    }

    /// Runs a future to its end, and the loop's tasks beside it.
    ///
    /// # Panics
    /// Inside a running loop, and if the main task is cancelled or the loop stopped; and with
    /// what the future, or a callback of the loop, panics with.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _entered = Entered::new(&self.shared);
        let mut output: Option<Result<F::Output>> = None;
        let body: Pin<Box<dyn Body + '_>> =
            Box::pin(MainBody { future, output: &mut output as *mut _ });
        // C may keep the frame, but not the body: `emptied` takes that out before this returns.
        // SAFETY: only the lifetime changes: C may keep the frame, but not the body, see `Emptied`.
        let body: Pin<Box<dyn Body>> = unsafe { std::mem::transmute(body) };
        let slot: Slot = Rc::new(RefCell::new(Some(body)));
        let emptied = Emptied(slot.clone());
        // SAFETY: the slot's body lives until `emptied` is dropped.
        let status = unsafe { self.run_main(slot) };
        drop(emptied);
        let panic = ffi::lock(&self.shared.panic).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        match output {
            Some(Ok(output)) => output,
            Some(Err(why)) if why.is_panic() => {
                resume_unwind(why.into_panic().unwrap_or_else(|| Box::new("panic")))
            }
            Some(Err(why)) => panic!("block_on: {why}"),
            None => panic!("block_on: {}", Error::from_status(status)),
        }
    }

    unsafe fn run_main(&self, slot: Slot) -> i64 {
        let options = ffi::Object::new(sys::aloop_task_options_new());
        let status = Frame::install(options.raw(), slot, Arc::new(AtomicBool::new(false)));
        if status < 0 {
            return status;
        }
        let task = sys::aloop_task_new(self.shared.raw, options.raw());
        sys::aloop_loop_run_until_complete(self.shared.raw, task, null_mut())
    }

    /// Does what dropping it does, and tells how that went.
    pub fn close(self) -> Result<()> {
        self.shut_down()
    }

    fn shut_down(&self) -> Result<()> {
        let raw = self.shared.raw;
        // SAFETY: the handle is a reference of ours.
        if unsafe { sys::aloop_loop_is_closed(raw) } != 0 {
            return Ok(());
        }
        let _entered = Entered::new(&self.shared);
        // SAFETY: the loop is a reference of ours; what lists give is borrowed, and kept by one.
        unsafe {
            let all = sys::aloop_all_tasks(raw);
            let tasks: Vec<_> = (0..sys::aloop_results_count(all))
                .map(|i| sys::aloop_results_future(all, i))
                .map(|task| ffi::Object::new(sys::aloop_ref(task as *mut c_void)))
                .collect();
            sys::aloop_results_unref(all);
            for task in &tasks {
                sys::aloop_task_cancel(task.raw() as *mut sys::aloop_task, null());
            }
            for task in &tasks {
                self.finish(sys::aloop_ref(task.raw()) as *mut sys::aloop_task);
            }
            self.finish(sys::aloop_loop_shutdown_asyncgens(raw));
            self.finish(sys::aloop_loop_shutdown_default_executor(raw, -1.0));
            self.shared.drain();
            self.shared.close();
            check(sys::aloop_loop_close(raw)).map(drop)
        }
    }

    // Runs the loop until it is done; a failure is reported.
    unsafe fn finish(&self, future: *mut sys::aloop_future) {
        if future.is_null() {
            return;
        }
        let raw = self.shared.raw;
        let kept = ffi::Object::new(future);
        while sys::aloop_future_done(future) == 0 {
            sys::aloop_ref(future as *mut c_void);
            let status = sys::aloop_loop_run_until_complete(raw, future, null_mut());
            let stopped = status == sys::ALOOP_ELOOPSTOPPED;
            if !stopped && sys::aloop_future_done(future) == 0 {
                return;
            }
        }
        let detail = sys::aloop_future_error(kept.raw());
        if !detail.is_null() && sys::aloop_future_cancelled(future) == 0 {
            let what = ffi::shown("unhandled error while the loop was shut down");
            sys::aloop_loop_call_exception_handler(raw, what.as_ptr(), detail);
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.shut_down();
    }
}

struct Emptied(Slot);

impl Drop for Emptied {
    fn drop(&mut self) {
        let body = self.0.borrow_mut().take();
        drop(body);
    }
}

struct MainBody<F: Future> {
    future: F,
    output: *mut Option<Result<F::Output>>, // block_on's, which outlives this
}

impl<F: Future> Body for MainBody<F> {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<i64> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: it is pinned with `self`.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        future.poll(context).map(|output| {
            // SAFETY: `block_on` keeps the place until the body is gone.
            unsafe { *this.output = Some(Ok(output)) };
            0
        })
    }

    fn ended(self: Pin<&mut Self>, why: Error) -> i64 {
        // SAFETY: `block_on` keeps the place until the body is gone.
        unsafe { *self.output = Some(Err(why)) };
        0 // block_on tells
    }
}

/// Reaches a loop from any thread.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// That of the loop that runs in this thread.
    ///
    /// # Panics
    /// Where none runs.
    pub fn current() -> Handle {
        Handle::try_current().expect("no loop runs in this thread")
    }

    /// The same, or `None`.
    pub fn try_current() -> Option<Handle> {
        Shared::current().map(|shared| Handle { shared })
    }

    /// Runs a future as a task of the loop, from any thread. Awaiting what this returns works
    /// on any executor; [`JoinHandle::wait`] blocks for it.
    ///
    /// What is spawned from another thread must be `Send`:
    /// ```compile_fail
    /// let handle = asyncloop::Runtime::new().unwrap().handle();
    /// let local = std::rc::Rc::new(5);
    /// handle.spawn(async move { *local });
    /// ```
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_with(move || future)
    }

    /// The same for a future that is made on the loop's thread, and stays there: operations
    /// and objects of the loop are not `Send`, so that what holds them is not either.
    /// `asyncio.run_coroutine_threadsafe`.
    ///
    /// ```
    /// use std::time::Duration;
    /// # asyncloop::block_on(async {
    /// let handle = asyncloop::Handle::current();
    /// let thread = std::thread::spawn(move || {
    ///     let mut task = handle.spawn_with(|| asyncloop::sleep(Duration::ZERO));
    ///     // ... task.wait(None) would block until it is done
    ///     task
    /// });
    /// thread.join().unwrap().await.unwrap().unwrap();
    /// # });
    /// ```
    pub fn spawn_with<M, F>(&self, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        task::Builder::new().send_to(&self.shared, make)
    }

    /// Runs a function on the loop's thread, soon and in the order of the calls; false if
    /// the loop is closed. `loop.call_soon_threadsafe`.
    pub fn post(&self, run: impl FnOnce() + Send + 'static) -> bool {
        self.shared.post(Box::new(run))
    }

    /// Whether the loop is closed.
    pub fn is_closed(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_loop_is_closed(self.shared.raw) != 0 }
    }
}

/// The loop's clock, in seconds; 0 where no loop runs.
pub(crate) fn now() -> f64 {
    match Shared::current() {
        // SAFETY: the handle is a reference of ours.
        Some(shared) => unsafe { sys::aloop_loop_time(shared.raw) },
        None => 0.0,
    }
}
