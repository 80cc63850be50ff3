//! Task groups: tasks that end before the block does. `asyncio.TaskGroup`.
//!
//! A group is C's, and left by C's join, which belongs to the task that has entered it. A block
//! that is dropped before it has joined ends its tasks all the same: in that task the join runs
//! beside it; elsewhere (the future was moved, or the loop is at its end) there is none, and
//! the tasks' futures are dropped, so that none fails once nobody is there to be told.

use crate::error::{self, Code, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::outcome::Member;
use crate::runtime::Shared;
use crate::scope;
use crate::task::{Builder, JoinHandle};
use crate::Error;
use asyncloop_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::future::Future;
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Runs what `inside` makes of the group, and waits for the tasks that were spawned in it.
/// The first failure cancels the others and the block; the result is then
/// [`Code::Group`](crate::Code) with the errors as [`children`](Error::children).
///
/// It belongs to the task that first awaits it. Dropped in there, it cancels its tasks, which
/// may still clean up; dropped elsewhere, it drops them.
///
/// ```
/// # asyncloop::block_on(async {
/// let sum = asyncloop::task_group(|group| async move {
///     let a = group.spawn(async { Ok(1) });
///     let b = group.spawn(async { Ok(2) });
///     Ok(a.await? + b.await?)
/// });
/// assert_eq!(sum.await.unwrap(), 3);
/// # });
/// ```
pub async fn task_group<T, F>(inside: impl FnOnce(TaskGroup) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut entered = Entered::enter()?;
    let result = scope::run(inside(entered.group.clone())).await;
    if !entered.is_home() {
        return result.and(Err(Code::NoTask.into()));
    }
    let status = match &result {
        Ok(_) => 0,
        Err(why) => error::raise(why),
    };
    let rest = Rc::new(Rest(entered.group.members.clone()));
    let joining = Op::new(entered.join(status), ffi::nothing).keeping(Some(rest));
    let joined = entered.joining.insert(joining).await;
    entered.left = true;
    joined?;
    result
}

struct Entered {
    group: TaskGroup,
    home: *mut sys::aloop_task, // the task that has entered; the group keeps it
    joining: Option<Op<()>>,
    left: bool,
}

impl Entered {
    fn enter() -> Result<Entered> {
        let shared = Shared::current().ok_or_else(|| Error::from(Code::NoRunningLoop))?;
        // SAFETY: `raw` is a place for the reference.
        let raw = Object::made(|raw| unsafe { sys::aloop_task_group_enter(raw) })?;
        let home = running_task();
        let group = TaskGroup { shared, raw, members: Rc::default() };
        Ok(Entered { group, home, joining: None, left: false })
    }

    /// Whether the task that has entered is the one that runs.
    fn is_home(&self) -> bool {
        running_task() == self.home
    }

    /// What leaves the group; only at home.
    fn join(&self, status: i64) -> *mut sys::aloop_future {
        let group = self.group.raw.clone().into_raw();
        // SAFETY: the reference is C's from here on.
        unsafe { sys::aloop_task_group_join(group, status) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        if self.joining.as_ref().map_or(false, |joining| joining.has_begun()) {
            return; // it is cancelled now, and `Rest` sees to its end
        }
        let members = self.group.members.leave();
        if !self.is_home() {
            return end(members, true);
        }
        // SAFETY: the operation and its task are references of ours, which go here.
        unsafe {
            let task = sys::aloop_ensure_future(self.join(sys::ALOOP_ECANCELED));
            sys::aloop_unref(task as *mut c_void);
        }
    }
}

/// Goes when a join has ended: of one that was cancelled before its first step, C has not
/// cancelled the tasks. Otherwise none is left; to cancel one twice would disturb its clean-up.
struct Rest(Rc<Members>);

impl Drop for Rest {
    fn drop(&mut self) {
        end(self.0.leave(), false);
    }
}

fn running_task() -> *mut sys::aloop_task {
    // SAFETY: NULL is the loop that runs here, if one does.
    unsafe { sys::aloop_current_task(null_mut()) }
}

/// The tasks of a group, for a block that is dropped.
#[derive(Default)]
struct Members {
    all: RefCell<Vec<Weak<dyn Member>>>,
    left: Cell<bool>,
}

impl Members {
    fn add(&self, member: Weak<dyn Member>) {
        let mut all = self.all.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|one| one.strong_count() > 0);
        }
        all.push(member);
    }

    /// No more are spawned; those that there are.
    fn leave(&self) -> Vec<Weak<dyn Member>> {
        self.left.set(true);
        self.all.take()
    }
}

fn end(members: Vec<Weak<dyn Member>>, by_dropping: bool) {
    for member in members.iter().filter_map(Weak::upgrade) {
        member.end(by_dropping);
    }
}

/// Where tasks are spawned: in the block, and after its end by those that still run. Clones are
/// the same group.
#[derive(Clone)]
pub struct TaskGroup {
    shared: Arc<Shared>,
    raw: Object<sys::aloop_task_group>,
    members: Rc<Members>,
}

impl TaskGroup {
    /// A task of the group. [`Code::ShutDown`](crate::Code) once one has failed, the group was
    /// cancelled, or all have ended after the block.
    pub fn spawn<F, T>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        self.begin(Builder::new(), future)
    }

    /// The same with a name.
    pub fn spawn_named<F, T>(&self, name: &str, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        self.begin(Builder::new().name(name), future)
    }

    fn begin<F, T>(&self, task: Builder, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        if self.members.left.get() {
            return Builder::refused(&self.shared, sys::ALOOP_ESHUTDOWN);
        }
        let member = task.spawn_in(&self.shared, self.raw.raw(), future);
        self.members.add(member.member());
        member
    }

    /// Cancels what is left of the group and its block; that is no error.
    pub fn cancel(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_task_group_cancel(self.raw.raw()) };
    }
}
