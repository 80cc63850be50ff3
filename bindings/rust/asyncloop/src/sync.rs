//! Locks, events, conditions, semaphores and barriers for the tasks of one loop.
//!
//! All are fair, and safe to cancel: who is dropped after it was woken passes its turn on.
//! They are no locks between threads, and stay on their loop's:
//! ```compile_fail
//! let lock = asyncloop::sync::Lock::new().unwrap();
//! std::thread::spawn(move || lock.is_locked());
//! ```

pub use crate::condition::Condition;
use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::holders::Holders;
use crate::op::Op;
use asyncloop_sys as sys;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A lock that guards nothing in particular; see [`Mutex`]. Clones are the same lock.
/// `asyncio.Lock`.
#[derive(Clone)]
pub struct Lock {
    raw: Object<sys::aloop_lock>,
    holders: Rc<Holders>,
}

impl Lock {
    /// One that nobody holds.
    pub fn new() -> Result<Lock> {
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_lock_new(raw) })
            .map(|raw| Lock { raw, holders: Rc::default() })
    }

    /// Waits for the lock; it is released with the guard.
    pub fn acquire(&self) -> Op<LockGuard> {
        let lock = self.clone();
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_lock_acquire(self.raw.raw()) }, |_, _| lock.guard())
    }

    /// A guard of the lock, which has come for it.
    pub(crate) fn guard(self) -> LockGuard {
        LockGuard { who: self.holders.enter(), lock: Some(self) }
    }

    /// Wakes the first in line. [`Code::NotOwner`](crate::Code) if nobody holds it.
    pub fn release(&self) -> Result<()> {
        self.holders.clear();
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_lock_release(self.raw.raw()) }).map(drop)
    }

    /// Whether somebody holds it.
    pub fn is_locked(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_lock_locked(self.raw.raw()) > 0 }
    }

    /// How many wait for it.
    pub fn waiting(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_lock_statistic(self.raw.raw(), sys::ALOOP_LOCK_STAT_WAITING) })
    }

    pub(crate) fn raw(&self) -> *mut sys::aloop_lock {
        self.raw.raw()
    }

    pub(crate) fn holders(&self) -> &Holders {
        &self.holders
    }
}

pub(crate) fn count(status: i64) -> usize {
    usize::try_from(status).unwrap_or(0)
}

/// Holds a [`Lock`], perhaps that of a [`Condition`].
#[must_use = "the lock is released when this is dropped"]
pub struct LockGuard {
    who: u64,
    lock: Option<Lock>,
}

impl LockGuard {
    /// Keeps the lock: [`Lock::release`] is called elsewhere.
    pub fn forget(mut self) {
        if let Some(lock) = self.lock.take() {
            lock.holders.forget(self.who);
        }
    }

    /// Its number, if it is a guard of this lock.
    pub(crate) fn of(&self, lock: &Lock) -> Option<u64> {
        let own = self.lock.as_ref()?;
        Rc::ptr_eq(&own.holders, &lock.holders).then_some(self.who)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            if lock.holders.leave(self.who) {
                let _ = lock.release();
            }
        }
    }
}

/// A value that one task has at a time, across its awaits.
pub struct Mutex<T> {
    lock: Lock,
    value: UnsafeCell<T>,
}

impl<T> Mutex<T> {
    /// One that nobody has.
    pub fn new(value: T) -> Result<Mutex<T>> {
        Ok(Mutex { lock: Lock::new()?, value: UnsafeCell::new(value) })
    }

    /// Waits for the value.
    pub async fn lock(&self) -> Result<MutexGuard<'_, T>> {
        Ok(MutexGuard { _guard: self.lock.acquire().await?, value: self.value.get(), of: self })
    }

    /// Whether somebody has it.
    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// The value, of a mutex of one's own.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// Gives what a [`Mutex`] guards.
#[must_use = "the mutex is released when this is dropped"]
pub struct MutexGuard<'a, T> {
    _guard: LockGuard,
    value: *mut T,
    of: &'a Mutex<T>,
}

impl<'a, T> MutexGuard<'a, T> {
    /// Whose it is.
    pub fn mutex(this: &MutexGuard<'a, T>) -> &'a Mutex<T> {
        this.of
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: whoever has the guard has the lock.
        unsafe { &*self.value }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: whoever has the guard has the lock, alone.
        unsafe { &mut *self.value }
    }
}

/// Something that happens, for any number of tasks to wait for. `asyncio.Event`.
#[derive(Clone)]
pub struct Event(Object<sys::aloop_event>);

impl Event {
    /// One that is not set.
    pub fn new() -> Result<Event> {
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_event_new(raw) }).map(Event)
    }

    /// Waits until it is set.
    pub fn wait(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_event_wait(self.0.raw()) }, ffi::nothing)
    }

    /// Wakes everybody who waits now, also if it is cleared at once.
    pub fn set(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_event_set(self.0.raw()) };
    }

    /// From now on waiters wait.
    pub fn clear(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_event_clear(self.0.raw()) };
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_event_is_set(self.0.raw()) > 0 }
    }

    /// How many wait for it.
    pub fn waiting(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_event_statistic(self.0.raw(), sys::ALOOP_EVENT_STAT_WAITING) })
    }
}

/// Permits for so many at a time. `asyncio.Semaphore`.
#[derive(Clone)]
pub struct Semaphore(Object<sys::aloop_semaphore>);

impl Semaphore {
    /// With so many permits.
    pub fn new(permits: usize) -> Result<Semaphore> {
        let value = i64::try_from(permits).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_semaphore_new(raw, value) }).map(Semaphore)
    }

    /// One that refuses to have more than at first. `asyncio.BoundedSemaphore`.
    pub fn bounded(permits: usize) -> Result<Semaphore> {
        let value = i64::try_from(permits).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_bounded_semaphore_new(raw, value) }).map(Semaphore)
    }

    /// Waits for a permit; it goes back with the guard.
    pub fn acquire(&self) -> Op<Permit> {
        let semaphore = self.clone();
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_semaphore_acquire(self.0.raw()) };
        Op::new(op, move |_, _| Permit(Some(semaphore)))
    }

    /// One permit more. [`Code::Invalid`](crate::Code) beyond the bound.
    pub fn release(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_semaphore_release(self.0.raw()) }).map(drop)
    }

    /// Whether an acquire would have to wait.
    pub fn is_locked(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_semaphore_locked(self.0.raw()) > 0 }
    }

    /// The permits that nobody has.
    pub fn available(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_semaphore_value(self.0.raw()) })
    }

    /// How many wait for one.
    pub fn waiting(&self) -> usize {
        let which = sys::ALOOP_SEMAPHORE_STAT_WAITING;
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_semaphore_statistic(self.0.raw(), which) })
    }
}

/// A permit of a [`Semaphore`].
#[must_use = "the permit goes back when this is dropped"]
pub struct Permit(Option<Semaphore>);

impl Permit {
    /// Keeps the permit: [`Semaphore::release`] is called elsewhere, or never.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(semaphore) = self.0.take() {
            let _ = semaphore.release();
        }
    }
}

/// Lets tasks through only so many together. `asyncio.Barrier`.
#[derive(Clone)]
pub struct Barrier(Object<sys::aloop_barrier>);

impl Barrier {
    /// For so many; not 0.
    pub fn new(parties: usize) -> Result<Barrier> {
        let parties = i64::try_from(parties).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_barrier_new(raw, parties) }).map(Barrier)
    }

    /// Waits for the others: the place of arrival, from 0. [`Code::BrokenBarrier`] if it is
    /// reset or aborted.
    ///
    /// [`Code::BrokenBarrier`]: crate::Code::BrokenBarrier
    pub fn wait(&self) -> Op<usize> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_barrier_wait(self.0.raw()) }, |place, _| count(place))
    }

    /// Those who wait get an error; then it is as new.
    pub fn reset(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_barrier_reset(self.0.raw()) }, ffi::nothing)
    }

    /// So does everybody from now on, until a reset.
    pub fn abort(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_barrier_abort(self.0.raw()) }, ffi::nothing)
    }

    /// How many it lets through together.
    pub fn parties(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_barrier_parties(self.0.raw()) })
    }

    /// How many wait for the others.
    pub fn waiting(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_barrier_n_waiting(self.0.raw()) })
    }

    /// Whether it was aborted.
    pub fn is_broken(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_barrier_broken(self.0.raw()) > 0 }
    }
}

/// Many readers or one writer, first come, first served. Guards nothing in particular; see
/// [`RwLock`].
#[derive(Clone)]
pub struct ReadWriteLock(Object<sys::aloop_rwlock>);

impl ReadWriteLock {
    /// One that nobody holds.
    pub fn new() -> Result<ReadWriteLock> {
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_rwlock_new(raw) }).map(ReadWriteLock)
    }

    /// Waits until it may read, with others.
    pub fn acquire_read(&self) -> Op<ReadGuard> {
        let lock = self.clone();
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_rwlock_acquire_read(self.0.raw()) };
        Op::new(op, move |_, _| ReadGuard(Some(lock)))
    }

    /// Waits until it may write, alone.
    pub fn acquire_write(&self) -> Op<WriteGuard> {
        let lock = self.clone();
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_rwlock_acquire_write(self.0.raw()) };
        Op::new(op, move |_, _| WriteGuard(Some(lock)))
    }

    /// One reader less. [`Code::NotOwner`](crate::Code) if nobody reads.
    pub fn release_read(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_rwlock_release_read(self.0.raw()) }).map(drop)
    }

    /// Nobody writes any more. [`Code::NotOwner`](crate::Code) if nobody does.
    pub fn release_write(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_rwlock_release_write(self.0.raw()) }).map(drop)
    }

    /// How many read.
    pub fn readers(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_rwlock_statistic(self.0.raw(), sys::ALOOP_RWLOCK_STAT_READERS) })
    }

    /// Whether somebody writes.
    pub fn is_writing(&self) -> bool {
        let which = sys::ALOOP_RWLOCK_STAT_WRITERS;
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_rwlock_statistic(self.0.raw(), which) > 0 }
    }
}

/// Reads under a [`ReadWriteLock`].
#[must_use = "the lock is released when this is dropped"]
pub struct ReadGuard(Option<ReadWriteLock>);

/// Writes under a [`ReadWriteLock`].
#[must_use = "the lock is released when this is dropped"]
pub struct WriteGuard(Option<ReadWriteLock>);

impl ReadGuard {
    /// Keeps the lock: [`ReadWriteLock::release_read`] is called elsewhere.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl WriteGuard {
    /// Keeps the lock: [`ReadWriteLock::release_write`] is called elsewhere.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        if let Some(lock) = self.0.take() {
            let _ = lock.release_read();
        }
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if let Some(lock) = self.0.take() {
            let _ = lock.release_write();
        }
    }
}

/// A value that many tasks read or one writes, across their awaits.
pub struct RwLock<T> {
    lock: ReadWriteLock,
    value: UnsafeCell<T>,
}

impl<T> RwLock<T> {
    /// One that nobody has.
    pub fn new(value: T) -> Result<RwLock<T>> {
        Ok(RwLock { lock: ReadWriteLock::new()?, value: UnsafeCell::new(value) })
    }

    /// Waits to read it.
    pub async fn read(&self) -> Result<Reading<'_, T>> {
        let guard = self.lock.acquire_read().await?;
        // SAFETY: the guard keeps writers out.
        Ok(Reading { value: unsafe { &*self.value.get() }, _guard: guard })
    }

    /// Waits to write it.
    pub async fn write(&self) -> Result<Writing<'_, T>> {
        let guard = self.lock.acquire_write().await?;
        // SAFETY: the guard keeps everybody else out.
        Ok(Writing { value: unsafe { &mut *self.value.get() }, _guard: guard })
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

/// Reads what an [`RwLock`] guards.
#[must_use = "the lock is released when this is dropped"]
pub struct Reading<'a, T> {
    value: &'a T,
    _guard: ReadGuard,
}

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

/// Writes what an [`RwLock`] guards.
#[must_use = "the lock is released when this is dropped"]
pub struct Writing<'a, T> {
    value: &'a mut T,
    _guard: WriteGuard,
}

impl<T> Deref for Writing<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for Writing<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}
