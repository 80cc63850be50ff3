//! Connections: reading and writing bytes. asyncio's StreamReader and StreamWriter in one.
//!
//! Bytes that came for a read which was dropped at that very moment lie in `source`, and
//! those that `AsyncBufRead` has shown but not consumed in `ahead`; both come before what C
//! still has.

use crate::error::{check, Code, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::reading::{self, Ahead, Source};
use crate::tls::TlsContext;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::ffi::c_void;
use std::os::unix::io::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::time::Duration;

/// How connections and servers are made.
#[derive(Clone, Default)]
pub struct Options {
    pub(crate) limit: Option<usize>,
    pub(crate) family: Option<i32>,
    pub(crate) local: Option<(String, u16)>,
    pub(crate) happy_eyeballs: Option<Duration>,
    pub(crate) backlog: Option<u16>,
    pub(crate) reuse_address: Option<bool>,
    pub(crate) reuse_port: bool,
    pub(crate) keep_alive: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) max_connections: usize,
    pub(crate) not_serving: bool,
    pub(crate) keep_socket: bool,
    pub(crate) tls: Option<TlsContext>,
    pub(crate) server_hostname: Option<String>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) session: Option<Vec<u8>>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) $field:ident = $value:expr;)*) => {
        impl Options {
            /// The defaults.
            pub fn new() -> Options {
                Options::default()
            }

            $($(#[$doc])*
            pub fn $name(mut self, $($arg: $type),*) -> Options {
                self.$field = $value;
                self
            })*

            /// Of servers: one more host to listen on.
            pub fn add_host(mut self, host: &str) -> Options {
                self.hosts.push(host.into());
                self
            }
        }
    };
}

setters! {
    /// The most bytes that `read_line` and `read_until` look through; default 65536.
    limit(bytes: usize) limit = Some(bytes);
    /// IPv4 alone.
    ipv4() family = Some(2);
    /// IPv6 alone.
    ipv6() family = Some(10);
    /// Where a connection comes from; port 0: any.
    local_address(host: &str, port: u16) local = Some((host.into(), port));
    /// After how long the next address of a name is tried beside the one before (RFC 8305).
    happy_eyeballs(delay: Duration) happy_eyeballs = Some(delay);
    /// Of servers: the length of the kernel's queue; default 100.
    backlog(connections: u16) backlog = Some(connections);
    /// Of servers: SO_REUSEADDR; default true.
    reuse_address(reuse: bool) reuse_address = Some(reuse);
    /// Of servers: SO_REUSEPORT; default false.
    reuse_port(reuse: bool) reuse_port = reuse;
    /// SO_KEEPALIVE; default false.
    keep_alive(keep_alive: bool) keep_alive = keep_alive;
    /// Of servers: how many connections there may be at a time; 0: any number.
    max_connections(n: usize) max_connections = n;
    /// Of servers: bound, but listening from [`start_serving`](crate::Listener::start_serving)
    /// on only.
    not_serving() not_serving = true;
    /// Of servers on Unix sockets: whether the socket's file goes with the server, unless it is
    /// another's by then; default true.
    cleanup_socket(cleanup: bool) keep_socket = !cleanup;
    /// Speaks TLS.
    tls(context: &TlsContext) tls = Some(context.clone());
    /// Of TLS clients: the name that the certificate must be for; default: the host.
    server_hostname(name: &str) server_hostname = Some(name.into());
    /// How long a TLS handshake may take; default 60 seconds.
    tls_handshake_timeout(limit: Duration) handshake_timeout = Some(limit);
    /// How long a TLS connection waits for the peer's close; default 30 seconds.
    tls_shutdown_timeout(limit: Duration) shutdown_timeout = Some(limit);
    /// A session of an earlier connection, to be resumed.
    tls_session(session: &[u8]) session = Some(session.to_vec());
}

impl Options {
    pub(crate) fn make(&self) -> Result<Object<sys::aloop_stream_options>> {
        // SAFETY: it takes no pointer.
        let made = Object::new(unsafe { sys::aloop_stream_options_new() });
        let to = made.raw();
        // SAFETY: C copies the text.
        unsafe {
            if let Some(bytes) = self.limit {
                check(sys::aloop_stream_options_set_limit(to, bytes))?;
            }
            if let Some(family) = self.family {
                check(sys::aloop_stream_options_set_family(to, family))?;
            }
            if let Some((host, port)) = &self.local {
                let host = ffi::text(host.as_str())?;
                let port = i32::from(*port);
                check(sys::aloop_stream_options_set_local_address(to, host.as_ptr(), port))?;
            }
            if let Some(delay) = self.happy_eyeballs {
                let delay = delay.as_secs_f64();
                check(sys::aloop_stream_options_set_happy_eyeballs_delay(to, delay))?;
            }
            if let Some(backlog) = self.backlog {
                check(sys::aloop_stream_options_set_backlog(to, backlog.into()))?;
            }
            if let Some(reuse) = self.reuse_address {
                check(sys::aloop_stream_options_set_reuse_address(to, reuse.into()))?;
            }
            check(sys::aloop_stream_options_set_reuse_port(to, self.reuse_port.into()))?;
            check(sys::aloop_stream_options_set_keep_alive(to, self.keep_alive.into()))?;
            for host in &self.hosts {
                let host = ffi::text(host.as_str())?;
                check(sys::aloop_stream_options_add_host(to, host.as_ptr()))?;
            }
            if self.max_connections > 0 {
                let n = i64::try_from(self.max_connections).unwrap_or(i64::MAX);
                check(sys::aloop_stream_options_set_max_connections(to, n))?;
            }
            check(sys::aloop_stream_options_set_start_serving(to, (!self.not_serving).into()))?;
            check(sys::aloop_stream_options_set_cleanup_socket(to, (!self.keep_socket).into()))?;
            self.make_tls(to)?;
        }
        Ok(made)
    }

    /// The same for a socket that the program made.
    pub(crate) fn make_over(&self, fd: &OwnedFd) -> Result<Object<sys::aloop_stream_options>> {
        let made = self.make()?;
        // SAFETY: the options are a reference of ours.
        check(unsafe { sys::aloop_stream_options_set_descriptor(made.raw(), fd.as_raw_fd()) })?;
        Ok(made)
    }

    unsafe fn make_tls(&self, to: *mut sys::aloop_stream_options) -> Result<()> {
        if let Some(context) = &self.tls {
            check(sys::aloop_stream_options_set_tls(to, context.raw()))?;
        }
        if let Some(name) = &self.server_hostname {
            let name = ffi::text(name.as_str())?;
            check(sys::aloop_stream_options_set_server_hostname(to, name.as_ptr()))?;
        }
        if let Some(limit) = self.handshake_timeout {
            let seconds = limit.as_secs_f64();
            check(sys::aloop_stream_options_set_tls_handshake_timeout(to, seconds))?;
        }
        if let Some(limit) = self.shutdown_timeout {
            let seconds = limit.as_secs_f64();
            check(sys::aloop_stream_options_set_tls_shutdown_timeout(to, seconds))?;
        }
        if let Some(session) = &self.session {
            let bytes = sys::aloop_bytes_new(session.as_ptr() as *const c_void, session.len());
            let status = sys::aloop_stream_options_set_tls_session(to, bytes);
            sys::aloop_bytes_unref(bytes);
            check(status)?;
        }
        Ok(())
    }
}

/// A connection. Dropping it closes it; what was written is still sent. One task may read at
/// a time and one write.
pub struct Stream {
    pub(crate) raw: Object<sys::aloop_stream>,
    pub(crate) closes: Option<Rc<Closes>>,
    source: Rc<Source>,
    pub(crate) ahead: RefCell<Vec<u8>>,
    pub(crate) reading: RefCell<Option<Op<Vec<u8>>>>,
    #[cfg(feature = "futures-io")]
    pub(crate) draining: Option<Op<()>>,
    #[cfg(feature = "futures-io")]
    pub(crate) flushing: Option<Op<()>>,
    #[cfg(feature = "futures-io")]
    pub(crate) closing: Option<Op<()>>,
}

impl Stream {
    pub(crate) fn from_raw(raw: *mut sys::aloop_stream) -> Stream {
        let raw = Object::new(raw);
        Stream {
            source: Source::new(raw.clone()),
            raw,
            closes: None,
            ahead: RefCell::default(),
            reading: RefCell::new(None),
            #[cfg(feature = "futures-io")]
            draining: None,
            #[cfg(feature = "futures-io")]
            flushing: None,
            #[cfg(feature = "futures-io")]
            closing: None,
        }
    }

    /// One of a process, which has a reference to it: closed when this is dropped all the same.
    pub(crate) fn of_process(raw: *mut sys::aloop_stream) -> Stream {
        let mut stream = Stream::from_raw(raw);
        stream.closes = Some(Rc::new(Closes(stream.raw.clone())));
        stream
    }

    pub(crate) fn op(future: *mut sys::aloop_future) -> Op<Stream> {
        Op::new(future, |_, value| Stream::from_raw(value as *mut sys::aloop_stream))
    }

    /// Connects to a host, a name or an address. `asyncio.open_connection`.
    pub fn connect(host: &str, port: u16) -> Op<Stream> {
        Stream::connect_with(host, port, &Options::new())
    }

    /// The same, as the options say.
    pub fn connect_with(host: &str, port: u16, options: &Options) -> Op<Stream> {
        Op::tried(|| {
            let (host, options) = (ffi::text(host)?, options.make()?);
            // SAFETY: the handle is ours, and C copies the text.
            Ok(Stream::op(unsafe {
                sys::aloop_open_connection(host.as_ptr(), port.into(), options.raw())
            }))
        })
    }

    /// Connects to a Unix socket; `"@name"` is an abstract one.
    pub fn connect_unix(path: &str, options: &Options) -> Op<Stream> {
        Op::tried(|| {
            let (path, options) = (ffi::text(path)?, options.make()?);
            // SAFETY: the handle is ours, and C copies the text.
            Ok(Stream::op(unsafe { sys::aloop_open_unix_connection(path.as_ptr(), options.raw()) }))
        })
    }

    /// Two connected streams in memory.
    pub fn pair() -> Result<(Stream, Stream)> {
        let mut b = null_mut();
        // SAFETY: `raw` is a place for the reference.
        let a = Object::made(|a| unsafe { sys::aloop_stream_pair(a, &mut b, null()) })?;
        Ok((Stream::from_raw(a.into_raw()), Stream::from_raw(b)))
    }

    /// Over a connected socket, which becomes the stream's; it is closed where this fails. TLS
    /// over it is [`start_tls`](Stream::start_tls)'s.
    pub fn from_socket(socket: impl IntoRawFd) -> Op<Stream> {
        let fd = owned(socket);
        match Options::new().make_over(&fd) {
            Err(why) => Op::failed(why),
            Ok(options) => {
                // SAFETY: the handle is a reference of ours.
                let op = unsafe { sys::aloop_open_connection(null(), 0, options.raw()) };
                Op::new(op, move |_, value| {
                    let _ = fd.into_raw_fd(); // the stream's from now on
                    Stream::from_raw(value as *mut sys::aloop_stream)
                })
            }
        }
    }

    /// Over the reading end of a pipe, a socket or a device, which becomes the stream's.
    pub fn from_reader(file: impl IntoRawFd) -> Op<Stream> {
        // SAFETY: it takes no pointer.
        Stream::over(file, |fd| unsafe { sys::aloop_connect_read_pipe(fd, null()) })
    }

    /// Over the writing end.
    pub fn from_writer(file: impl IntoRawFd) -> Op<Stream> {
        // SAFETY: it takes no pointer.
        Stream::over(file, |fd| unsafe { sys::aloop_connect_write_pipe(fd, null()) })
    }

    fn over(
        file: impl IntoRawFd,
        connect: impl FnOnce(i32) -> *mut sys::aloop_future,
    ) -> Op<Stream> {
        let fd = file.into_raw_fd();
        let future = connect(fd);
        // SAFETY: it is a reference of ours.
        if future.is_null() || unsafe { sys::aloop_future_result(future, null_mut()) } < 0 {
            // On failure it stays ours.
            // SAFETY: the descriptor was the file's, and C has not taken it.
            drop(unsafe { <std::fs::File as std::os::unix::io::FromRawFd>::from_raw_fd(fd) });
        }
        Stream::op(future)
    }

    // Reading ------------------------------------------------------------------------------

    /// The reading side, where what `AsyncBufRead` has shown goes first.
    fn source(&self) -> &Rc<Source> {
        self.reading.take();
        self.source.put_back(self.ahead.take());
        &self.source
    }

    /// Up to `n` bytes, at least one; none at the end.
    pub fn read(&self, n: usize) -> Op<Vec<u8>> {
        let most = i64::try_from(n).unwrap_or(i64::MAX);
        self.source().read(
            |here| (!here.is_empty()).then(|| n.min(here.len())),
            // SAFETY: the handle is that of the source, which lives.
            move |raw| unsafe { sys::aloop_stream_read(raw, most) },
            move |ahead| ahead.some(n),
        )
    }

    /// All until the end.
    pub fn read_to_end(&self) -> Op<Vec<u8>> {
        // SAFETY: the handle is that of the source, which lives.
        let all = |raw| unsafe { sys::aloop_stream_read(raw, -1) };
        self.source().read(|_| None, all, Ahead::all_to_end)
    }

    /// A line with its `\n`; at the end what is left, perhaps nothing.
    pub fn read_line(&self) -> Op<Vec<u8>> {
        // SAFETY: the handle is that of the source, which lives.
        let line = |raw| unsafe { sys::aloop_stream_readline(raw) };
        self.source().read(reading::end_of_line, line, Ahead::line)
    }

    /// `n` bytes. [`Code::IncompleteRead`](crate::Code) if the stream ends before:
    /// [`Error::partial`](crate::Error::partial) has what came.
    pub fn read_exactly(&self, n: usize) -> Op<Vec<u8>> {
        let all = i64::try_from(n).unwrap_or(i64::MAX);
        self.source().read(
            |here| (!here.is_empty() && here.len() >= n).then_some(n),
            // SAFETY: the handle is that of the source, which lives.
            move |raw| unsafe { sys::aloop_stream_readexactly(raw, all) },
            move |ahead| ahead.exactly(n),
        )
    }

    /// Up to and including the separator.
    pub fn read_until(&self, separator: &[u8]) -> Op<Vec<u8>> {
        self.read_until_any(&[separator])
    }

    /// The same with several; the one that ends first counts.
    pub fn read_until_any(&self, separators: &[&[u8]]) -> Op<Vec<u8>> {
        if separators.iter().any(|one| one.is_empty()) {
            return Op::failed(Code::Invalid.into());
        }
        let separators: Vec<Vec<u8>> = separators.iter().map(|one| one.to_vec()).collect();
        let again = separators.clone();
        self.source().read(
            |here| reading::end_of_first(here, &separators),
            move |raw| reading::read_until(raw, &again),
            {
                let separators = separators.clone();
                move |ahead| ahead.until(separators)
            },
        )
    }

    /// Whether the end was read, and nothing is left.
    pub fn at_eof(&self) -> bool {
        self.ahead.borrow().is_empty()
            && self.source.returned.borrow().is_empty()
            // SAFETY: the handle is a reference of ours.
            && unsafe { sys::aloop_stream_at_eof(self.raw.raw()) > 0 }
    }

    /// Reads wait until [`resume_reading`](Stream::resume_reading).
    pub fn pause_reading(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_stream_pause_reading(self.raw.raw()) }).map(drop)
    }

    /// Reads go on.
    pub fn resume_reading(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_stream_resume_reading(self.raw.raw()) }).map(drop)
    }

    // Writing ------------------------------------------------------------------------------

    /// Sends, or queues, and never waits: how many bytes now wait. [`drain`](Stream::drain)
    /// now and then.
    pub fn write(&self, bytes: &[u8]) -> Result<usize> {
        let data = bytes.as_ptr() as *const c_void;
        // SAFETY: the handle is ours, and C copies the bytes.
        check(unsafe { sys::aloop_stream_write(self.raw.raw(), data, bytes.len()) })
            .map(|waiting| waiting as usize)
    }

    /// The same for several pieces.
    pub fn write_lines(&self, parts: &[&[u8]]) -> Result<usize> {
        let parts: Vec<_> = parts.iter().map(|part| buf(part)).collect();
        // SAFETY: the handle is ours, and C copies the text.
        check(unsafe { sys::aloop_stream_writelines(self.raw.raw(), parts.as_ptr(), parts.len()) })
            .map(|waiting| waiting as usize)
    }

    /// Waits until what was written is mostly sent.
    pub fn drain(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_stream_drain(self.raw.raw()) }, ffi::nothing)
    }

    /// Writes and drains.
    pub async fn send(&self, bytes: &[u8]) -> Result<()> {
        self.write(bytes)?;
        self.drain().await
    }

    /// Ends the sending side once everything is sent.
    pub fn write_eof(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_stream_write_eof(self.raw.raw()) }).map(drop)
    }

    /// Whether the sending side can end by itself.
    pub fn can_write_eof(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_stream_can_write_eof(self.raw.raw()) > 0 }
    }

    /// Above `high` waiting bytes [`drain`](Stream::drain) waits, until they are `low`.
    pub fn set_write_buffer_limits(&self, high: usize, low: usize) -> Result<()> {
        let high = i64::try_from(high).unwrap_or(i64::MAX);
        let low = i64::try_from(low).unwrap_or(i64::MAX);
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_stream_set_write_buffer_limits(self.raw.raw(), high, low) })
            .map(drop)
    }

    /// How many bytes wait to be sent.
    pub fn buffered(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        let waiting = unsafe { sys::aloop_stream_get_write_buffer_size(self.raw.raw()) };
        usize::try_from(waiting).unwrap_or(0)
    }

    /// Sends a file from `offset` on, `count` bytes or to its end: how many.
    pub fn send_file<'a>(
        &self,
        file: &'a impl AsRawFd,
        offset: u64,
        count: Option<u64>,
    ) -> impl std::future::Future<Output = Result<u64>> + 'a {
        let fd = file.as_raw_fd();
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let count = count.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX));
        let op = Op::new(
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_stream_sendfile(self.raw.raw(), fd, offset, count) },
            |sent, _| sent as u64,
        );
        async move {
            let _open = file;
            op.await
        }
    }

    // Closing and the rest -----------------------------------------------------------------

    /// Sends what waits, then closes.
    pub fn close(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_stream_close(self.raw.raw()) };
    }

    /// Closes at once; what waits is dropped.
    pub fn abort(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_stream_abort(self.raw.raw()) };
    }

    /// Whether it was closed, aborted or lost.
    pub fn is_closing(&self) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_stream_is_closing(self.raw.raw()) > 0 }
    }

    /// Waits until it is closed.
    pub fn wait_closed(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_stream_wait_closed(self.raw.raw()) }, ffi::nothing)
    }

    /// Encrypts the connection from here on, as the context's side.
    /// `asyncio.StreamWriter.start_tls`.
    pub fn start_tls(&self, context: &TlsContext, options: &Options) -> Op<()> {
        match options.make() {
            Err(why) => Op::failed(why),
            Ok(options) => Op::new(
                // SAFETY: the handles are references of ours.
                unsafe {
                    sys::aloop_stream_start_tls(self.raw.raw(), context.raw(), options.raw())
                },
                ffi::nothing,
            ),
        }
    }

    /// What is known about the connection by that name: `"peername"`, `"sockname"`, and of
    /// TLS `"tls_version"`, `"cipher"`, `"alpn_protocol"`, `"peercert_subject"` and so on.
    pub fn info(&self, name: &str) -> Option<String> {
        let name = ffi::text(name).ok()?;
        // SAFETY: the handle is ours, and C copies the text.
        ffi::written(|buffer, size| unsafe {
            sys::aloop_stream_get_extra_info(self.raw.raw(), name.as_ptr(), buffer, size)
        })
        .ok()
    }

    /// The other end's address, as `"127.0.0.1:80"`; `""` if it is not known.
    pub fn peer_addr(&self) -> String {
        self.info("peername").unwrap_or_default()
    }

    /// This end's.
    pub fn local_addr(&self) -> String {
        self.info("sockname").unwrap_or_default()
    }

    /// The peer's certificate in DER.
    pub fn peer_certificate(&self) -> Result<Vec<u8>> {
        // SAFETY: the handle is ours, and `bytes` a place for the reference.
        self.secret(|bytes| unsafe {
            sys::aloop_stream_get_peer_certificate(self.raw.raw(), bytes)
        })
    }

    /// The TLS session, for [`Options::tls_session`]: a secret.
    pub fn tls_session(&self) -> Result<Vec<u8>> {
        // SAFETY: the handle is ours, and `bytes` a place for the reference.
        self.secret(|bytes| unsafe { sys::aloop_stream_get_tls_session(self.raw.raw(), bytes) })
    }

    fn secret(&self, get: impl FnOnce(&mut *mut sys::aloop_bytes) -> i64) -> Result<Vec<u8>> {
        let mut bytes = null_mut();
        check(get(&mut bytes))?;
        Ok(ffi::take_bytes(0, bytes as *mut c_void))
    }
}

/// Closes a stream when it goes.
pub(crate) struct Closes(Object<sys::aloop_stream>);

impl Drop for Closes {
    fn drop(&mut self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_stream_close(self.0.raw()) };
    }
}

pub(crate) fn buf(part: &[u8]) -> sys::aloop_buf {
    sys::aloop_buf { base: part.as_ptr() as *const c_void, len: part.len() }
}

/// What closes it until C has taken it over.
pub(crate) fn owned(socket: impl IntoRawFd) -> OwnedFd {
    // SAFETY: the socket gives it up.
    unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) }
}
