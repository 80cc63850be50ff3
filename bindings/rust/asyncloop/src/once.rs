//! A value that is made once, by an initializer that may wait. Beyond asyncio.

use crate::error::Result;
use crate::sync::Lock;
use std::cell::UnsafeCell;
use std::future::Future;

/// A cell that is filled once. While an initializer is under way others wait; if it fails
/// or is dropped, the next one tries.
pub struct OnceCell<T> {
    lock: Lock,
    value: UnsafeCell<Option<T>>, // written once, under the lock
}

impl<T> OnceCell<T> {
    /// An empty one.
    pub fn new() -> Result<OnceCell<T>> {
        Ok(OnceCell { lock: Lock::new()?, value: UnsafeCell::new(None) })
    }

    /// What is in it.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it is written once, while it is `None`, so that nobody has a reference into it.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// What is in it; if nothing is, what `init` gives.
    pub async fn get_or_try_init<F>(&self, init: impl FnOnce() -> F) -> Result<&T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.get().is_none() {
            let _guard = self.lock.acquire().await?;
            if self.get().is_none() {
                let value = init().await?;
                // SAFETY: it is `None`: there is no reference into it; one thread.
                unsafe { *self.value.get() = Some(value) };
            }
        }
        self.get().ok_or_else(|| crate::Code::InvalidState.into())
    }

    /// Fills it; the value comes back if it is full, or an initializer is under way.
    pub fn set(&self, value: T) -> std::result::Result<(), T> {
        if self.get().is_some() || self.lock.is_locked() {
            return Err(value);
        }
        // SAFETY: it is `None`: there is no reference into it; one thread.
        unsafe { *self.value.get() = Some(value) };
        Ok(())
    }
}
