//! `Op`: an operation of C as a Rust future.
//!
//! It begins when it is first polled, and dropping it cancels it: what was not done is
//! undone by C, in its own time. Its node is shared with the step that waits for it, or
//! with the callback that tells of its end.

use crate::error::{self, Code, Error, Result};
use crate::ffi;
use crate::runtime::Shared;
use crate::step::{self, Leaf};
use asyncloop_sys as sys;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What becomes of an outcome that nobody took.
pub(crate) type Undo<T> = Box<dyn FnOnce(T)>;
/// What may stand in for a failure, of which it gets the status.
type Instead<T> = Box<dyn FnOnce(i64) -> Option<T>>;
/// What is dropped once C is done with an operation, however it ends.
pub(crate) type Kept = Rc<dyn Any>;
type Make = Box<dyn FnOnce() -> *mut sys::aloop_future>;

struct Later<T> {
    make: Make,
    convert: Convert<T>,
    undo: Option<Undo<T>>,
    instead: Option<Instead<T>>,
    kept: Option<Kept>,
    turn: Option<Rc<Turn>>,
}

impl<T> Later<T> {
    fn waits(&self) -> bool {
        self.turn.as_ref().map_or(false, |turn| !turn.is_free())
    }
}

/// Something that gives one thing after the other, such as the reading side of a stream. An
/// operation that is dropped needs an iteration to leave, and may put something back then; the
/// next one waits for that.
#[derive(Default)]
pub(crate) struct Turn {
    leaving: Cell<usize>,
    wakers: RefCell<Vec<Waker>>,
}

impl Turn {
    /// Nobody has to leave first.
    pub(crate) fn is_free(&self) -> bool {
        self.leaving.get() == 0
    }

    fn left(&self) {
        self.leaving.set(self.leaving.get() - 1);
        if self.leaving.get() == 0 {
            self.wakers.take().into_iter().for_each(Waker::wake);
        }
    }
}

pub(crate) type Convert<T> = Box<dyn FnOnce(i64, *mut c_void) -> Result<T>>;

/// An operation of the loop: a future that begins when it is awaited (or combined, and that
/// is awaited), and is cancelled when it is dropped. It stays on the thread of its loop.
///
/// If the task that awaits it is cancelled, it ends with [`Code::Canceled`](crate::Code).
#[must_use = "an operation does nothing unless it is awaited"]
pub struct Op<T>(State<T>);

enum State<T> {
    Failed(Option<Error>),
    Later(Option<Later<T>>), // its future is made when it is polled
    Open(Rc<Node<T>>),
}

struct Node<T> {
    future: Cell<*mut sys::aloop_future>, // a reference, or null once it is given away
    watching: Cell<bool>,
    dropped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    convert: Cell<Option<Convert<T>>>,
    undo: Cell<Option<Undo<T>>>,
    instead: Cell<Option<Instead<T>>>,
    kept: Cell<Option<Kept>>,
    turn: RefCell<Option<Rc<Turn>>>,
    leaving: Cell<bool>, // dropped before the callback came that tells of its end
    told: Cell<bool>,    // that came
    outcome: RefCell<Option<Result<T>>>,
}

impl<T: 'static> Op<T> {
    /// Takes over a future of C, which may be null; `convert` gets the status and the value,
    /// which it owns.
    pub(crate) fn new(
        future: *mut sys::aloop_future,
        convert: impl FnOnce(i64, *mut c_void) -> T + 'static,
    ) -> Op<T> {
        Op::fallible(future, move |status, value| Ok(convert(status, value)))
    }

    /// The same where making the output may fail.
    pub(crate) fn fallible(
        future: *mut sys::aloop_future,
        convert: impl FnOnce(i64, *mut c_void) -> Result<T> + 'static,
    ) -> Op<T> {
        if future.is_null() {
            // SAFETY: it takes no pointer.
            let running = unsafe { sys::aloop_get_running_loop() };
            return Op::failed(if running.is_null() {
                Error::from_status(sys::ALOOP_ENORUNNINGLOOP)
            } else {
                Error::from_status(sys::ALOOP_ENOMEM)
            });
        }
        let node = Node::new(future);
        node.convert.set(Some(Box::new(convert)));
        Op(State::Open(Rc::new(node)))
    }

    /// `undo` gets an outcome that has come but is not taken: the operation is dropped.
    pub(crate) fn or_undo(mut self, undo: impl FnOnce(T) + 'static) -> Op<T> {
        match &mut self.0 {
            State::Open(node) => node.undo.set(Some(Box::new(undo))),
            State::Later(Some(later)) => later.undo = Some(Box::new(undo)),
            _ => {}
        }
        self
    }

    /// What `instead` gives for the status of a failure, if it does, is the outcome.
    pub(crate) fn or_instead(mut self, instead: impl FnOnce(i64) -> Option<T> + 'static) -> Op<T> {
        match &mut self.0 {
            State::Open(node) => node.instead.set(Some(Box::new(instead))),
            State::Later(Some(later)) => later.instead = Some(Box::new(instead)),
            _ => {}
        }
        self
    }

    /// `kept` lives for as long as C has to do with the operation, which may be longer than this.
    pub(crate) fn keeping(mut self, kept: Option<Kept>) -> Op<T> {
        match &mut self.0 {
            State::Open(node) => node.kept.set(kept),
            State::Later(Some(later)) => later.kept = kept,
            _ => {}
        }
        self
    }

    /// Whether its end is told of: it is not to be lost among others.
    pub(crate) fn has_an_end(&self) -> bool {
        fn has<V>(of: &Cell<Option<V>>) -> bool {
            let value = of.take();
            let has = value.is_some();
            of.set(value);
            has
        }
        match &self.0 {
            State::Open(node) => has(&node.kept) || has(&node.undo),
            State::Later(Some(later)) => later.kept.is_some() || later.undo.is_some(),
            _ => false,
        }
    }

    /// One whose future is made when it is polled, if no loop runs yet.
    pub(crate) fn later(
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        convert: impl FnOnce(i64, *mut c_void) -> T + 'static,
    ) -> Op<T> {
        // SAFETY: it takes no pointer.
        if unsafe { sys::aloop_get_running_loop() }.is_null() {
            return Op::lazy(make, convert);
        }
        Op::new(make(), convert)
    }

    /// One whose future is made when it is polled, always.
    pub(crate) fn lazy(
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        convert: impl FnOnce(i64, *mut c_void) -> T + 'static,
    ) -> Op<T> {
        Op(State::Later(Some(Later {
            make: Box::new(make),
            convert: Box::new(move |status, value| Ok(convert(status, value))),
            undo: None,
            instead: None,
            kept: None,
            turn: None,
        })))
    }

    /// One that waits for its turn before it begins.
    pub(crate) fn in_turn(
        turn: &Rc<Turn>,
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        convert: impl FnOnce(i64, *mut c_void) -> Result<T> + 'static,
    ) -> Op<T> {
        Op(State::Later(Some(Later {
            make: Box::new(make),
            convert: Box::new(convert),
            undo: None,
            instead: None,
            kept: None,
            turn: Some(turn.clone()),
        })))
    }

    /// False: it is not its turn yet; the waker is woken then.
    fn begin(&mut self, waker: Option<&Waker>) -> bool {
        let later = match &mut self.0 {
            State::Later(later) => later,
            _ => return true,
        };
        if let (Some(Some(turn)), Some(waker)) = (later.as_ref().map(|l| &l.turn), waker) {
            if !turn.is_free() {
                turn.wakers.borrow_mut().push(waker.clone());
                return false;
            }
        }
        *self = match later.take() {
            None => Op::failed(polled_again()),
            Some(Later { make, convert, undo, instead, kept, turn }) => {
                let op = Op::fallible(make(), convert).keeping(kept);
                if let State::Open(node) = &op.0 {
                    node.turn.replace(turn);
                    node.undo.set(undo);
                    node.instead.set(instead);
                }
                op
            }
        };
        true
    }

    /// One that is done already.
    pub(crate) fn ready(value: T) -> Op<T> {
        let node = Node::new(null_mut());
        node.outcome.replace(Some(Ok(value)));
        Op(State::Open(Rc::new(node)))
    }

    /// One that fails when it is awaited.
    pub(crate) fn failed(error: Error) -> Op<T> {
        Op(State::Failed(Some(error)))
    }

    /// What `begin` gives, or one that fails with its error.
    pub(crate) fn tried(begin: impl FnOnce() -> Result<Op<T>>) -> Op<T> {
        begin().unwrap_or_else(Op::failed)
    }

    /// Whether C has got to it: dropping it cancels it then.
    pub(crate) fn has_begun(&self) -> bool {
        match &self.0 {
            State::Open(node) => node.watching.get() || node.future.get().is_null(),
            _ => false,
        }
    }

    /// The same with its future made now, if it is its turn.
    pub(crate) fn begun(mut self) -> Op<T> {
        if !matches!(&self.0, State::Later(Some(later)) if later.waits()) {
            self.begin(None);
        }
        self
    }

    /// The future alone, a reference, and what makes its outcome: for combining in C.
    pub(crate) fn into_parts(mut self) -> Result<Parts<T>> {
        if matches!(&self.0, State::Later(Some(later)) if later.waits()) {
            let task = crate::try_spawn(self);
            let (future, claim) = task.claim()?;
            return Ok(Parts::new(future, Box::new(move |_, _| claim.take())));
        }
        self.begin(None);
        match &self.0 {
            State::Later(_) => Err(polled_again()),
            State::Failed(error) => Err(error.clone().unwrap_or_else(polled_again)),
            State::Open(node) if node.outcome.borrow().is_some() => node.finished(),
            State::Open(node) => match node.convert.take() {
                Some(convert) if !node.future.get().is_null() => {
                    node.dropped.set(true);
                    let future = node.future.replace(null_mut());
                    let (undo, instead) = (node.undo.take(), node.instead.take());
                    Ok(Parts { future, convert, undo, instead, kept: node.kept.take() })
                }
                _ => Err(polled_again()),
            },
        }
    }
}

/// A future, a reference, and what makes its outcome.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Parts<T> {
    pub(crate) future: *mut sys::aloop_future,
    pub(crate) convert: Convert<T>,
    pub(crate) undo: Option<Undo<T>>,
    pub(crate) instead: Option<Instead<T>>,
    pub(crate) kept: Option<Kept>,
}

impl<T> Parts<T> {
    pub(crate) fn new(future: *mut sys::aloop_future, convert: Convert<T>) -> Parts<T> {
        Parts { future, convert, undo: None, instead: None, kept: None }
    }
}

/// An operation around what `parts` are of, which `make` gives.
pub(crate) fn around<T: 'static>(
    parts: Parts<T>,
    make: impl FnOnce(*mut sys::aloop_future) -> *mut sys::aloop_future,
) -> Op<T> {
    let op = Op::fallible(make(parts.future), parts.convert).keeping(parts.kept);
    if let State::Open(node) = &op.0 {
        node.undo.set(parts.undo);
        node.instead.set(parts.instead);
    }
    op
}

/// A future of C that somebody has to end.
pub(crate) fn pending() -> *mut sys::aloop_future {
    match Shared::current() {
        None => null_mut(),
        // SAFETY: the loop is a reference of ours.
        Some(shared) => unsafe { sys::aloop_loop_create_future(shared.raw()) },
    }
}

/// A future of C that is done.
pub(crate) fn done() -> *mut sys::aloop_future {
    let future = pending();
    // SAFETY: it is NULL, or a reference of ours.
    unsafe { sys::aloop_future_set_result(future, 0, null_mut(), None) };
    future
}

/// A future of C that has failed.
pub(crate) fn failing(code: Code) -> *mut sys::aloop_future {
    let future = pending();
    // SAFETY: it is NULL, or a reference of ours.
    unsafe { sys::aloop_future_set_error_code(future, code.to_raw()) };
    future
}

fn polled_again() -> Error {
    Error::from_status(sys::ALOOP_EINVALIDSTATE)
}

impl<T: 'static> Future for Op<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let waker = context.waker();
        if let State::Open(node) = &self.0 {
            if let Some(outcome) = node.outcome.take() {
                self.0.leave();
                self.0 = State::Failed(None);
                return Poll::Ready(outcome);
            }
        }
        if step::cancel_due(waker) {
            self.0.leave();
            self.0 = State::Failed(None);
            return Poll::Ready(Err(Error::from_status(sys::ALOOP_ECANCELED)));
        }
        if !self.begin(Some(waker)) {
            return Poll::Pending;
        }
        let node = match &mut self.0 {
            State::Failed(error) => {
                return Poll::Ready(Err(error.take().unwrap_or_else(polled_again)))
            }
            State::Later(_) => return Poll::Ready(Err(polled_again())),
            State::Open(node) => node,
        };
        if node.watching.get() {
            node.renew(waker);
        }
        step::wait_for(node.clone(), waker);
        Poll::Pending
    }
}

impl<T> State<T> {
    /// Cancels what is under way. An outcome that nobody has taken is done away with here, or,
    /// where C has yet to leave, by the callback that tells of it.
    fn leave(&mut self) {
        let node = match self {
            State::Open(node) => node,
            State::Failed(_) | State::Later(_) => return,
        };
        node.dropped.set(true);
        node.waker.take();
        let future = node.future.replace(null_mut());
        // SAFETY: it is NULL, or our reference.
        if node.watching.get() && unsafe { sys::aloop_future_done(future) } > 0 {
            node.collect(future);
        }
        let comes = node.watching.get() && !node.told.get();
        if comes {
            if let Some(turn) = &*node.turn.borrow() {
                turn.leaving.set(turn.leaving.get() + 1);
                node.leaving.set(true);
            }
        }
        if !future.is_null() {
            // SAFETY: it is our reference, which goes here.
            unsafe {
                if comes {
                    sys::aloop_future_cancel(future, null());
                }
                sys::aloop_unref(future as *mut c_void);
            }
        }
        if !comes {
            node.discard();
        }
    }
}

impl<T> Drop for Op<T> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<T: 'static> Node<T> {
    /// An outcome that is there, as a future of C.
    fn finished(&self) -> Result<Parts<T>> {
        if Shared::current().is_none() {
            return Err(Error::from_status(sys::ALOOP_ENORUNNINGLOOP));
        }
        let outcome = self.outcome.take();
        let convert = Box::new(move |_, _| outcome.unwrap_or_else(|| Err(polled_again())));
        Ok(Parts { undo: self.undo.take(), ..Parts::new(done(), convert) })
    }
}

impl<T> Node<T> {
    fn new(future: *mut sys::aloop_future) -> Node<T> {
        Node {
            future: Cell::new(future),
            watching: Cell::new(false),
            dropped: Cell::new(false),
            waker: RefCell::new(None),
            convert: Cell::new(None),
            undo: Cell::new(None),
            instead: Cell::new(None),
            kept: Cell::new(None),
            turn: RefCell::new(None),
            leaving: Cell::new(false),
            told: Cell::new(false),
            outcome: RefCell::new(None),
        }
    }

    fn leave_turn(&self) {
        if self.leaving.take() {
            if let Some(turn) = self.turn.take() {
                turn.left();
            }
        }
    }

    /// Does away with an outcome that nobody takes any more.
    fn discard(&self) {
        let left = self.outcome.take();
        let undo = self.undo.take();
        match (left, undo) {
            (Some(Ok(value)), Some(undo)) => undo(value),
            (left, _) => drop(left),
        }
    }

    fn renew(&self, waker: &Waker) {
        let mut at = self.waker.borrow_mut();
        match &*at {
            Some(old) if old.will_wake(waker) => {}
            _ => *at = Some(waker.clone()),
        }
    }

    /// Takes the outcome of its future, which is done; once.
    fn collect(&self, future: *mut sys::aloop_future) {
        if self.told.get() {
            return;
        }
        // SAFETY: the future is a reference of ours or of who calls, and its error lives with it.
        unsafe {
            let detail = sys::aloop_future_error(future); // looked at, so that nobody reports it
            let mut value = null_mut();
            let status = sys::aloop_future_take(future, &mut value);
            self.settle(status, value, detail);
        }
    }

    fn settle(&self, status: i64, value: *mut c_void, detail: *mut sys::aloop_error) {
        self.told.set(true);
        drop(self.kept.take());
        let outcome = if status < 0 {
            match self.instead.take().and_then(|instead| instead(status)) {
                Some(value) => Ok(value),
                // SAFETY: the detail is NULL or lives through this call.
                None => Err(unsafe { error::from_c(status, detail) }),
            }
        } else {
            match self.convert.take() {
                None => return,
                // It may clone what is the program's.
                Some(convert) => ffi::caught(|| convert(status, value))
                    .unwrap_or_else(|panic| Err(Error::from_panic(panic))),
            }
        };
        self.outcome.replace(Some(outcome));
        if self.dropped.get() {
            self.discard();
        }
    }
}

impl<T: 'static> Leaf for Node<T> {
    fn key(&self) -> *const () {
        self as *const Node<T> as *const ()
    }

    fn alive(&self) -> bool {
        !self.dropped.get()
    }

    fn watching(&self) -> bool {
        self.watching.get()
    }

    fn suspend_on(&self) -> *mut sys::aloop_future {
        self.future.replace(null_mut())
    }

    fn deliver(&self, status: i64, value: *mut c_void, detail: *mut sys::aloop_error) -> bool {
        self.settle(status, value, detail);
        true
    }

    fn watch(self: Rc<Self>, waker: &Waker) {
        self.renew(waker);
        if self.watching.replace(true) {
            return;
        }
        // SAFETY: the future is our reference, the node one for the callback.
        unsafe {
            let future = sys::aloop_ensure_future(self.future.get());
            self.future.set(future);
            let data = Rc::into_raw(self.clone()) as *mut c_void;
            let free: sys::aloop_free_fn = Some(free_node::<T>);
            let status =
                sys::aloop_future_add_done_callback(future, Some(on_done::<T>), data, free);
            if status < 0 {
                free_node::<T>(data);
                self.settle(status, null_mut(), null_mut());
                waker.wake_by_ref();
            }
        }
    }

    fn cancel(&self) -> bool {
        let future = self.future.get();
        // SAFETY: it is a reference of ours.
        !future.is_null() && unsafe { sys::aloop_future_cancel(future, null()) > 0 }
    }
}

unsafe extern "C" fn on_done<T: 'static>(future: *mut sys::aloop_future, node: *mut c_void) -> i64 {
    let node = &*(node as *const Node<T>);
    ffi::guard(|| {
        node.collect(future);
        node.leave_turn();
        if let Some(waker) = node.waker.take() {
            waker.wake();
        }
    });
    0
}

unsafe extern "C" fn free_node<T>(node: *mut c_void) {
    ffi::guard(|| {
        let node = Rc::from_raw(node as *const Node<T>);
        node.leave_turn(); // the loop was closed before it was done
    });
}
