//! Signals of the process. `loop.add_signal_handler`.
//!
//! C has one handler for each signal of a loop: a registration, which all who listen share.

use crate::callback::Again;
use crate::error::{check, Error, Result};
use crate::runtime::Shared;
use crate::sync::Event;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A signal that this loop listens to. All who listen to the same one get it; when the last is
/// dropped, what was there before is put back.
pub struct Signal {
    came: Rc<Event>,
    of: Rc<Registration>,
}

type Listeners = Rc<RefCell<Vec<Rc<Event>>>>;

struct Registration {
    shared: Arc<Shared>,
    signum: i32,
    listeners: Listeners,
}

thread_local! {
    static REGISTERED: RefCell<Vec<Weak<Registration>>> = const { RefCell::new(Vec::new()) };
}

impl Registration {
    fn of(shared: &Arc<Shared>, signum: i32) -> Result<Rc<Registration>> {
        REGISTERED.with(|all| {
            let mut all = all.borrow_mut();
            all.retain(|one| one.strong_count() > 0);
            let same =
                |one: &Rc<Registration>| one.signum == signum && Arc::ptr_eq(&one.shared, shared);
            if let Some(found) = all.iter().filter_map(Weak::upgrade).find(same) {
                return Ok(found);
            }
            let listeners = Listeners::default();
            let told = listeners.clone();
            let handler =
                Again::new(shared, move || told.borrow().iter().for_each(|one| one.set()));
            // SAFETY: the loop runs; `give` knows whose the box is.
            check(handler.give(|run, data, free| unsafe {
                sys::aloop_loop_add_signal_handler(shared.raw(), signum, run, data, free)
            }))?;
            let made = Rc::new(Registration { shared: shared.clone(), signum, listeners });
            all.push(Rc::downgrade(&made));
            Ok(made)
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_loop_remove_signal_handler(self.shared.raw(), self.signum) };
    }
}

impl Signal {
    /// From now on `signum` (as 2 for SIGINT, 15 for SIGTERM) does not do to the process
    /// what it does.
    pub fn new(signum: i32) -> Result<Signal> {
        let shared =
            Shared::current().ok_or_else(|| Error::from_status(sys::ALOOP_ENORUNNINGLOOP))?;
        let (came, of) = (Rc::new(Event::new()?), Registration::of(&shared, signum)?);
        of.listeners.borrow_mut().push(came.clone());
        Ok(Signal { came, of })
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
        self.of.listeners.borrow_mut().retain(|one| !Rc::ptr_eq(one, &self.came));
    }
}

/// Waits for Ctrl-C (SIGINT), which does not end the process meanwhile. A program that loops
/// keeps a [`Signal`] instead: between two of these it is as before.
pub async fn ctrl_c() -> Result<()> {
    Signal::new(2)?.recv().await
}
