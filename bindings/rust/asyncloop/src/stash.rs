//! What came for a receiving operation that was dropped before it took it: it is first in line.
//!
//! Nothing is lost by that, and nothing changes places: an operation that is dropped has until
//! the next iteration to put back what it got, and the next one waits for that (`op::Turn`).

use crate::op::{self, Op, Turn};
use asyncloop_sys as sys;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::rc::Rc;

pub(crate) struct Stash<T> {
    kept: Rc<RefCell<VecDeque<T>>>,
    pub(crate) turn: Rc<Turn>,
}

impl<T> Clone for Stash<T> {
    fn clone(&self) -> Stash<T> {
        Stash { kept: self.kept.clone(), turn: self.turn.clone() }
    }
}

impl<T> Default for Stash<T> {
    fn default() -> Stash<T> {
        Stash { kept: Rc::default(), turn: Rc::default() }
    }
}

impl<T> Stash<T> {
    pub(crate) fn pop(&self) -> Option<T> {
        self.kept.borrow_mut().pop_front()
    }

    pub(crate) fn push(&self, item: T) {
        self.kept.borrow_mut().push_back(item);
    }

    pub(crate) fn put_back(&self, item: T) {
        self.kept.borrow_mut().push_front(item);
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.borrow().len()
    }

    /// Takes all, which the caller drops.
    pub(crate) fn clear(&self) -> VecDeque<T> {
        self.kept.take()
    }
}

/// An item on its way out of the stash; it goes back unless it is taken.
struct Held<T> {
    item: Cell<Option<T>>,
    was_here: Cell<bool>,
    of: Stash<T>,
    back: Box<dyn Fn()>,
}

impl<T> Held<T> {
    fn hold(&self) -> bool {
        let item = self.of.pop();
        self.was_here.set(item.is_some());
        self.item.set(item);
        self.was_here.get()
    }

    fn go_back(&self, item: T) {
        match self.was_here.get() {
            true => self.of.put_back(item),
            false => self.of.push(item),
        }
        (self.back)();
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.go_back(item);
        }
    }
}

impl<T: 'static> Stash<T> {
    /// Receives what is first here, or else what `make` begins and `take` makes an item of.
    pub(crate) fn receive(
        &self,
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        take: impl FnOnce(i64, *mut c_void) -> T + 'static,
    ) -> Op<T> {
        self.receive_or(make, take, || ())
    }

    /// The same; `back` is called when an item that nobody took is in the stash again.
    pub(crate) fn receive_or(
        &self,
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        take: impl FnOnce(i64, *mut c_void) -> T + 'static,
        back: impl Fn() + 'static,
    ) -> Op<T> {
        let (item, was_here) = (Cell::new(None), Cell::new(false));
        let held = Rc::new(Held { item, was_here, of: self.clone(), back: Box::new(back) });
        let (here, undone) = (held.clone(), held.clone());
        Op::in_turn(
            &self.turn,
            move || if here.hold() { op::done() } else { make() },
            move |status, value| Ok(held.item.take().unwrap_or_else(|| take(status, value))),
        )
        .or_undo(move |item| undone.go_back(item))
    }
}
