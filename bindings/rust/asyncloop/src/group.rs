//! Task groups: tasks that end before the block does. `asyncio.TaskGroup`.

use crate::error::{self, Error, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::runtime::Shared;
use crate::scope;
use crate::task::{Builder, JoinHandle};
use asyncloop_sys as sys;
use std::future::Future;
use std::sync::Arc;

/// Runs what `inside` makes of the group, and waits for the tasks that were spawned in it.
/// The first failure cancels the others and the block; the result is then
/// [`Code::Group`](crate::Code) with the errors as [`children`](Error::children).
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
    let shared = Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
    // SAFETY: `raw` is a place for the reference.
    let raw = Object::made(|raw| unsafe { sys::aloop_task_group_enter(raw) })?;
    let mut entered = Entered { group: TaskGroup { shared, raw }, joined: false };
    let result = scope::run(inside(entered.group.clone())).await;
    let status = match &result {
        Ok(_) => 0,
        Err(why) => error::raise(why),
    };
    entered.join(status).await?;
    result
}

struct Entered {
    group: TaskGroup,
    joined: bool,
}

impl Entered {
    fn join(&mut self, status: i64) -> Op<()> {
        self.joined = true;
        let group = self.group.raw.clone().into_raw(); // is used up
                                                       // SAFETY: the reference is C's from here on.
        Op::new(unsafe { sys::aloop_task_group_join(group, status) }, ffi::nothing)
    }
}

impl Drop for Entered {
    // Left in the middle: its tasks are cancelled, and awaited by a task of their own.
    fn drop(&mut self) {
        if !self.joined {
            self.group.cancel();
            drop(self.join(sys::ALOOP_ECANCELED));
        }
    }
}

/// Where tasks are spawned: in the block, and after its end by those that still run. Clones are
/// the same group.
#[derive(Clone)]
pub struct TaskGroup {
    shared: Arc<Shared>,
    raw: Object<sys::aloop_task_group>,
}

impl TaskGroup {
    /// A task of the group. [`Code::ShutDown`](crate::Code) once one has failed, the group was
    /// cancelled, or all have ended after the block.
    pub fn spawn<F, T>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        Builder::new().spawn_in(&self.shared, self.raw.raw(), future)
    }

    /// The same with a name.
    pub fn spawn_named<F, T>(&self, name: &str, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        Builder::new().name(name).spawn_in(&self.shared, self.raw.raw(), future)
    }

    /// Cancels what is left of the group and its block; that is no error.
    pub fn cancel(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_task_group_cancel(self.raw.raw()) };
    }
}
