//! Files without blocking the loop, and watching a path for changes. Beyond asyncio.
//!
//! Each function starts its work at once, in threads of the loop's own. On one file one call
//! runs at a time, in the order of the calls.

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use crate::stash::Stash;
use crate::tls::path as c_path;
use asyncloop_sys as sys;
use std::ffi::{c_void, CStr, OsStr, OsString};
use std::io::SeekFrom;
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

const O_WRONLY: i32 = 0o1;
const O_RDWR: i32 = 0o2;
const O_CREAT: i32 = 0o100;
const O_EXCL: i32 = 0o200;
const O_TRUNC: i32 = 0o1000;
const O_APPEND: i32 = 0o2000;

/// How a file is opened, as [`std::fs::OpenOptions`].
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    flags: i32,
    mode: Option<i32>,
}

impl OpenOptions {
    /// Nothing is set.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// For reading.
    pub fn read(&mut self) -> &mut OpenOptions {
        self.read = true;
        self
    }

    /// For writing.
    pub fn write(&mut self) -> &mut OpenOptions {
        self.write = true;
        self
    }

    /// Each write goes to the end.
    pub fn append(&mut self) -> &mut OpenOptions {
        self.flags |= O_APPEND;
        self.write()
    }

    /// It is emptied.
    pub fn truncate(&mut self) -> &mut OpenOptions {
        self.flags |= O_TRUNC;
        self
    }

    /// It is made if it is not there.
    pub fn create(&mut self) -> &mut OpenOptions {
        self.flags |= O_CREAT;
        self
    }

    /// It is made, and must not be there.
    pub fn create_new(&mut self) -> &mut OpenOptions {
        self.flags |= O_CREAT | O_EXCL;
        self
    }

    /// The permissions of a file that is made; default 0o666.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.mode = Some(mode as i32);
        self
    }

    /// Opens it.
    pub fn open(&self, path: impl AsRef<Path>) -> Op<File> {
        let access = match (self.read, self.write) {
            (true, true) => O_RDWR,
            (false, true) => O_WRONLY,
            _ => 0,
        };
        let path = match c_path(path.as_ref()) {
            Ok(path) => path,
            Err(why) => return Op::failed(why),
        };
        let mode = self.mode.unwrap_or(0o666);
        // SAFETY: C copies the text.
        let op = unsafe { sys::aloop_file_open(path.as_ptr(), access | self.flags, mode) };
        Op::new(op, |_, value| File(Object::new(value as *mut sys::aloop_file)))
    }
}

/// An open file. Dropping it closes it.
pub struct File(Object<sys::aloop_file>);

impl File {
    /// For reading.
    pub fn open(path: impl AsRef<Path>) -> Op<File> {
        OpenOptions::new().read().open(path)
    }

    /// For writing, emptied.
    pub fn create(path: impl AsRef<Path>) -> Op<File> {
        OpenOptions::new().write().create().truncate().open(path)
    }

    /// Up to `n` bytes from its position on; none at the end.
    pub fn read(&self, n: usize) -> Op<Vec<u8>> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_read(self.0.raw(), n) }, ffi::take_bytes)
    }

    /// The same from an offset, which does not move the position.
    pub fn read_at(&self, n: usize, offset: u64) -> Op<Vec<u8>> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_pread(self.0.raw(), n, offset as i64) }, ffi::take_bytes)
    }

    /// Writes all of it.
    pub fn write_all(&self, bytes: &[u8]) -> Op<()> {
        let data = bytes.as_ptr() as *const c_void;
        // SAFETY: the handle is ours, and C copies the bytes.
        Op::new(unsafe { sys::aloop_file_write(self.0.raw(), data, bytes.len()) }, ffi::nothing)
    }

    /// The same at an offset.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> Op<()> {
        let data = bytes.as_ptr() as *const c_void;
        let offset = offset as i64;
        // SAFETY: the handle is ours, and C copies the bytes.
        let op = unsafe { sys::aloop_file_pwrite(self.0.raw(), data, bytes.len(), offset) };
        Op::new(op, ffi::nothing)
    }

    /// Moves the position, and gives the new one.
    pub fn seek(&self, to: SeekFrom) -> Op<u64> {
        let (offset, whence) = match to {
            SeekFrom::Start(offset) => (offset as i64, 0),
            SeekFrom::Current(offset) => (offset, 1),
            SeekFrom::End(offset) => (offset, 2),
        };
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_file_seek(self.0.raw(), offset, whence) };
        Op::new(op, |position, _| position as u64)
    }

    /// What is known about it.
    pub fn metadata(&self) -> Op<Metadata> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_fstat(self.0.raw()) }, Metadata::take)
    }

    /// Has all of it on the disk.
    pub fn sync_all(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_fsync(self.0.raw()) }, ffi::nothing)
    }

    /// Has its data on the disk.
    pub fn sync_data(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_fdatasync(self.0.raw()) }, ffi::nothing)
    }

    /// Cuts or extends it.
    pub fn set_len(&self, size: u64) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_truncate(self.0.raw(), size as i64) }, ffi::nothing)
    }

    /// Closes it behind the calls that were made before.
    pub fn close(self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_file_close(self.0.raw()) }, ffi::nothing)
    }
}

/// What is known about a file.
pub struct Metadata(Object<sys::aloop_file_stat>);

impl Metadata {
    fn take(_status: i64, value: *mut c_void) -> Metadata {
        Metadata(Object::new(value as *mut sys::aloop_file_stat))
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_file_stat_size(self.0.raw()) as u64 }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its type and permissions, as `st_mode`.
    pub fn mode(&self) -> u32 {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_file_stat_mode(self.0.raw()) as u32 }
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.mode() & 0o170000 == 0o040000
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode() & 0o170000 == 0o100000
    }

    /// When it was written last.
    pub fn modified(&self) -> SystemTime {
        // SAFETY: the handle is a reference of ours.
        let seconds = unsafe { sys::aloop_file_stat_mtime(self.0.raw()) };
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0))
    }
}

fn with_path<T: 'static>(path: &Path, begin: impl FnOnce(&CStr) -> Op<T>) -> Op<T> {
    Op::tried(|| Ok(begin(&c_path(path)?)))
}

/// All of a file.
pub fn read(path: impl AsRef<Path>) -> Op<Vec<u8>> {
    with_path(path.as_ref(), |path| {
        // SAFETY: C copies the text.
        Op::new(unsafe { sys::aloop_read_file(path.as_ptr(), -1) }, ffi::take_bytes)
    })
}

/// Puts a file with these bytes in the place of `path`, at once: a reader sees the old one or
/// the new one, whole.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Op<()> {
    with_path(path.as_ref(), |path| {
        let data = bytes.as_ptr() as *const c_void;
        // SAFETY: C copies the text and the bytes.
        Op::new(unsafe { sys::aloop_write_file(path.as_ptr(), data, bytes.len()) }, ffi::nothing)
    })
}

/// What is known about a file.
pub fn metadata(path: impl AsRef<Path>) -> Op<Metadata> {
    with_path(path.as_ref(), |path| {
        // SAFETY: C copies the text.
        Op::new(unsafe { sys::aloop_stat_file(path.as_ptr(), 1) }, Metadata::take)
    })
}

/// A name of the system's, whose text is borrowed; NULL: none.
unsafe fn os_text(text: *const c_char) -> OsString {
    if text.is_null() {
        return OsString::new();
    }
    OsStr::from_bytes(CStr::from_ptr(text).to_bytes()).into()
}

/// The names in a directory, in no order.
pub fn read_dir(path: impl AsRef<Path>) -> Op<Vec<OsString>> {
    with_path(path.as_ref(), |path| {
        // SAFETY: C copies the text.
        let op = unsafe { sys::aloop_list_directory(path.as_ptr()) };
        // SAFETY: the value is a list of names, which lives for as long as we look.
        Op::new(op, |_, value| unsafe {
            let names = Object::new(value as *mut sys::aloop_file_names);
            (0..sys::aloop_file_names_count(names.raw()))
                .map(|i| os_text(sys::aloop_file_names_at(names.raw(), i)))
                .collect()
        })
    })
}

/// What happened to a watched path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Created,
    /// It was written to.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, or comes from or went elsewhere.
    Moved,
    /// Its attributes changed.
    Attributes,
    /// More happened than was kept: look for yourself.
    Overflow,
}

/// A change, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// To which name in the directory; `""`: the watched path itself.
    pub name: OsString,
    /// What a moved one was called.
    pub old_name: OsString,
    /// Whether it is a directory.
    pub is_dir: bool,
}

impl Event {
    fn take(_status: i64, value: *mut c_void) -> Event {
        let event = Object::new(value as *mut sys::aloop_file_event);
        type Text = unsafe extern "C" fn(*const sys::aloop_file_event) -> *const c_char;
        // SAFETY: the handle is a reference of ours.
        let text = |get: Text| unsafe { os_text(get(event.raw())) };
        // SAFETY: the handle is a reference of ours.
        let kind = unsafe { sys::aloop_file_event_kind(event.raw()) } as i32;
        Event {
            change: match kind {
                sys::ALOOP_FILE_CREATED => Change::Created,
                sys::ALOOP_FILE_MODIFIED => Change::Modified,
                sys::ALOOP_FILE_DELETED => Change::Deleted,
                sys::ALOOP_FILE_MOVED => Change::Moved,
                sys::ALOOP_FILE_ATTRIBUTES => Change::Attributes,
                _ => Change::Overflow,
            },
            name: text(sys::aloop_file_event_name),
            old_name: text(sys::aloop_file_event_old_name),
            // SAFETY: the handle is a reference of ours.
            is_dir: unsafe { sys::aloop_file_event_is_directory(event.raw()) > 0 },
        }
    }
}

/// Watches a file, or what is directly in a directory.
pub struct Watch {
    raw: Object<sys::aloop_file_watch>,
    stash: Stash<Event>,
}

impl Watch {
    /// From now on.
    pub fn new(path: impl AsRef<Path>) -> Result<Watch> {
        let path = c_path(path.as_ref())?;
        // SAFETY: `raw` is a place for the reference, and C copies the text.
        let raw = Object::made(|raw| unsafe { sys::aloop_file_watch_new(raw, path.as_ptr()) })?;
        Ok(Watch { raw, stash: Stash::default() })
    }

    /// Waits for the next change. [`Code::StopIteration`](crate::Code) when the path itself
    /// is gone, after its event.
    pub fn recv(&mut self) -> Op<Event> {
        let raw = self.raw.clone();
        // SAFETY: the handle is a reference of ours.
        let make = move || unsafe { sys::aloop_file_watch_next(raw.raw()) };
        self.stash.receive(make, Event::take)
    }

    /// Closes it.
    pub fn close(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_file_watch_close(self.raw.raw()) }).map(drop)
    }
}
