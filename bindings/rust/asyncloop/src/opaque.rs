//! `Debug` for everything public: what has one of these can derive it, and `unwrap_err` works.
//! Most is C's, and shows its name alone; what gives a value shows that.

use std::fmt::{Debug, Formatter, Result};

macro_rules! opaque {
    ($($name:literal $type:ty $(, $of:ident $(: $bound:path)?)?;)*) => {$(
        impl $(<$of $(: $bound)?>)? Debug for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        }
    )*};
}

opaque! {
    "Builder" crate::Builder;
    "Runtime" crate::Runtime;
    "Handle" crate::Handle;
    "Builder" crate::task::Builder;
    "JoinHandle" crate::JoinHandle<T>, T;
    "Op" crate::Op<T>, T;
    "Promise" crate::Promise<T>, T;
    "AsCompleted" crate::AsCompleted<T>, T;
    "TaskGroup" crate::TaskGroup;
    "Builder" crate::scope::Builder;
    "Scope" crate::scope::Scope;
    "Timeout" crate::time::Timeout<F>, F;
    "Interval" crate::time::Interval;
    "Timer" crate::time::Timer;
    "Lock" crate::sync::Lock;
    "LockGuard" crate::sync::LockGuard;
    "Mutex" crate::sync::Mutex<T>, T;
    "Event" crate::sync::Event;
    "Condition" crate::sync::Condition;
    "Semaphore" crate::sync::Semaphore;
    "Permit" crate::sync::Permit;
    "Barrier" crate::sync::Barrier;
    "ReadWriteLock" crate::sync::ReadWriteLock;
    "ReadGuard" crate::sync::ReadGuard;
    "WriteGuard" crate::sync::WriteGuard;
    "RwLock" crate::sync::RwLock<T>, T;
    "OnceCell" crate::OnceCell<T>, T;
    "Limiter" crate::Limiter;
    "Token" crate::limit::Token;
    "RateLimiter" crate::RateLimiter;
    "Queue" crate::Queue<T>, T;
    "Inlet" crate::Inlet<T>, T;
    "Sender" crate::mpsc::Sender<T>, T;
    "Receiver" crate::mpsc::Receiver<T>, T;
    "Sender" crate::oneshot::Sender<T>, T;
    "Receiver" crate::oneshot::Receiver<T>, T;
    "Broadcast" crate::broadcast::Broadcast<T>, T;
    "Subscription" crate::broadcast::Subscription<T>, T;
    "Sender" crate::watch::Sender<T>, T;
    "Receiver" crate::watch::Receiver<T>, T;
    "Stream" crate::Stream;
    "Options" crate::stream::Options;
    "TcpStream" crate::TcpStream;
    "UnixStream" crate::UnixStream;
    "TlsStream" crate::TlsStream;
    "Listener" crate::Listener;
    "TcpListener" crate::TcpListener;
    "UnixListener" crate::UnixListener;
    "TlsContext" crate::TlsContext;
    "Datagram" crate::datagram::Datagram;
    "File" crate::fs::File;
    "Metadata" crate::fs::Metadata;
    "Watch" crate::fs::Watch;
    "Command" crate::Command;
    "Child" crate::process::Child;
    "Signal" crate::signal::Signal;
    "AsyncFd" crate::fd::AsyncFd<F>, F: std::os::unix::io::AsRawFd;
    "ThreadPool" crate::ThreadPool;
    "ProcessPool" crate::ProcessPool;
}

macro_rules! shown {
    ($($type:ty;)*) => {$(
        impl<T: Debug> Debug for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                T::fmt(self, f)
            }
        }
    )*};
}

shown! {
    crate::sync::MutexGuard<'_, T>;
    crate::sync::Reading<'_, T>;
    crate::sync::Writing<'_, T>;
    crate::broadcast::Message<T>;
}
