//! How a Rust future runs as a step task of C.
//!
//! Each step polls the future once. What it then waits for stands in the list of leaves
//! that the poll has left. If that is a single operation and nobody else can wake the
//! task, the task suspends on the operation itself, as asyncio's `await` does: it runs
//! inside the task, in the same iterations, and a cancellation reaches it directly. Else
//! (join, select, a waker given away) each leaf becomes a future with a callback that
//! wakes the task, and the task suspends on a waker of C's.
//!
//! Invariants: a frame is the loop thread's alone; only its waker is shared. No panic
//! leaves `on_step`. A frame's waker is held `OWN_WAKERS` times where nobody else has it.

use crate::error::{self, Error};
use crate::ffi;
use asyncloop_sys as sys;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::pin::Pin;
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::atomic::{fence, AtomicBool, AtomicPtr, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Something of C that a task waits for.
pub(crate) trait Leaf {
    /// What tells it from others.
    fn key(&self) -> *const ();
    /// Whether somebody still wants it.
    fn alive(&self) -> bool;
    /// Whether it has a callback already.
    fn watching(&self) -> bool;
    /// Its future, a reference, for the task to suspend on.
    fn suspend_on(&self) -> *mut sys::aloop_future;
    /// The outcome of that: the value is the leaf's, the detail is borrowed. False if it is
    /// a cancellation that this leaf does not tell of.
    fn deliver(&self, status: i64, value: *mut c_void, detail: *mut sys::aloop_error) -> bool;
    /// Has the waker woken when it is done.
    fn watch(self: Rc<Self>, waker: &Waker);
    /// Cancels it; false if it is done.
    fn cancel(&self) -> bool;
}

/// A Rust future, with a place for its output.
pub(crate) trait Body {
    /// Ready: the status of the task.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<i64>;
    /// It ended without an output: cancelled, or by a panic. The status of the task.
    fn ended(self: Pin<&mut Self>, why: Error) -> i64;
}

pub(crate) type Slot = Rc<RefCell<Option<Pin<Box<dyn Body>>>>>;

/// What wakes a task from anywhere.
pub(crate) struct TaskWaker {
    raw: AtomicPtr<sys::aloop_task_waker>, // made when it is first needed
    woken: AtomicBool,
}

const OWN_WAKERS: usize = 2;

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let raw = self.raw.load(Ordering::SeqCst);
        if !raw.is_null() {
            // SAFETY: it is a reference of ours, and for any thread.
            unsafe { sys::aloop_task_waker_wake(raw) };
        }
    }
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_task_waker_unref(*self.raw.get_mut()) };
    }
}

/// The step that runs: where leaves find their task.
struct Step<'a> {
    frame: &'a Frame,
    leaves: RefCell<Vec<Rc<dyn Leaf>>>,
}

thread_local! {
    static STEP: Cell<*const Step<'static>> = const { Cell::new(std::ptr::null()) };
}

fn with_step<R>(waker: &Waker, run: impl FnOnce(&Step<'_>) -> R) -> Option<R> {
    let step = STEP.with(Cell::get);
    if step.is_null() {
        return None;
    }
    // SAFETY: it lives for as long as it stands there.
    let step = unsafe { &*step };
    step.frame.waker.will_wake(waker).then(|| run(step))
}

/// Leaves a leaf to the task that is being polled; or has it watched, elsewhere.
pub(crate) fn wait_for(leaf: Rc<dyn Leaf>, waker: &Waker) {
    if with_step(waker, |step| step.leaves.borrow_mut().push(leaf.clone())).is_none() {
        leaf.watch(waker);
    }
}

/// Whether a cancellation of the task has reached nothing so far; it is taken here.
pub(crate) fn cancel_due(waker: &Waker) -> bool {
    with_step(waker, |step| step.frame.cancel_waits.take()).unwrap_or(false)
}

enum Waiting {
    Start,
    One(Rc<dyn Leaf>),
    Woken(Vec<Rc<dyn Leaf>>),
}

pub(crate) struct Frame {
    body: Slot,
    shared: Arc<TaskWaker>,
    waker: Waker,
    waiting: RefCell<Waiting>,
    cancel_waits: Cell<bool>,
    aborted: Arc<AtomicBool>,
}

impl Frame {
    /// Sets `options` to run the body; the frame is C's from then on.
    pub(crate) fn install(
        options: *mut sys::aloop_task_options,
        body: Slot,
        aborted: Arc<AtomicBool>,
    ) -> i64 {
        let shared =
            Arc::new(TaskWaker { raw: AtomicPtr::new(null_mut()), woken: AtomicBool::new(false) });
        let frame = Box::into_raw(Box::new(Frame {
            body,
            waker: shared.clone().into(),
            shared,
            waiting: RefCell::new(Waiting::Start),
            cancel_waits: Cell::new(false),
            aborted,
        })) as *mut c_void;
        // SAFETY: the options are the caller's; the box is C's if this succeeds.
        unsafe {
            let status =
                sys::aloop_task_options_set_step(options, Some(on_step), frame, Some(on_free));
            if status < 0 {
                on_free(frame);
            }
            status
        }
    }

    /// One step; the status is what the step function returns.
    fn step(&self, task: *mut sys::aloop_task) -> i64 {
        self.outcome(task);
        loop {
            if self.aborted.load(Ordering::SeqCst) {
                return self.end(Error::from_status(sys::ALOOP_ECANCELED));
            }
            self.shared.woken.store(false, Ordering::SeqCst);
            let step = Step { frame: self, leaves: RefCell::default() };
            match self.poll(&step) {
                Ok(Poll::Ready(status)) => return status,
                Err(panic) => return self.end(Error::from_panic(panic)),
                Ok(Poll::Pending) => {}
            }
            // Nothing of C was polled, which would have taken it, nor a scope around that.
            if self.cancel_waits.take() {
                return self.end(Error::from_status(sys::ALOOP_ECANCELED));
            }
            let status = self.suspend(task, step.leaves.into_inner());
            if status == sys::ALOOP_PENDING {
                return status;
            }
            // What it was to wait for cannot be waited for.
            match self.waiting.replace(Waiting::Start) {
                Waiting::One(leaf) => leaf.deliver(status, null_mut(), null_mut()),
                _ => return self.end(Error::from_status(status)),
            };
        }
    }

    /// Hands over what the task waited for, and a cancellation to what the last poll has left.
    /// One for which there is nothing of C waits for what is polled next: an operation takes
    /// it, or a scope that is around the await, or it ends the task.
    fn outcome(&self, task: *mut sys::aloop_task) {
        match self.waiting.replace(Waiting::Start) {
            Waiting::Start => {}
            // SAFETY: the task is the one that runs, and its detail lives through this step.
            Waiting::One(leaf) => unsafe {
                let mut value = null_mut();
                let status = sys::aloop_awaited(task, &mut value);
                let detail = if status < 0 { sys::aloop_last_error() } else { null_mut() };
                self.cancel_waits.set(!leaf.deliver(status, value, detail));
            },
            Waiting::Woken(leaves) => {
                // SAFETY: the task is the one that runs.
                let status = unsafe { sys::aloop_awaited(task, null_mut()) };
                if status == sys::ALOOP_ECANCELED {
                    let mut reached = false;
                    for leaf in leaves.iter().filter(|leaf| leaf.alive()) {
                        reached |= leaf.cancel();
                    }
                    self.cancel_waits.set(!reached);
                }
            }
        }
    }

    fn poll(&self, step: &Step<'_>) -> Result<Poll<i64>, Box<dyn Any + Send>> {
        let mut body = self.body.borrow_mut();
        let future = match body.as_mut() {
            Some(future) => future.as_mut(),
            None => return Ok(Poll::Ready(sys::ALOOP_ECANCELED)),
        };
        let mut context = Context::from_waker(&self.waker);
        // An eager task runs inside another's step.
        let outer = STEP.with(|at| at.replace((step as *const Step<'_>).cast()));
        let polled = ffi::caught(|| future.poll(&mut context));
        STEP.with(|at| at.set(outer));
        if let Ok(Poll::Ready(_)) = polled {
            let done = body.take();
            drop(body);
            ffi::caught(move || drop(done))?;
        }
        polled
    }

    fn suspend(&self, task: *mut sys::aloop_task, mut leaves: Vec<Rc<dyn Leaf>>) -> i64 {
        leaves.retain(|leaf| leaf.alive());
        dedupe(&mut leaves);
        // In this order: who woke the task and then dropped the waker has left its note first.
        let alone = Arc::strong_count(&self.shared) == OWN_WAKERS;
        fence(Ordering::Acquire); // with the Release of that drop
        let woken = self.shared.woken.load(Ordering::SeqCst);
        if leaves.len() == 1 && alone && !woken {
            let leaf = leaves.swap_remove(0);
            if !leaf.watching() {
                let future = leaf.suspend_on();
                self.waiting.replace(Waiting::One(leaf));
                // SAFETY: the task is the one that runs, and the reference is C's.
                return unsafe { sys::aloop_suspend(task, future) };
            }
            leaves.push(leaf);
        }
        for leaf in &leaves {
            if !leaf.watching() {
                leaf.clone().watch(&self.waker);
            }
        }
        self.waiting.replace(Waiting::Woken(leaves));
        // SAFETY: the task is the one that runs, and the reference is C's.
        unsafe { sys::aloop_suspend(task, self.wake_future(task)) }
    }

    /// What the task waits for to be woken: done at once if it is woken already.
    unsafe fn wake_future(&self, task: *mut sys::aloop_task) -> *mut sys::aloop_future {
        let mut raw = self.shared.raw.load(Ordering::SeqCst);
        if raw.is_null() {
            raw = sys::aloop_task_waker_new(task);
            self.shared.raw.store(raw, Ordering::SeqCst);
        }
        // Whoever woke it before this was there to be seen has left a note; and who woke itself
        // lets the others run, for which a future that is done would not wait.
        if raw.is_null() || self.shared.woken.load(Ordering::SeqCst) {
            return sys::aloop_sleep(0.0);
        }
        sys::aloop_task_waker_future(raw)
    }

    /// The end without an output.
    fn end(&self, why: Error) -> i64 {
        let status = why.code().to_raw();
        let body = self.body.borrow_mut().take();
        match body {
            None => status,
            Some(mut body) => {
                let status = body.as_mut().ended(why);
                ffi::guard(move || drop(body));
                status
            }
        }
    }
}

impl Drop for Frame {
    // Cancelled before its first step, or the loop is closed.
    fn drop(&mut self) {
        self.end(Error::from_status(sys::ALOOP_ECANCELED));
    }
}

// One that was polled again stands there twice.
fn dedupe(leaves: &mut Vec<Rc<dyn Leaf>>) {
    if leaves.len() > 1 {
        let mut seen = std::collections::HashSet::with_capacity(leaves.len());
        leaves.retain(|leaf| seen.insert(leaf.key()));
    }
}

unsafe extern "C" fn on_step(
    task: *mut sys::aloop_task,
    frame: *mut c_void,
    _value: *mut *mut c_void,
) -> i64 {
    let frame = &*(frame as *const Frame);
    // Its own panics are caught in poll; this is for those of leaves and wakers.
    match ffi::caught(|| frame.step(task)) {
        Ok(status) => status,
        Err(panic) => error::raise(&Error::from_panic(panic)),
    }
}

unsafe extern "C" fn on_free(frame: *mut c_void) {
    ffi::guard(|| drop(Box::from_raw(frame as *mut Frame)));
}
