//! Channels between the tasks of one loop: an end to send into and an end to receive from,
//! each of which knows when nobody is left on the other side. Beyond asyncio.

/// Many senders, one receiver.
pub mod mpsc {
    use crate::error::{check, Result};
    use crate::ffi::{self, Object};
    use crate::op::Op;
    use crate::queue::{offer, Rejected};
    use crate::stash::Stash;
    use asyncloop_sys as sys;
    use std::marker::PhantomData;
    use std::ptr::null_mut;

    /// A channel that holds `capacity` items, at least one.
    pub fn channel<T: 'static>(capacity: usize) -> Result<(Sender<T>, Receiver<T>)> {
        make(i64::try_from(capacity.max(1)).unwrap_or(i64::MAX))
    }

    /// A channel that holds any number of items.
    pub fn unbounded<T: 'static>() -> Result<(Sender<T>, Receiver<T>)> {
        make(0)
    }

    fn make<T: 'static>(capacity: i64) -> Result<(Sender<T>, Receiver<T>)> {
        let mut receiver = null_mut();
        let free: sys::aloop_free_fn = Some(ffi::free_box::<T>);
        // SAFETY: `raw` is a place for the reference.
        let sender = Object::made(|sender| unsafe {
            sys::aloop_channel_new(sender, &mut receiver, capacity, free)
        })?;
        Ok(ends(sender, Object::new(receiver)))
    }

    pub(super) fn ends<T>(
        sender: Object<sys::aloop_sender>,
        receiver: Object<sys::aloop_receiver>,
    ) -> (Sender<T>, Receiver<T>) {
        (
            Sender { raw: sender, items: PhantomData },
            Receiver { raw: receiver, stash: Stash::default() },
        )
    }

    /// The sending end. When the last clone goes, the receiver gets what is left, and then
    /// [`Code::StopIteration`](crate::Code).
    pub struct Sender<T> {
        raw: Object<sys::aloop_sender>,
        items: PhantomData<fn(T)>,
    }

    impl<T> Clone for Sender<T> {
        fn clone(&self) -> Sender<T> {
            Sender { raw: self.raw.clone(), items: PhantomData }
        }
    }

    impl<T: 'static> Sender<T> {
        /// Waits until there is room. [`Code::BrokenPipe`](crate::Code) when the receiver is
        /// gone. An item whose `send` fails or is dropped is dropped.
        pub fn send(&self, item: T) -> Op<()> {
            // SAFETY: the handle is ours, and the item is C's from here on, also if it gives NULL.
            let op = unsafe { sys::aloop_sender_send(self.raw.raw(), ffi::into_item(item)) };
            Op::new(op, ffi::nothing)
        }

        /// The same at once, or [`Code::QueueFull`](crate::Code).
        pub fn try_send(&self, item: T) -> std::result::Result<(), Rejected<T>> {
            // SAFETY: the handle is ours; the item is C's if this succeeds, else `offer`'s.
            offer(item, |item| unsafe { sys::aloop_sender_try_send(self.raw.raw(), item) })
                .map(drop)
        }

        /// Closes this end for all its clones.
        pub fn close(&self) {
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_sender_close(self.raw.raw()) };
        }

        /// Whether nobody receives any more.
        pub fn is_closed(&self) -> bool {
            let which = sys::ALOOP_CHANNEL_STAT_RECEIVER_OPEN;
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_sender_statistic(self.raw.raw(), which) <= 0 }
        }
    }

    /// The receiving end.
    pub struct Receiver<T> {
        raw: Object<sys::aloop_receiver>,
        stash: Stash<T>,
    }

    impl<T: 'static> Receiver<T> {
        /// Waits for an item; dropped, it loses none. [`Code::StopIteration`](crate::Code) when
        /// the channel is empty and no sender is left.
        pub fn recv(&mut self) -> Op<T> {
            let raw = self.raw.clone();
            // SAFETY: the handle is a reference of ours.
            let make = move || unsafe { sys::aloop_receiver_receive(raw.raw()) };
            self.stash.receive(make, ffi::take_item)
        }

        /// The same at once, or [`Code::QueueEmpty`](crate::Code).
        pub fn try_recv(&mut self) -> Result<T> {
            if let Some(item) = self.stash.pop() {
                return Ok(item);
            }
            let mut item = null_mut();
            // SAFETY: the handle is ours, and C writes to a place of that type.
            check(unsafe { sys::aloop_receiver_try_receive(self.raw.raw(), &mut item) })?;
            // SAFETY: it came from `into_item` with this type, and nobody else has it.
            Ok(unsafe { ffi::from_item(item) })
        }

        /// Closes it: what is left is dropped.
        pub fn close(&mut self) {
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_receiver_close(self.raw.raw()) };
            drop(self.stash.clear());
        }

        /// How many items are there.
        pub fn len(&self) -> usize {
            let which = sys::ALOOP_CHANNEL_STAT_ITEMS;
            // SAFETY: the handle is a reference of ours.
            let items = unsafe { sys::aloop_receiver_statistic(self.raw.raw(), which) };
            usize::try_from(items).unwrap_or(0) + self.stash.len()
        }

        /// Whether there are none.
        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }
}

/// One value, from one task to another.
pub mod oneshot {
    use super::mpsc;
    use crate::error::Result;
    use crate::ffi::{self, Object};
    use crate::op::Op;
    use crate::queue::Rejected;
    use asyncloop_sys as sys;
    use std::future::Future;
    use std::pin::Pin;
    use std::ptr::null_mut;
    use std::task::{Context, Poll};

    /// A channel for one value.
    pub fn channel<T: 'static>() -> Result<(Sender<T>, Receiver<T>)> {
        let mut receiver = null_mut();
        let free: sys::aloop_free_fn = Some(ffi::free_box::<T>);
        let sender =
            // SAFETY: `raw` is a place for the reference.
            Object::made(|sender| unsafe { sys::aloop_oneshot_new(sender, &mut receiver, free) })?;
        let (sender, receiver) = mpsc::ends(sender, Object::new(receiver));
        Ok((Sender(sender), Receiver { end: receiver, op: None }))
    }

    /// Sends the value.
    pub struct Sender<T>(mpsc::Sender<T>);

    impl<T: 'static> Sender<T> {
        /// Sends it; it comes back if nobody receives any more.
        pub fn send(self, value: T) -> std::result::Result<(), Rejected<T>> {
            self.0.try_send(value)
        }

        /// Whether nobody receives any more.
        pub fn is_closed(&self) -> bool {
            self.0.is_closed()
        }
    }

    /// A future that gives the value; [`Code::StopIteration`](crate::Code) if the sender is
    /// dropped.
    pub struct Receiver<T> {
        end: mpsc::Receiver<T>,
        op: Option<Op<T>>,
    }

    impl<T> Unpin for Receiver<T> {}

    impl<T: 'static> Future for Receiver<T> {
        type Output = Result<T>;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
            let this = &mut *self;
            let op = this.op.get_or_insert_with(|| this.end.recv());
            Pin::new(op).poll(context)
        }
    }
}
