//! Tasks: futures that run beside others.

use crate::__private::poll_fn;
use crate::error::{Error, Result};
use crate::ffi;
use crate::op::Op;
use crate::outcome::{taken, Claim, Core, JoinLeaf, Member, TaskBody};
use crate::runtime::Shared;
use crate::step::{self, Body, Frame};
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Runs a future as a task beside the others of the loop that runs in this thread. It need
/// not be `Send`. `asyncio.create_task`.
///
/// # Panics
/// Where no loop runs.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Builder::new().spawn(future)
}

/// The same for a future that can fail: an `Err` is the failure of the task. Awaiting it
/// gives that, [`gather`](crate::gather) and [`wait`](crate::wait) count it as one, and if
/// nobody looks at it the loop's exception handler is told.
///
/// # Panics
/// Where no loop runs.
pub fn try_spawn<F, T, E>(future: F) -> JoinHandle<T>
where
    F: Future<Output = std::result::Result<T, E>> + 'static,
    T: 'static,
    E: Into<Error> + 'static,
{
    Builder::new().try_spawn(future)
}

/// How a task is made.
#[derive(Default)]
pub struct Builder {
    name: Option<String>,
    eager: Option<bool>,
}

impl Builder {
    /// The defaults.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Its name, in reports and debuggers, instead of `Task-N`.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Whether it runs at once, inside this call, up to where it first waits.
    pub fn eager(mut self, eager: bool) -> Builder {
        self.eager = Some(eager);
        self
    }

    /// As [`spawn`].
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let shared = Shared::current().expect("spawn: no loop runs in this thread");
        self.spawn_on(&shared, future)
    }

    /// As [`try_spawn`].
    pub fn try_spawn<F, T, E>(self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = std::result::Result<T, E>> + 'static,
        T: 'static,
        E: Into<Error> + 'static,
    {
        let shared = Shared::current().expect("try_spawn: no loop runs in this thread");
        let core = Core::new(&shared);
        self.start(&core, future, |output| output.map_err(E::into), null_mut());
        JoinHandle { core }
    }

    pub(crate) fn spawn_on<F>(self, shared: &Arc<Shared>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let core = Core::new(shared);
        self.start(&core, future, Ok, null_mut());
        JoinHandle { core }
    }

    pub(crate) fn spawn_in<F, T>(
        self,
        shared: &Arc<Shared>,
        group: *mut sys::aloop_task_group,
        future: F,
    ) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        let core = Core::new(shared);
        ffi::lock(&core.state).claimed = true; // by the group
        self.start(&core, future, |output| output, group);
        JoinHandle { core }
    }

    /// One that was refused, before it was made.
    pub(crate) fn refused<T>(shared: &Arc<Shared>, status: i64) -> JoinHandle<T> {
        let core = Core::new(shared);
        ffi::lock(&core.state).claimed = true; // by nobody: this is no news
        core.finish(Err(Error::from_status(status)));
        JoinHandle { core }
    }

    pub(crate) fn send_to<M, F>(self, shared: &Arc<Shared>, make: M) -> JoinHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let core = Core::new(shared);
        let there = Arrival(core.clone());
        // Where the loop is closed the arrival tells.
        shared.post(Box::new(move || {
            if !there.0.aborted.load(Ordering::SeqCst) {
                self.start(&there.0, make(), Ok, null_mut());
            }
        }));
        JoinHandle { core }
    }

    // Makes the task of C. What cannot be made is a task that has failed.
    fn start<F, T>(
        self,
        core: &Arc<Core<T>>,
        future: F,
        outcome: fn(F::Output) -> Result<T>,
        group: *mut sys::aloop_task_group,
    ) where
        F: Future + 'static,
        T: 'static,
    {
        let body: Pin<Box<dyn Body>> = Box::pin(TaskBody { future, core: core.clone(), outcome });
        // SAFETY: the options, the loop and the group are references of ours; C copies the name.
        unsafe {
            let options = ffi::Object::new(sys::aloop_task_options_new());
            let slot = Rc::new(RefCell::new(Some(body)));
            let status = Frame::install(options.raw(), slot, core.aborted.clone());
            if status < 0 {
                return core.finish(Err(Error::from_status(status)));
            }
            if let Some(name) = self.name {
                sys::aloop_task_options_set_name(options.raw(), ffi::shown(&name).as_ptr());
            }
            if let Some(eager) = self.eager {
                sys::aloop_task_options_set_eager_start(options.raw(), eager.into());
            }
            let task = if group.is_null() {
                sys::aloop_task_new(core.shared.raw(), options.raw())
            } else {
                sys::aloop_task_group_create_task_ex(group, options.raw())
            };
            let (asked, over) = {
                let mut state = ffi::lock(&core.state);
                state.task = task;
                (state.cancel_asked, state.done && state.holders > 0)
            };
            if over {
                sys::aloop_future_error(task); // as `keep_quiet`
            }
            if asked {
                sys::aloop_task_cancel(task, null());
            }
            if task.is_null() || sys::aloop_task_state(task) < 0 {
                let status = sys::aloop_future_result(task, null_mut());
                core.finish(Err(Error::from_status(status)));
                drop(options); // and with it the frame
            }
        }
    }
}

/// Tells the core when what was posted never arrives.
struct Arrival<T>(Arc<Core<T>>);

impl<T> Drop for Arrival<T> {
    fn drop(&mut self) {
        if ffi::lock(&self.0.state).task.is_null() {
            self.0.finish(Err(Error::from_status(sys::ALOOP_ECANCELED)));
        }
    }
}

/// A task's outcome: a future that gives it. Dropping the handle lets the task run on.
///
/// The output is `Err` if the task was cancelled ([`Code::Canceled`](crate::Code)) or
/// panicked ([`Error::into_panic`] gives what with), or, of [`try_spawn`], with its error.
///
/// It may be awaited on any thread and executor, if `T` is `Send`:
/// ```compile_fail
/// fn sent<T: Send>(_: T) {}
/// asyncloop::block_on(async {
///     sent(asyncloop::spawn(async { std::rc::Rc::new(1) }));
/// });
/// ```
///
/// A task that is [cancelled](JoinHandle::cancel) while it awaits another one cancels
/// that, too; see [`shield`](crate::shield).
pub struct JoinHandle<T> {
    core: Arc<Core<T>>,
}

impl<T> Unpin for JoinHandle<T> {}

impl<T: 'static> JoinHandle<T> {
    /// Ends the task as soon as the loop gets to it: its future is dropped. Any thread.
    pub fn abort(&self) {
        self.core.end(true);
    }

    /// Asks the task to end: what it awaits fails with [`Code::Canceled`](crate::Code), which
    /// it may handle. A task that awaits nothing of this crate is dropped where it stands.
    /// False if it has ended. Any thread. asyncio's `Task.cancel`.
    pub fn cancel(&self) -> bool {
        self.core.cancel(None)
    }

    /// The same with a text, which is the message of the error that the task gets.
    pub fn cancel_with(&self, message: &str) -> bool {
        self.core.cancel(Some(&ffi::shown(message)))
    }

    /// Whether it has ended because it was cancelled.
    pub fn is_canceled(&self) -> bool {
        ffi::lock(&self.core.state).cancelled
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        ffi::lock(&self.core.state).done
    }

    /// How often it was asked to end, less what was taken back. 0 on another thread.
    pub fn cancelling(&self) -> usize {
        // SAFETY: `number` gives a task that the core keeps.
        self.number(|task| unsafe { sys::aloop_task_cancelling(task) })
    }

    /// Takes one request back; how many are left.
    pub fn uncancel(&self) -> usize {
        // SAFETY: `number` gives a task that the core keeps.
        self.number(|task| unsafe { sys::aloop_task_uncancel(task) })
    }

    fn number(&self, ask: impl FnOnce(*mut sys::aloop_task) -> i64) -> usize {
        let task = self.core.task();
        if task.is_null() || !self.core.shared.is_here() {
            return 0;
        }
        usize::try_from(ask(task)).unwrap_or(0)
    }

    /// Its name: `Task-N` unless it was given one; `""` on another thread.
    pub fn name(&self) -> String {
        let task = self.core.task();
        if task.is_null() || !self.core.shared.is_here() {
            return String::new();
        }
        // SAFETY: the handle is ours, and C writes `size` bytes at most.
        ffi::written(|buffer, size| unsafe { sys::aloop_task_get_name(task, buffer, size) })
            .unwrap_or_default()
    }

    /// Gives it another name; on the loop's thread.
    pub fn set_name(&self, name: &str) {
        let task = self.core.task();
        if !task.is_null() && self.core.shared.is_here() {
            // SAFETY: C copies the text.
            unsafe { sys::aloop_task_set_name(task, ffi::shown(name).as_ptr()) };
        }
    }

    /// The same as awaiting the handle, for any number who wait. On the loop's thread.
    pub fn join(&self) -> Op<T>
    where
        T: Clone,
    {
        match self.claim() {
            Ok((future, claim)) => Op::fallible(future, move |_, _| claim.look()),
            Err(why) => Op::failed(why),
        }
    }

    /// Blocks this thread until the task has ended, `limit` at most ([`Code::TimedOut`]; the
    /// task goes on). For threads that have no loop: [`Code::WrongThread`] on the loop's own.
    ///
    /// [`Code::TimedOut`]: crate::Code::TimedOut
    /// [`Code::WrongThread`]: crate::Code::WrongThread
    pub fn wait(&mut self, limit: Option<Duration>) -> Result<T> {
        if self.core.shared.is_here() {
            return Err(Error::from_status(sys::ALOOP_EWRONGTHREAD));
        }
        let end = limit.and_then(|limit| Instant::now().checked_add(limit)); // None: no end
        let mut state = ffi::lock(&self.core.state);
        loop {
            if state.done {
                return state.outcome.take().unwrap_or_else(taken);
            }
            let left = match end {
                None => Duration::from_secs(3600),
                Some(end) => end.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return Err(Error::from_status(sys::ALOOP_ETIMEDOUT));
            }
            let waited = self.core.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    /// For combining in C: a reference to the task, and a claim to its outcome.
    pub(crate) fn claim(&self) -> Result<(*mut sys::aloop_future, Claim<T>)> {
        if !self.core.shared.is_here() {
            return Err(Error::from_status(sys::ALOOP_EWRONGTHREAD));
        }
        let mut state = ffi::lock(&self.core.state);
        if state.task.is_null() {
            return Err(Error::from_status(sys::ALOOP_EINVALIDSTATE));
        }
        state.claimed = true;
        state.holders += 1;
        // SAFETY: the core has a reference to it.
        let task = unsafe { sys::aloop_ref(state.task as *mut c_void) };
        Ok((task as *mut sys::aloop_future, Claim(self.core.clone())))
    }

    /// The task without its output, for its group.
    pub(crate) fn member(&self) -> Weak<dyn Member> {
        let core = Arc::downgrade(&self.core);
        core
    }

    /// C's task, borrowed; null on another thread, or before it is made.
    pub(crate) fn raw(&self) -> *mut sys::aloop_task {
        if self.core.shared.is_here() {
            self.core.task()
        } else {
            null_mut()
        }
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let waker = context.waker();
        if step::cancel_due(waker) {
            return Poll::Ready(Err(Error::from_status(sys::ALOOP_ECANCELED)));
        }
        let core = &self.core;
        let mut state = ffi::lock(&core.state);
        if state.done {
            return Poll::Ready(state.outcome.take().unwrap_or_else(taken));
        }
        let running = Shared::current().filter(|_| core.shared.is_here());
        if running.map_or(false, |running| !Arc::ptr_eq(&running, &core.shared)) {
            // Its loop does not run as long as this one does.
            return Poll::Ready(Err(Error::from_status(sys::ALOOP_EWRONGLOOP)));
        }
        let elsewhere = state.task.is_null() || !core.shared.is_here();
        if elsewhere || state.waker.is_some() {
            state.waker = Some(waker.clone()); // perhaps of another task than before
        }
        if elsewhere {
            return Poll::Pending;
        }
        drop(state);
        step::wait_for(Rc::new(JoinLeaf { core: core.clone() }), waker);
        Poll::Pending
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        ffi::lock(&self.core.state).waker = None;
        match self.core.release() {
            Some(Err(why)) if !why.is_canceled() => self.report(why),
            left => drop(left),
        }
    }
}

impl<T> JoinHandle<T> {
    fn report(&self, why: Error) {
        const WHAT: &str = "Task exception was never retrieved";
        let shared = self.core.shared.clone();
        if shared.is_here() {
            shared.report(WHAT, &why);
        } else {
            let to = shared.clone();
            to.post(Box::new(move || shared.report(WHAT, &why)));
        }
    }
}

/// Lets every other task that is ready run once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
