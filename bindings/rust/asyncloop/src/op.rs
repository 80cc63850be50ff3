//! `Op`: an operation of C as a Rust future.
//!
//! It begins when it is first polled, and dropping it cancels it: what was not done is
//! undone by C, in its own time. Its node is shared with the step that waits for it, or
//! with the callback that tells of its end.

use crate::error::{self, Error, Result};
use crate::ffi;
use crate::step::{self, Leaf};
use asyncloop_sys as sys;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::ptr::null_mut;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

type Make = Box<dyn FnOnce() -> *mut sys::aloop_future>;
type Later<T> = (Make, Convert<T>);
pub(crate) type Convert<T> = Box<dyn FnOnce(i64, *mut c_void) -> Result<T>>;

/// An operation of the loop: a future that begins when it is awaited (or combined, and that
/// is awaited), and is cancelled when it is dropped. It stays on the thread of its loop.
///
/// If the task that awaits it is cancelled, it ends with [`Code::Canceled`](crate::Code).
#[must_use = "an operation does nothing unless it is awaited"]
pub struct Op<T>(State<T>);

enum State<T> {
    Failed(Option<Error>),
    Later(Option<Later<T>>), // made where no loop runs
    Open(Rc<Node<T>>),
}

struct Node<T> {
    future: Cell<*mut sys::aloop_future>, // a reference, or null once it is given away
    watching: Cell<bool>,
    dropped: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    convert: Cell<Option<Convert<T>>>,
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
            let running = unsafe { sys::aloop_get_running_loop() };
            return Op::failed(if running.is_null() {
                Error::from_status(sys::ALOOP_ENORUNNINGLOOP)
            } else {
                Error::from_status(sys::ALOOP_ENOMEM)
            });
        }
        Op(State::Open(Rc::new(Node {
            future: Cell::new(future),
            watching: Cell::new(false),
            dropped: Cell::new(false),
            waker: RefCell::new(None),
            convert: Cell::new(Some(Box::new(convert))),
            outcome: RefCell::new(None),
        })))
    }

    /// One whose future is made when it is polled, if no loop runs yet.
    pub(crate) fn later(
        make: impl FnOnce() -> *mut sys::aloop_future + 'static,
        convert: impl FnOnce(i64, *mut c_void) -> T + 'static,
    ) -> Op<T> {
        if unsafe { sys::aloop_get_running_loop() }.is_null() {
            let convert = move |status, value| Ok(convert(status, value));
            return Op(State::Later(Some((Box::new(make), Box::new(convert)))));
        }
        Op::new(make(), convert)
    }

    fn begin(&mut self) {
        if let State::Later(later) = &mut self.0 {
            *self = match later.take() {
                Some((make, convert)) => Op::fallible(make(), convert),
                None => Op::failed(polled_again()),
            };
        }
    }

    /// One that fails when it is awaited.
    pub(crate) fn failed(error: Error) -> Op<T> {
        Op(State::Failed(Some(error)))
    }

    /// The future alone, a reference, and what makes its outcome: for combining in C.
    pub(crate) fn into_parts(mut self) -> Result<(*mut sys::aloop_future, Convert<T>)> {
        self.begin();
        match &self.0 {
            State::Later(_) => Err(polled_again()),
            State::Failed(error) => Err(error.clone().unwrap_or_else(polled_again)),
            State::Open(node) => match node.convert.take() {
                Some(convert) if !node.future.get().is_null() => {
                    node.dropped.set(true);
                    Ok((node.future.replace(null_mut()), convert))
                }
                _ => Err(polled_again()),
            },
        }
    }
}

fn polled_again() -> Error {
    Error::from_status(sys::ALOOP_EINVALIDSTATE)
}

impl<T: 'static> Future for Op<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.begin();
        let node = match &mut self.0 {
            State::Failed(error) => {
                return Poll::Ready(Err(error.take().unwrap_or_else(polled_again)))
            }
            State::Later(_) => return Poll::Ready(Err(polled_again())),
            State::Open(node) => node,
        };
        if let Some(outcome) = node.outcome.take() {
            self.0.leave();
            self.0 = State::Failed(None);
            return Poll::Ready(outcome);
        }
        if step::cancel_due(context.waker()) {
            self.0.leave();
            self.0 = State::Failed(None);
            return Poll::Ready(Err(Error::from_status(sys::ALOOP_ECANCELED)));
        }
        if node.watching.get() {
            node.renew(context.waker());
        }
        step::wait_for(node.clone(), context.waker());
        Poll::Pending
    }
}

impl<T> State<T> {
    fn leave(&mut self) {
        let node = match self {
            State::Open(node) => node,
            State::Failed(_) | State::Later(_) => return,
        };
        node.dropped.set(true);
        node.waker.take();
        let future = node.future.replace(null_mut());
        if !future.is_null() {
            unsafe {
                if node.watching.get() {
                    sys::aloop_future_cancel(future, std::ptr::null());
                }
                sys::aloop_unref(future as *mut c_void);
            }
        }
    }
}

impl<T> Drop for Op<T> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<T> Node<T> {
    fn renew(&self, waker: &Waker) {
        let mut at = self.waker.borrow_mut();
        match &*at {
            Some(old) if old.will_wake(waker) => {}
            _ => *at = Some(waker.clone()),
        }
    }

    fn settle(&self, status: i64, value: *mut c_void, detail: *mut sys::aloop_error) {
        let outcome = if status < 0 {
            Err(unsafe { error::from_c(status, detail) })
        } else {
            match self.convert.take() {
                None => return,
                Some(convert) => convert(status, value),
            }
        };
        if !self.dropped.get() {
            self.outcome.replace(Some(outcome));
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
        !future.is_null() && unsafe { sys::aloop_future_cancel(future, std::ptr::null()) > 0 }
    }
}

unsafe extern "C" fn on_done<T: 'static>(future: *mut sys::aloop_future, node: *mut c_void) -> i64 {
    let node = &*(node as *const Node<T>);
    ffi::guard(|| {
        let detail = sys::aloop_future_error(future); // looked at, so that nobody reports it
        if node.dropped.get() {
            return;
        }
        let mut value = null_mut();
        let status = sys::aloop_future_take(future, &mut value);
        node.settle(status, value, detail);
        if let Some(waker) = node.waker.take() {
            waker.wake();
        }
    });
    0
}

unsafe extern "C" fn free_node<T>(node: *mut c_void) {
    ffi::guard(|| drop(Rc::from_raw(node as *const Node<T>)));
}
