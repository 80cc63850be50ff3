//! What the tests share. Each test file is a program that runs its tests in threads side
//! by side, so that `nothing_is_left` waits for the others: it counts the whole process.
#![allow(dead_code)] // not every file uses all of it

use asyncloop::{Builder, Runtime};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// When a test gives up. Nothing that works takes this long, however busy the machine is.
pub const HANG: Duration = Duration::from_secs(300);

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn virtual_runtime() -> Runtime {
    Builder::new().virtual_clock().build().unwrap()
}

pub fn on_virtual<F: Future>(future: F) -> F::Output {
    virtual_runtime().block_on(future)
}

/// The library's own statistics are zero, soon.
pub fn nothing_is_left() {
    let end = Instant::now() + HANG;
    loop {
        let left: Vec<_> = asyncloop::debug::stats().filter(|(_, count)| *count != 0).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "left: {left:?}");
        std::thread::sleep(ms(1));
    }
}

pub fn idle_waker() -> Waker {
    struct Idle;
    impl Wake for Idle {
        fn wake(self: Arc<Self>) {}
    }
    Arc::new(Idle).into()
}

/// What std has from Rust 1.64 on.
pub async fn poll_fn<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    struct Polling<F>(F);
    impl<F> Unpin for Polling<F> {}
    impl<T, F: FnMut(&mut Context<'_>) -> Poll<T>> Future for Polling<F> {
        type Output = T;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
            (self.0)(context)
        }
    }
    Polling(poll).await
}
