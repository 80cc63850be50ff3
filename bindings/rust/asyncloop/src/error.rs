//! What went wrong: a code, and where there is more to say, the detail.
//!
//! A Rust error passes through C as the payload of an `aloop_error`, so that what comes
//! out where a task is awaited is what went in, panics included. C code may hang payloads
//! of its own on errors; `OURS` tells them apart.

use crate::ffi;
use asyncloop_sys as sys;
use std::any::Any;
use std::error::Error as StdError;
use std::ffi::{c_void, CStr};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $raw:ident,)*) => {
        /// The status codes of the library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// An error number of the system that has no variant above.
            Os(i32),
            /// A code of the program's own: the number is 0 for `ALOOP_EUSER`, 1 for the next.
            User(u32),
            /// A code that this version does not know.
            Unknown(i64),
        }

        impl Code {
            /// The number that C knows.
            pub fn to_raw(self) -> i64 {
                match self {
                    $(Code::$name => sys::$raw,)*
                    Code::Os(number) => -i64::from(number),
                    Code::User(number) => sys::ALOOP_EUSER - i64::from(number),
                    Code::Unknown(raw) => raw,
                }
            }

            /// The code for a number of C's, which is below 0.
            pub fn from_raw(raw: i64) -> Code {
                match raw {
                    $(sys::$raw => Code::$name,)*
                    raw if raw <= sys::ALOOP_EUSER => match u32::try_from(sys::ALOOP_EUSER - raw) {
                        Ok(number) => Code::User(number),
                        Err(_) => Code::Unknown(raw),
                    },
                    raw if (-4095..0).contains(&raw) => Code::Os(-raw as i32),
                    raw => Code::Unknown(raw),
                }
            }
        }
    };
}

codes! {
    /// A bad argument.
    Invalid = ALOOP_EINVAL,
    /// Out of memory.
    NoMemory = ALOOP_ENOMEM,
    /// This build of the library has it not.
    NotSupported = ALOOP_ENOSYS,
    /// It would have to wait.
    WouldBlock = ALOOP_EAGAIN,
    /// There is one already.
    Exists = ALOOP_EEXIST,
    /// The time was up; asyncio's TimeoutError.
    TimedOut = ALOOP_ETIMEDOUT,
    /// The loop or the object is closed.
    Closed = ALOOP_ESTALE,
    /// It was cancelled; asyncio's CancelledError.
    Canceled = ALOOP_ECANCELED,
    /// Nobody is left at the other end.
    BrokenPipe = ALOOP_EPIPE,
    /// Not done yet, or done already.
    InvalidState = ALOOP_EINVALIDSTATE,
    /// The queue or channel is empty.
    QueueEmpty = ALOOP_EQUEUEEMPTY,
    /// The queue or channel is full.
    QueueFull = ALOOP_EQUEUEFULL,
    /// The queue was shut down.
    QueueShutDown = ALOOP_EQUEUESHUTDOWN,
    /// The barrier was reset or aborted.
    BrokenBarrier = ALOOP_EBROKENBARRIER,
    /// The stream ended too soon.
    IncompleteRead = ALOOP_EINCOMPLETEREAD,
    /// No separator within the limit, or too much output.
    LimitOverrun = ALOOP_ELIMITOVERRUN,
    /// There are no more values.
    StopIteration = ALOOP_ESTOPITERATION,
    /// No loop runs in this thread.
    NoRunningLoop = ALOOP_ENORUNNINGLOOP,
    /// A loop already runs here.
    LoopRunning = ALOOP_ELOOPRUNNING,
    /// The object belongs to another loop.
    WrongLoop = ALOOP_EWRONGLOOP,
    /// Called from another thread, or from the loop's where that would block it.
    WrongThread = ALOOP_EWRONGTHREAD,
    /// It needs a task around it.
    NoTask = ALOOP_ENOTASK,
    /// Several errors: see [`Error::children`].
    Group = ALOOP_EGROUP,
    /// The name does not resolve.
    Resolve = ALOOP_ERESOLVE,
    /// TLS reports a failure.
    Tls = ALOOP_ETLS,
    /// The certificate does not verify.
    TlsCertificate = ALOOP_ETLSCERT,
    /// The peer closed without close_notify.
    TlsTruncated = ALOOP_ETLSTRUNCATED,
    /// A worker process died.
    BrokenPool = ALOOP_EBROKENPOOL,
    /// The value was taken by somebody else.
    ValueTaken = ALOOP_EVALUETAKEN,
    /// The loop stopped before it was done.
    LoopStopped = ALOOP_ELOOPSTOPPED,
    /// Release or notify without acquire.
    NotOwner = ALOOP_ENOTOWNER,
    /// The object is of another type.
    WrongType = ALOOP_EWRONGTYPE,
    /// The executor or group is shut down.
    ShutDown = ALOOP_ESHUTDOWN,
    /// Another operation is under way.
    Busy = ALOOP_EBUSY,
    /// A receiver of a broadcast was too slow and missed values.
    Lagged = ALOOP_ELAGGED,
}

impl Code {
    /// The code's name in C: `"ALOOP_EINVAL"`.
    pub fn name(self) -> &'static str {
        // SAFETY: it takes no pointer.
        ffi::static_text(unsafe { sys::aloop_errname(self.to_raw()) })
    }

    /// A sentence about it.
    pub fn text(self) -> &'static str {
        // SAFETY: it takes no pointer.
        ffi::static_text(unsafe { sys::aloop_strerror(self.to_raw()) })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The code of Rust errors that have none, and of panics.
const FOREIGN: Code = Code::User(0x7273);

/// An error: a [`Code`], and what is known beside it. Cloning is cheap.
#[derive(Clone)]
pub struct Error(Repr);

#[derive(Clone)]
enum Repr {
    Bare(Code),
    Detail(Arc<Detail>),
}

#[derive(Default)]
struct Detail {
    code: Option<Code>,
    message: String,
    location: String,
    cause: Option<Error>,
    children: Vec<Error>,
    partial: Option<Vec<u8>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    is_panic: bool,
}

impl Error {
    fn of(detail: Detail) -> Error {
        Error(Repr::Detail(Arc::new(detail)))
    }

    /// An error with a text.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error::of(Detail { code: Some(code), message: message.into(), ..Detail::default() })
    }

    /// An error of the program's own, by its number.
    pub fn user(number: u32, message: impl Into<String>) -> Error {
        Error::new(Code::User(number), message)
    }

    /// Any other Rust error, which [`source`](StdError::source) gives.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let source = error.into();
        Error::of(Detail {
            code: Some(FOREIGN),
            message: source.to_string(),
            source: Some(source),
            ..Detail::default()
        })
    }

    pub(crate) fn from_panic(payload: Box<dyn Any + Send>) -> Error {
        let what = payload
            .downcast_ref::<&str>()
            .map(|text| text.to_string())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Error::of(Detail {
            code: Some(FOREIGN),
            message: what.map_or_else(|| "panic".into(), |text| format!("panic: {text}")),
            panic: Mutex::new(Some(payload)),
            is_panic: true,
            ..Detail::default()
        })
    }

    pub(crate) fn from_status(status: i64) -> Error {
        Error(Repr::Bare(Code::from_raw(status)))
    }

    fn detail(&self) -> Option<&Detail> {
        match &self.0 {
            Repr::Bare(_) => None,
            Repr::Detail(detail) => Some(detail),
        }
    }

    /// Its code.
    pub fn code(&self) -> Code {
        match &self.0 {
            Repr::Bare(code) => *code,
            Repr::Detail(detail) => detail.code.unwrap_or(FOREIGN),
        }
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        match self.detail() {
            Some(detail) if !detail.message.is_empty() => &detail.message,
            _ => self.code().text(),
        }
    }

    /// `"file:line in function"` where C raised it, or `""`.
    pub fn location(&self) -> &str {
        self.detail().map_or("", |detail| &detail.location)
    }

    /// The errors of a [`Code::Group`].
    pub fn children(&self) -> &[Error] {
        self.detail().map_or(&[], |detail| &detail.children)
    }

    /// What had come when a read failed with [`Code::IncompleteRead`].
    pub fn partial(&self) -> Option<&[u8]> {
        self.detail().and_then(|detail| detail.partial.as_deref())
    }

    /// The same failure, with other bytes.
    pub(crate) fn with_partial(&self, partial: Vec<u8>) -> Error {
        Error::of(Detail {
            code: Some(self.code()),
            message: self.message().into(),
            location: self.location().into(),
            partial: Some(partial),
            ..Detail::default()
        })
    }

    /// Whether it says that something was cancelled.
    pub fn is_canceled(&self) -> bool {
        self.code() == Code::Canceled
    }

    /// Whether it says that the time was up.
    pub fn is_timed_out(&self) -> bool {
        self.code() == Code::TimedOut
    }

    /// Whether a task or job panicked.
    pub fn is_panic(&self) -> bool {
        self.detail().map_or(false, |detail| detail.is_panic)
    }

    /// What it panicked with, for [`std::panic::resume_unwind`]; the first who asks gets it.
    pub fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.detail().and_then(|detail| ffi::lock(&detail.panic).take())
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Error {
        Error(Repr::Bare(code))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        for (i, child) in self.children().iter().enumerate() {
            write!(f, "{}{child}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

/// As `Display`, for what `unwrap` or a `main` that fails shows; `{:#?}` shows the parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let mut out = f.debug_struct("Error");
        out.field("code", &self.code()).field("message", &self.message());
        if !self.location().is_empty() {
            out.field("location", &self.location());
        }
        if !self.children().is_empty() {
            out.field("children", &self.children());
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let detail = self.detail()?;
        match &detail.source {
            Some(source) => Some(&**source),
            None => detail.cause.as_ref().map(|cause| cause as &dyn StdError),
        }
    }
}

impl PartialEq<Code> for Error {
    fn eq(&self, code: &Code) -> bool {
        self.code() == *code
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.code() {
            Code::Os(number) if error.detail().is_none() => {
                return io::Error::from_raw_os_error(number)
            }
            Code::Os(number) => io::Error::from_raw_os_error(number).kind(),
            Code::Invalid => io::ErrorKind::InvalidInput,
            Code::TimedOut => io::ErrorKind::TimedOut,
            Code::Closed => io::ErrorKind::NotConnected,
            Code::BrokenPipe => io::ErrorKind::BrokenPipe,
            Code::WouldBlock => io::ErrorKind::WouldBlock,
            Code::Exists => io::ErrorKind::AlreadyExists,
            Code::IncompleteRead | Code::TlsTruncated => io::ErrorKind::UnexpectedEof,
            Code::LimitOverrun => io::ErrorKind::InvalidData,
            Code::NotSupported => io::ErrorKind::Unsupported,
            Code::NoMemory => io::ErrorKind::OutOfMemory,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        if let Some(own) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return own.clone();
        }
        match error.raw_os_error() {
            Some(number) => Error::from_status(-i64::from(number)),
            None => Error::other(error),
        }
    }
}

/// The number of a status, or the error that it is.
pub(crate) fn check(status: i64) -> Result<i64> {
    if status < 0 {
        Err(Error::from_status(status))
    } else {
        Ok(status)
    }
}

// Through C -------------------------------------------------------------------------------

// The payloads that are boxes of ours, in order.
static OURS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn into_payload(error: &Error) -> *mut c_void {
    let payload = Box::into_raw(Box::new(error.clone())) as usize;
    let mut ours = ffi::lock(&OURS);
    let at = ours.partition_point(|&one| one < payload);
    ours.insert(at, payload);
    payload as *mut c_void
}

unsafe extern "C" fn free_payload(payload: *mut c_void) {
    let at = payload as usize;
    {
        let mut ours = ffi::lock(&OURS);
        if let Ok(index) = ours.binary_search(&at) {
            ours.remove(index);
        }
    }
    ffi::guard(|| drop(Box::from_raw(payload as *mut Error)));
}

/// The error behind a status below 0, with its detail (borrowed, or null).
pub(crate) unsafe fn from_c(status: i64, detail: *mut sys::aloop_error) -> Error {
    if detail.is_null() {
        return Error::from_status(status);
    }
    let payload = sys::aloop_error_payload(detail);
    if !payload.is_null() {
        let ours = ffi::lock(&OURS);
        if ours.binary_search(&(payload as usize)).is_ok() {
            return (*(payload as *const Error)).clone();
        }
    }
    let cause = sys::aloop_error_cause(detail);
    let partial = sys::aloop_error_partial(detail);
    Error::of(Detail {
        code: Some(Code::from_raw(status)),
        message: text_of(sys::aloop_error_message(detail)),
        location: text_of(sys::aloop_error_where(detail)),
        cause: (!cause.is_null()).then(|| from_c(sys::aloop_error_code(cause), cause)),
        children: (0..sys::aloop_error_child_count(detail))
            .map(|i| sys::aloop_error_child(detail, i))
            .map(|child| from_c(sys::aloop_error_code(child), child))
            .collect(),
        partial: (!partial.is_null()).then(|| ffi::bytes(partial)),
        ..Detail::default()
    })
}

unsafe fn text_of(text: *const std::os::raw::c_char) -> String {
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

/// Makes it the failure of the running task or job; the status to return.
pub(crate) fn raise(error: &Error) -> i64 {
    let code = error.code().to_raw();
    if error.detail().is_some() {
        let text = ffi::shown(error.message());
        let free: sys::aloop_free_fn = Some(free_payload);
        // SAFETY: C copies the text.
        unsafe { sys::aloop_raise_payload(code, text.as_ptr(), into_payload(error), free) };
    }
    code
}

/// An error of C, a reference, that carries this one; null when out of memory.
pub(crate) fn to_c(error: &Error) -> *mut sys::aloop_error {
    let text = ffi::shown(error.message());
    let payload = into_payload(error);
    let code = error.code().to_raw();
    // SAFETY: C copies the text.
    unsafe {
        let made = sys::aloop_error_new_payload(code, text.as_ptr(), payload, Some(free_payload));
        if made.is_null() {
            free_payload(payload);
        }
        made
    }
}
