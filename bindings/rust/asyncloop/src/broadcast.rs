//! Channels in which every receiver sees the values: all of them (`channel`), or the latest
//! (`watch`).

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::queue::{offer, Rejected};
use crate::stash::Stash;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::Deref;

/// A value that several receive. Clones are the same value.
pub struct Message<T> {
    raw: Object<sys::aloop_message>,
    value: PhantomData<T>,
}

impl<T> Message<T> {
    fn take(_status: i64, value: *mut c_void) -> Message<T> {
        Message { raw: Object::new(value as *mut sys::aloop_message), value: PhantomData }
    }

    fn made(make: impl FnOnce(&mut *mut sys::aloop_message) -> i64) -> Result<Message<T>> {
        Ok(Message { raw: Object::made(make)?, value: PhantomData })
    }
}

impl<T> Clone for Message<T> {
    fn clone(&self) -> Message<T> {
        Message { raw: self.raw.clone(), value: PhantomData }
    }
}

impl<T> Deref for Message<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the handle is a reference of ours.
        unsafe { &*(sys::aloop_message_value(self.raw.raw()) as *const T) }
    }
}

/// A broadcast that keeps the last `capacity` values: its sending end.
/// [`subscribe`](Broadcast::subscribe) makes receivers.
pub fn channel<T: 'static>(capacity: usize) -> Result<Broadcast<T>> {
    let capacity = i64::try_from(capacity).unwrap_or(i64::MAX);
    let free: sys::aloop_free_fn = Some(ffi::free_box::<T>);
    // SAFETY: `raw` is a place for the reference.
    let raw = Object::made(|raw| unsafe { sys::aloop_broadcast_new(raw, capacity, free) })?;
    Ok(Broadcast { raw, values: PhantomData })
}

/// The sending end of a broadcast. When the last clone goes, receivers get what is left and
/// then [`Code::StopIteration`](crate::Code).
///
/// What is sent into it is received as exactly that:
/// ```compile_fail
/// use asyncloop::broadcast::{self, Broadcast};
/// asyncloop::block_on(async {
///     let any: Broadcast<fn(&str)> = broadcast::channel(1).unwrap();
///     let long: Broadcast<fn(&'static str)> = any.clone();
/// });
/// ```
pub struct Broadcast<T> {
    raw: Object<sys::aloop_broadcast_sender>,
    values: PhantomData<fn(T) -> T>, // it takes them and, by `subscribe`, gives them
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Broadcast<T> {
        Broadcast { raw: self.raw.clone(), values: PhantomData }
    }
}

impl<T: 'static> Broadcast<T> {
    /// One more receiving end: it gets what is sent from now on.
    pub fn subscribe(&self) -> Result<Subscription<T>> {
        // SAFETY: `raw` is a place for the reference, and the handle is ours.
        let raw = Object::made(|raw| unsafe {
            sys::aloop_broadcast_sender_subscribe(self.raw.raw(), raw)
        })?;
        Ok(Subscription { raw, stash: Stash::default() })
    }

    /// Sends at once, and never waits: to how many ends it goes.
    /// [`Code::BrokenPipe`](crate::Code) if there is none.
    pub fn send(&self, value: T) -> std::result::Result<usize, Rejected<T>> {
        // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
        offer(value, |item| unsafe { sys::aloop_broadcast_sender_send(self.raw.raw(), item) })
            .map(|ends| usize::try_from(ends).unwrap_or(0))
    }

    /// How many ends receive.
    pub fn receivers(&self) -> usize {
        let which = sys::ALOOP_BROADCAST_STAT_RECEIVERS;
        // SAFETY: the handle is a reference of ours.
        let ends = unsafe { sys::aloop_broadcast_sender_statistic(self.raw.raw(), which) };
        usize::try_from(ends).unwrap_or(0)
    }

    /// Closes it for all its clones.
    pub fn close(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_broadcast_sender_close(self.raw.raw()) };
    }
}

/// A receiving end of a broadcast.
pub struct Subscription<T> {
    raw: Object<sys::aloop_broadcast_receiver>,
    stash: Stash<Message<T>>,
}

impl<T: 'static> Subscription<T> {
    /// The next value. [`Code::Lagged`](crate::Code): this end was too slow and has
    /// [missed](Subscription::missed) some; the oldest that is left comes next.
    pub fn recv(&mut self) -> Op<Message<T>> {
        let raw = self.raw.clone();
        // SAFETY: the handle is a reference of ours.
        let make = move || unsafe { sys::aloop_broadcast_receiver_receive(raw.raw()) };
        self.stash.receive(make, Message::take)
    }

    /// The same at once, or [`Code::QueueEmpty`](crate::Code).
    pub fn try_recv(&mut self) -> Result<Message<T>> {
        if let Some(message) = self.stash.pop() {
            return Ok(message);
        }
        // SAFETY: `raw` is a place for the reference, and the handle is ours.
        Message::made(|raw| unsafe {
            sys::aloop_broadcast_receiver_try_receive(self.raw.raw(), raw)
        })
    }

    /// How many values the last [`Code::Lagged`](crate::Code) was about.
    pub fn missed(&self) -> u64 {
        let which = sys::ALOOP_BROADCAST_STAT_MISSED;
        // SAFETY: the handle is a reference of ours.
        let missed = unsafe { sys::aloop_broadcast_receiver_statistic(self.raw.raw(), which) };
        u64::try_from(missed).unwrap_or(0)
    }
}

/// One value that changes, and receivers who want to know.
pub mod watch {
    use super::*;

    /// With a first value.
    pub fn channel<T: 'static>(value: T) -> Result<(Sender<T>, Receiver<T>)> {
        let item = ffi::into_item(value);
        let free: sys::aloop_free_fn = Some(ffi::free_box::<T>);
        // SAFETY: `raw` is a place for the reference.
        let made = Object::made(|raw| unsafe { sys::aloop_watch_new(raw, item, free) });
        let raw = match made {
            Ok(raw) => raw,
            Err(why) => {
                // SAFETY: it came from `into_item` with this type, and nobody else has it.
                drop(unsafe { ffi::from_item::<T>(item) });
                return Err(why);
            }
        };
        let sender = Sender { raw, value: PhantomData };
        let receiver = sender.subscribe()?;
        Ok((sender, receiver))
    }

    /// Sets the value, which is seen as exactly that:
    /// ```compile_fail
    /// use asyncloop::watch::{self, Sender};
    /// fn any(_: &str) {}
    /// asyncloop::block_on(async {
    ///     let (setting, _): (Sender<fn(&str)>, _) = watch::channel(any as fn(&str)).unwrap();
    ///     let long: &Sender<fn(&'static str)> = &setting;
    /// });
    /// ```
    pub struct Sender<T> {
        raw: Object<sys::aloop_watch_sender>,
        value: PhantomData<fn(T) -> T>, // it takes and gives it
    }

    impl<T: 'static> Sender<T> {
        /// A new value. [`Code::BrokenPipe`](crate::Code) if nobody receives.
        pub fn send(&self, value: T) -> std::result::Result<(), Rejected<T>> {
            // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
            offer(value, |item| unsafe { sys::aloop_watch_sender_send(self.raw.raw(), item) })
                .map(drop)
        }

        /// The same, also if nobody receives.
        pub fn replace(&self, value: T) -> std::result::Result<(), Rejected<T>> {
            // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
            offer(value, |item| unsafe { sys::aloop_watch_sender_replace(self.raw.raw(), item) })
                .map(drop)
        }

        /// The value of now.
        pub fn get(&self) -> Result<Message<T>> {
            // SAFETY: `raw` is a place for the reference, and the handle is ours.
            Message::made(|raw| unsafe { sys::aloop_watch_sender_get(self.raw.raw(), raw) })
        }

        /// One more receiver, which has seen the value of now.
        pub fn subscribe(&self) -> Result<Receiver<T>> {
            // SAFETY: `raw` is a place for the reference, and the handle is ours.
            let raw = Object::made(|raw| unsafe {
                sys::aloop_watch_sender_subscribe(self.raw.raw(), raw)
            })?;
            Ok(Receiver { raw, changed: Stash::default(), value: PhantomData })
        }

        /// Waits until no receiver is left.
        pub fn closed(&self) -> Op<()> {
            // SAFETY: the handle is a reference of ours.
            Op::new(unsafe { sys::aloop_watch_sender_closed(self.raw.raw()) }, ffi::nothing)
        }
    }

    /// Looks at the value.
    pub struct Receiver<T> {
        raw: Object<sys::aloop_watch_receiver>,
        changed: Stash<()>, // what was told to a `changed` that was dropped
        value: PhantomData<T>,
    }

    impl<T: 'static> Receiver<T> {
        /// Waits for a value that this end has not seen, and sees it.
        /// [`Code::StopIteration`](crate::Code) when it has seen the last one.
        pub fn changed(&mut self) -> Op<()> {
            let raw = self.raw.clone();
            // SAFETY: the handle is a reference of ours.
            let make = move || unsafe { sys::aloop_watch_receiver_changed(raw.raw()) };
            self.changed.receive(make, ffi::nothing)
        }

        /// Whether there is one.
        pub fn has_changed(&self) -> Result<bool> {
            if self.changed.len() > 0 {
                return Ok(true);
            }
            // SAFETY: the handle is a reference of ours.
            check(unsafe { sys::aloop_watch_receiver_has_changed(self.raw.raw()) })
                .map(|changed| changed > 0)
        }

        /// The value of now.
        pub fn get(&self) -> Result<Message<T>> {
            // SAFETY: `raw` is a place for the reference, and the handle is ours.
            Message::made(|raw| unsafe { sys::aloop_watch_receiver_get(self.raw.raw(), raw) })
        }

        /// The same, and it is seen.
        pub fn get_and_update(&mut self) -> Result<Message<T>> {
            self.changed.clear();
            // SAFETY: `raw` is a place for the reference, and the handle is ours.
            Message::made(|raw| unsafe {
                sys::aloop_watch_receiver_get_and_update(self.raw.raw(), raw)
            })
        }
    }
}
