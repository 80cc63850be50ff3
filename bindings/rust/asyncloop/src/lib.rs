//! libasyncloop for Rust.
#![warn(missing_docs)]

pub mod broadcast;
mod callback;
pub mod channel;
mod combine;
pub mod datagram;
pub mod debug;
mod error;
pub mod executor;
pub mod fd;
mod ffi;
pub mod fs;
mod group;
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
mod outcome;
pub mod process;
mod promise;
pub mod queue;
mod runtime;
pub mod scope;
pub mod signal;
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
