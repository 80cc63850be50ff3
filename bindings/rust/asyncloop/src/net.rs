//! Sockets: `TcpStream`, `UnixStream` and `TlsStream`, listeners, and servers that spawn a task for
//! each connection.

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::stream::{owned, Options, Stream};
use crate::task::{Builder, JoinHandle};
use crate::tls::TlsContext;
use asyncloop_sys as sys;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::os::unix::io::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::time::Duration;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub struct $name(Stream);

        impl Deref for $name {
            type Target = Stream;

            fn deref(&self) -> &Stream {
                &self.0
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Stream {
                &mut self.0
            }
        }

        impl From<$name> for Stream {
            fn from(of: $name) -> Stream {
                of.0
            }
        }

        #[cfg(feature = "futures-io")]
        impl futures_io::AsyncRead for $name {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
            }
        }

        #[cfg(feature = "futures-io")]
        impl futures_io::AsyncBufRead for $name {
            fn poll_fill_buf(
                self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<&[u8]>> {
                std::pin::Pin::new(&mut self.get_mut().0).poll_fill_buf(context)
            }

            fn consume(mut self: std::pin::Pin<&mut Self>, n: usize) {
                std::pin::Pin::new(&mut self.0).consume(n);
            }
        }

        #[cfg(feature = "futures-io")]
        impl futures_io::AsyncWrite for $name {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.0).poll_write(context, bytes)
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.0).poll_flush(context)
            }

            fn poll_close(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.0).poll_close(context)
            }
        }
    )*};
}

kinds! {
    /// A [`Stream`] over TCP.
    TcpStream,
    /// A [`Stream`] over a Unix socket.
    UnixStream,
    /// A [`Stream`] that is encrypted.
    TlsStream,
}

impl TcpStream {
    /// Connects to a host, a name or an address.
    pub async fn connect(host: &str, port: u16) -> Result<TcpStream> {
        Stream::connect(host, port).await.map(TcpStream)
    }
}

impl UnixStream {
    /// Connects to a Unix socket; `"@name"` is an abstract one.
    pub async fn connect(path: &str) -> Result<UnixStream> {
        Stream::connect_unix(path, &Options::new()).await.map(UnixStream)
    }
}

impl TlsStream {
    /// Connects, and shakes hands.
    pub async fn connect(host: &str, port: u16, context: &TlsContext) -> Result<TlsStream> {
        let options = Options::new().tls(context);
        Stream::connect_with(host, port, &options).await.map(TlsStream)
    }

    /// Encrypts a connection, as the context's side; `name` is the one that a server's
    /// certificate must be for.
    pub async fn upgrade(
        stream: impl Into<Stream>,
        context: &TlsContext,
        name: Option<&str>,
    ) -> Result<TlsStream> {
        let mut options = Options::new();
        if let Some(name) = name {
            options = options.server_hostname(name);
        }
        let stream = stream.into();
        stream.start_tls(context, &options).await?;
        Ok(TlsStream(stream))
    }
}

/// A server: it listens, and gives connections by [`accept`](Listener::accept). It listens
/// until it is closed or dropped. `asyncio.start_server`.
///
/// A connection whose `accept` was dropped at the very moment when it came goes to the next
/// one; if others wait already, which C gives only new ones, it is closed.
pub struct Listener {
    raw: Object<sys::aloop_server>,
    returned: Rc<RefCell<VecDeque<Stream>>>,
    waiting: Rc<Cell<usize>>, // how many wait in C
}

/// One that waits in C.
struct Waiting(Rc<Cell<usize>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Listener {
    /// Listens on TCP; host `""`: every address of this machine, port 0: any.
    pub fn bind(host: &str, port: u16) -> Op<Listener> {
        Listener::bind_with(host, port, &Options::new())
    }

    /// The same, as the options say.
    pub fn bind_with(host: &str, port: u16, options: &Options) -> Op<Listener> {
        Op::tried(|| {
            let (host, options) = (ffi::text(host)?, options.make()?);
            // SAFETY: the handle is ours, and C copies the text.
            Ok(Listener::op(unsafe {
                sys::aloop_start_server(None, null_mut(), host.as_ptr(), port.into(), options.raw())
            }))
        })
    }

    /// Listens on a Unix socket; `"@name"` is an abstract one.
    pub fn bind_unix(path: &str, options: &Options) -> Op<Listener> {
        Op::tried(|| {
            let (path, options) = (ffi::text(path)?, options.make()?);
            // SAFETY: the handle is ours, and C copies the text.
            Ok(Listener::op(unsafe {
                sys::aloop_start_unix_server(None, null_mut(), path.as_ptr(), options.raw())
            }))
        })
    }

    /// Listens on a bound socket, which becomes the server's; it is closed where this fails.
    pub fn from_socket(socket: impl IntoRawFd, options: &Options) -> Op<Listener> {
        let fd = owned(socket);
        let options = match options.make_over(&fd) {
            Err(why) => return Op::failed(why),
            Ok(options) => options.into_raw(),
        };
        // SAFETY: the options are a reference of ours, which goes when C has looked.
        let op = unsafe {
            let op = if is_unix(&fd) {
                sys::aloop_start_unix_server(None, null_mut(), null(), options)
            } else {
                sys::aloop_start_server(None, null_mut(), null(), 0, options)
            };
            sys::aloop_unref(options as *mut c_void);
            op
        };
        Op::new(op, move |_, value| {
            let _ = fd.into_raw_fd(); // the server's from now on
            Listener::from_raw(value)
        })
    }

    fn from_raw(raw: *mut c_void) -> Listener {
        Listener {
            raw: Object::new(raw as *mut sys::aloop_server),
            returned: Rc::default(),
            waiting: Rc::default(),
        }
    }

    fn op(future: *mut sys::aloop_future) -> Op<Listener> {
        Op::new(future, |_, value| Listener::from_raw(value))
    }

    /// Listens, after [`Options::not_serving`]. Again: nothing.
    pub fn start_serving(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_server_start_serving(self.raw.raw()) }, ffi::nothing)
    }

    /// The next connection. [`Code::Closed`](crate::Code) once the server is.
    pub fn accept(&self) -> Op<Stream> {
        let (returned, waiting) = (self.returned.clone(), self.waiting.clone());
        let back = move |stream| {
            if waiting.get() == 0 {
                returned.borrow_mut().push_back(stream);
            }
        };
        let first = self.returned.borrow_mut().pop_front();
        if let Some(stream) = first {
            return Op::ready(stream).or_undo(back);
        }
        self.waiting.set(self.waiting.get() + 1);
        let one = Waiting(self.waiting.clone());
        // SAFETY: the handle is a reference of ours.
        let op = Op::new(unsafe { sys::aloop_server_accept(self.raw.raw()) }, move |_, value| {
            drop(one);
            Stream::from_raw(value as *mut sys::aloop_stream)
        });
        op.or_undo(back)
    }

    /// Spawns a task for each connection, until the server is closed or this is cancelled. A
    /// task that fails is reported to the loop's exception handler.
    pub async fn serve<F>(&self, mut handler: impl FnMut(Stream) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + 'static,
    {
        loop {
            match self.accept().await {
                Ok(stream) => drop::<JoinHandle<()>>(Builder::new().try_spawn(handler(stream))),
                Err(why) if why == crate::Code::Closed => return Ok(()),
                Err(why) => return Err(why),
            }
        }
    }

    /// The port on which it listens; 0 over Unix sockets, and once it is closed.
    pub fn port(&self) -> u16 {
        // SAFETY: the handle is a reference of ours.
        let port = unsafe { sys::aloop_server_port(self.raw.raw(), 0) };
        u16::try_from(port).unwrap_or(0)
    }

    /// Whether it listens.
    pub fn is_serving(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_server_is_serving(self.raw.raw()) > 0 }
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        let n = unsafe { sys::aloop_server_connections(self.raw.raw(), null_mut(), 0) };
        usize::try_from(n).unwrap_or(0)
    }

    /// Listens no more; the connections stay.
    pub fn close(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_server_close(self.raw.raw()) };
        drop(self.returned.take()); // nobody comes for these
    }

    /// Waits until it is closed and its last connection is.
    pub fn wait_closed(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_server_wait_closed(self.raw.raw()) }, ffi::nothing)
    }

    /// Closes it and waits for its connections, `limit` at most: [`Code::TimedOut`](crate::Code)
    /// names those that are still open.
    pub fn shut_down(&self, limit: Duration) -> Op<()> {
        let seconds = limit.as_secs_f64();
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_server_shutdown(self.raw.raw(), seconds) }, ffi::nothing)
    }

    /// Closes every connection.
    pub fn close_clients(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_server_close_clients(self.raw.raw()) }).map(drop)
    }

    /// Aborts every connection.
    pub fn abort_clients(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_server_abort_clients(self.raw.raw()) }).map(drop)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

fn is_unix(fd: &OwnedFd) -> bool {
    // SAFETY: the descriptor is open, and is taken out again: `into_raw_fd`.
    let over = unsafe { std::os::unix::net::UnixListener::from_raw_fd(fd.as_raw_fd()) };
    let found = over.local_addr().is_ok(); // fails for every other family
    let _ = over.into_raw_fd();
    found
}

/// A [`Listener`] that gives [`TcpStream`]s.
pub struct TcpListener(Listener);

impl TcpListener {
    /// Listens; host `""`: every address of this machine, port 0: any.
    pub async fn bind(host: &str, port: u16) -> Result<TcpListener> {
        Listener::bind(host, port).await.map(TcpListener)
    }

    /// The next connection.
    pub async fn accept(&self) -> Result<TcpStream> {
        self.0.accept().await.map(TcpStream)
    }
}

/// A [`Listener`] that gives [`UnixStream`]s.
pub struct UnixListener(Listener);

impl UnixListener {
    /// Listens; `"@name"` is an abstract socket.
    pub async fn bind(path: &str) -> Result<UnixListener> {
        Listener::bind_unix(path, &Options::new()).await.map(UnixListener)
    }

    /// The next connection.
    pub async fn accept(&self) -> Result<UnixStream> {
        self.0.accept().await.map(UnixStream)
    }
}

impl Deref for TcpListener {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.0
    }
}

impl Deref for UnixListener {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.0
    }
}
