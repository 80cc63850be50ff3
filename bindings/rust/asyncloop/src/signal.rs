//! Signals of the process. `loop.add_signal_handler`.

use crate::callback::Again;
use crate::error::{check, Error, Result};
use crate::runtime::Shared;
use crate::sync::Event;
use asyncloop_sys as sys;
use std::sync::Arc;

/// A signal that this loop listens to. One of a kind in a loop: another one takes its place.
/// Dropping it puts back what was there before.
pub struct Signal {
    shared: Arc<Shared>,
    signum: i32,
    came: Event,
}

impl Signal {
    /// From now on `signum` (as 2 for SIGINT, 15 for SIGTERM) does not do to the process
    /// what it does.
    pub fn new(signum: i32) -> Result<Signal> {
        let shared =
            Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        let came = Event::new()?;
        let told = came.clone();
        let handler = Again::new(&shared, move || told.set());
        check(handler.give(|run, data, free| unsafe {
            sys::aloop_loop_add_signal_handler(shared.raw(), signum, run, data, free)
        }))?;
        Ok(Signal { shared, signum, came })
    }

    /// Waits for the signal; if it has come since the last time, not at all.
    pub async fn recv(&mut self) -> Result<()> {
        self.came.wait().await?;
        self.came.clear();
        Ok(())
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        unsafe { sys::aloop_loop_remove_signal_handler(self.shared.raw(), self.signum) };
    }
}

/// Waits for Ctrl-C (SIGINT).
pub async fn ctrl_c() -> Result<()> {
    Signal::new(2)?.recv().await
}
