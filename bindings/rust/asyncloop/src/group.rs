//! Task groups: tasks that end before the block does. `asyncio.TaskGroup`.

use crate::error::{self, check, Error, Result};
use crate::ffi;
use crate::op::Op;
use crate::runtime::Shared;
use crate::scope;
use crate::task::{Builder, JoinHandle};
use asyncloop_sys as sys;
use std::cell::Cell;
use std::future::Future;
use std::ptr::null_mut;
use std::rc::Rc;
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
    let mut raw = null_mut();
    check(unsafe { sys::aloop_task_group_enter(&mut raw) })?;
    let entered = Entered(TaskGroup { shared, raw: Rc::new(Cell::new(raw)) });
    let result = scope::run(inside(entered.0.clone())).await;
    let status = match &result {
        Ok(_) => 0,
        Err(why) => error::raise(why),
    };
    entered.0.join(status).await?;
    result
}

struct Entered(TaskGroup);

impl Drop for Entered {
    // Left in the middle: its tasks are cancelled, and awaited by a task of their own.
    fn drop(&mut self) {
        let raw = self.0.raw.get();
        if raw.is_null() {
            return;
        }
        unsafe { sys::aloop_task_group_cancel(raw) };
        drop(self.0.join(sys::ALOOP_ECANCELED));
    }
}

/// Where tasks are spawned. Clones are the same group.
#[derive(Clone)]
pub struct TaskGroup {
    shared: Arc<Shared>,
    raw: Rc<Cell<*mut sys::aloop_task_group>>, // null once the block has ended
}

impl TaskGroup {
    /// A task of the group. [`Code::ShutDown`](crate::Code) when that is at its end.
    pub fn spawn<F, T>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        Builder::new().spawn_in(&self.shared, self.raw.get(), future)
    }

    /// The same with a name.
    pub fn spawn_named<F, T>(&self, name: &str, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T>> + 'static,
        T: 'static,
    {
        Builder::new().name(name).spawn_in(&self.shared, self.raw.get(), future)
    }

    /// Cancels what is left of the group and its block; that is no error.
    pub fn cancel(&self) {
        if !self.raw.get().is_null() {
            unsafe { sys::aloop_task_group_cancel(self.raw.get()) };
        }
    }

    fn join(&self, status: i64) -> Op<()> {
        let raw = self.raw.clone();
        let group = raw.get();
        let op = Op::new(unsafe { sys::aloop_task_group_join(group, status) }, ffi::nothing);
        raw.set(null_mut());
        op
    }
}
