//! asyncio's event loop for Rust, on libasyncloop: tasks with real cancellation, timeouts, groups,
//! queues, channels, locks, streams, TLS, datagrams, files and processes.
//!
//! ```
//! use asyncloop::{block_on, sleep, spawn, timeout};
//! use std::time::Duration;
//!
//! block_on(async {
//!     let task = spawn(async {
//!         sleep(Duration::from_millis(10)).await.unwrap();
//!         6 * 7
//!     });
//!     assert_eq!(timeout(Duration::from_secs(600), task).await.unwrap().unwrap(), 42);
//! });
//! ```
//!
//! A loop runs on the thread that calls [`block_on`], and everything of the loop stays there,
//! which the compiler sees to. Other threads reach it by a [`Handle`].
//!
//! What waits is mostly an [`Op`]: it begins when it is polled and gives a [`Result`]; dropping it
//! cancels what is under it, and loses nothing. Beside that there is asyncio's cancellation,
//! [`JoinHandle::cancel`]: what a task awaits fails with [`Code::Canceled`], and the task
//! may clean up, awaiting.
//!
//! How a future runs: `step.rs`. What an operation is: `op.rs`. What belongs to a loop:
//! `runtime.rs`.
#![warn(missing_docs, missing_debug_implementations)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod broadcast;
mod callback;
pub mod channel;
mod combine;
mod condition;
pub mod datagram;
pub mod debug;
mod error;
pub mod executor;
pub mod fd;
mod ffi;
pub mod fs;
mod group;
mod holders;
#[cfg(feature = "futures-io")]
mod io;
pub mod limit;
#[macro_use]
mod macros;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod net;
mod once;
mod op;
mod opaque;
mod outcome;
pub mod process;
mod promise;
pub mod queue;
mod reading;
mod runtime;
pub mod scope;
pub mod signal;
mod stash;
mod step;
pub mod stream;
pub mod sync;
pub mod task;
pub mod time;
pub mod tls;

pub use broadcast::watch;
pub use channel::{mpsc, oneshot};
pub use combine::{
    as_completed, gather, gather_settled, join_all, select, shield, try_join_all, wait, wait_for,
    AsCompleted, Awaitable, Either, ReturnWhen, Waited,
};
pub use error::{Code, Error, Result};
pub use executor::{spawn_blocking, to_thread, try_to_thread, ProcessPool, ThreadPool};
pub use group::{task_group, TaskGroup};
pub use limit::{Limiter, RateLimiter};
pub use net::{Listener, TcpListener, TcpStream, TlsStream, UnixListener, UnixStream};
pub use once::OnceCell;
pub use op::Op;
pub use process::Command;
pub use promise::Promise;
pub use queue::{Inlet, Queue, Rejected};
pub use runtime::{block_on, Builder, Handle, Runtime};
pub use stream::Stream;
pub use task::{spawn, try_spawn, yield_now, JoinHandle};
pub use time::{interval, sleep, timeout, Instant};
pub use tls::TlsContext;
