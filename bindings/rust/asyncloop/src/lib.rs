//! libasyncloop for Rust.
#![warn(missing_docs)]
#![allow(dead_code)]

mod callback;
mod combine;
pub mod debug;
mod error;
mod ffi;
#[macro_use]
mod macros;
mod op;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod runtime;
mod step;
pub mod task;
pub mod time;

pub use combine::{
    as_completed, gather, gather_settled, join_all, select, shield, try_join_all, wait, wait_for,
    AsCompleted, Awaitable, Either, ReturnWhen, Waited,
};
pub use error::{Code, Error, Result};
pub use op::Op;
pub use runtime::{block_on, Builder, Handle, Runtime};
pub use task::{spawn, try_spawn, yield_now, JoinHandle};
pub use time::{interval, sleep, timeout, Instant};
