//! Child processes. `asyncio.create_subprocess_exec`.

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::{Kept, Op};
use crate::stream::Stream;
use crate::tls::path;
use asyncloop_sys as sys;
use std::collections::BTreeMap;
use std::ffi::{c_void, CString, OsStr, OsString};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::ptr::null;
use std::rc::Rc;

/// Where a standard stream of a child goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// The parent's; the default.
    Inherit,
    /// A pipe to or from the parent.
    Piped,
    /// Nowhere.
    Null,
    /// Of stderr: where stdout goes.
    Stdout,
    /// An open file, by its descriptor, which stays the caller's.
    Fd(i32),
}

impl Stdio {
    fn raw(self) -> i32 {
        match self {
            Stdio::Inherit => sys::ALOOP_INHERIT,
            Stdio::Piped => sys::ALOOP_PIPE,
            Stdio::Null => sys::ALOOP_DEVNULL,
            Stdio::Stdout => sys::ALOOP_STDOUT,
            Stdio::Fd(fd) => fd,
        }
    }
}

type Setting = Box<dyn Fn(*mut sys::aloop_process_options) -> i64 + Send + Sync>;

/// A program to run, as [`std::process::Command`]. Any thread may make it:
/// ```
/// let mut command = asyncloop::Command::new("true");
/// command.stdin(asyncloop::process::Stdio::Null);
/// std::thread::spawn(move || drop(command)).join().unwrap();
/// ```
pub struct Command {
    argv: Vec<OsString>,
    shell: bool,
    env: Option<BTreeMap<OsString, OsString>>,
    directory: Option<PathBuf>,
    settings: Vec<Setting>,
}

impl Command {
    /// A program, looked for in PATH unless its name has a `/`.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command {
            argv: vec![program.as_ref().into()],
            shell: false,
            env: None,
            directory: None,
            settings: Vec::new(),
        }
    }

    /// A command line, by `/bin/sh -c`.
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        Command { shell: true, ..Command::new(line) }
    }

    /// One more argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.argv.push(arg.as_ref().into());
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Command {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    fn environment(&mut self) -> &mut BTreeMap<OsString, OsString> {
        self.env.get_or_insert_with(|| std::env::vars_os().collect())
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.environment().insert(name.as_ref().into(), value.as_ref().into());
        self
    }

    /// Takes one away.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        self.environment().remove(name.as_ref());
        self
    }

    /// Takes all away.
    pub fn env_clear(&mut self) -> &mut Command {
        self.env = Some(BTreeMap::new());
        self
    }

    /// The directory that it starts in.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Command {
        self.directory = Some(directory.as_ref().into());
        self
    }

    fn set(
        &mut self,
        set: impl Fn(*mut sys::aloop_process_options) -> i64 + Send + Sync + 'static,
    ) -> &mut Command {
        self.settings.push(Box::new(set));
        self
    }

    /// Where its standard input comes from.
    pub fn stdin(&mut self, from: Stdio) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_stdin(to, from.raw()) })
    }

    /// Where its standard output goes.
    pub fn stdout(&mut self, to: Stdio) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |of| unsafe { sys::aloop_process_options_set_stdout(of, to.raw()) })
    }

    /// Where its standard error goes.
    pub fn stderr(&mut self, to: Stdio) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |of| unsafe { sys::aloop_process_options_set_stderr(of, to.raw()) })
    }

    /// It also gets an open file, as descriptor `child_fd`, 3 or more. The file must be open
    /// still when it is started.
    pub fn pass_fd(&mut self, file: &impl AsRawFd, child_fd: i32) -> &mut Command {
        let fd = file.as_raw_fd();
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_add_fd(to, fd, child_fd) })
    }

    /// It leads a session of its own.
    pub fn new_session(&mut self) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(|to| unsafe { sys::aloop_process_options_set_new_session(to, 1) })
    }

    /// The process group to join; 0: one of its own.
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_process_group(to, group) })
    }

    /// The user that it runs as.
    pub fn uid(&mut self, uid: u32) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_user(to, uid) })
    }

    /// The group that it runs as.
    pub fn gid(&mut self, gid: u32) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_group(to, gid) })
    }

    /// Its file mode mask.
    pub fn umask(&mut self, mask: i32) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_umask(to, mask) })
    }

    /// A limit, as of setrlimit(2).
    pub fn rlimit(&mut self, resource: i32, soft: u64, hard: u64) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe {
            sys::aloop_process_options_add_rlimit(to, resource, soft, hard)
        })
    }

    /// How far `read_line` and `read_until` look on its pipes; default 65536.
    pub fn limit(&mut self, bytes: usize) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_limit(to, bytes) })
    }

    /// The most that [`Child::communicate`] reads of each output; default: no bound.
    pub fn output_limit(&mut self, bytes: usize) -> &mut Command {
        // SAFETY: the options are those that are being made.
        self.set(move |to| unsafe { sys::aloop_process_options_set_output_limit(to, bytes) })
    }

    fn options(&self) -> Result<Object<sys::aloop_process_options>> {
        // SAFETY: it takes no pointer.
        let made = Object::new(unsafe { sys::aloop_process_options_new() });
        for set in &self.settings {
            check(set(made.raw()))?;
        }
        // SAFETY: the handle is ours, and C copies the text.
        unsafe {
            if let Some(directory) = &self.directory {
                let directory = path(directory)?;
                check(sys::aloop_process_options_set_cwd(made.raw(), directory.as_ptr()))?;
            }
            if let Some(env) = &self.env {
                let lines = env
                    .iter()
                    .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
                let lines = strings(lines)?;
                check(sys::aloop_process_options_set_env(made.raw(), pointers(&lines).as_ptr()))?;
            }
        }
        Ok(made)
    }

    /// Starts it. What keeps it from starting fails here.
    pub fn spawn(&self) -> Op<Child> {
        let argv = strings(self.argv.iter().map(|arg| arg.as_bytes().to_vec()));
        let (options, argv) = match (self.options(), argv) {
            (Ok(options), Ok(argv)) => (options, argv),
            (Err(why), _) | (_, Err(why)) => return Op::failed(why),
        };
        // SAFETY: the handle is ours, and C copies the text.
        let op = unsafe {
            if self.shell {
                sys::aloop_create_subprocess_shell(argv[0].as_ptr(), options.raw())
            } else {
                sys::aloop_create_subprocess_exec(pointers(&argv).as_ptr(), options.raw())
            }
        };
        Op::new(op, |_, value| Child::new(value as *mut sys::aloop_process))
    }

    /// Runs it to its end.
    pub async fn status(&self) -> Result<ExitStatus> {
        self.spawn().await?.wait().await
    }

    /// Runs it to its end: what it wrote to stdout and stderr, which are pipes unless they were
    /// said to go elsewhere.
    pub async fn output(&mut self) -> Result<Output> {
        let set = std::mem::take(&mut self.settings);
        self.stdout(Stdio::Piped).stderr(Stdio::Piped);
        self.settings.extend(set); // the last one counts
        let child = self.spawn();
        self.settings.drain(..2);
        child.await?.communicate(&[]).await
    }
}

fn strings(all: impl Iterator<Item = Vec<u8>>) -> Result<Vec<CString>> {
    all.map(ffi::text).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}

/// How a child ended, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout, if that is a pipe.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr, if that is a pipe.
    pub stderr: Vec<u8>,
}

fn exit_status(status: i64) -> ExitStatus {
    ExitStatus::from_raw(match status - sys::ALOOP_SIGNALED {
        signal if signal > 0 => signal as i32,
        _ => (status as i32 & 0xff) << 8,
    })
}

/// A child process. Dropping this lets it run on, without its pipes; the loop kills it when that
/// is closed.
pub struct Child {
    raw: Object<sys::aloop_process>,
    /// Its standard input, if that is a pipe: for writing.
    pub stdin: Option<Stream>,
    /// Its standard output, if that is a pipe: for reading.
    pub stdout: Option<Stream>,
    /// Its standard error, if that is a pipe: for reading.
    pub stderr: Option<Stream>,
}

impl Child {
    fn new(raw: *mut sys::aloop_process) -> Child {
        let stream = |of: *mut sys::aloop_stream| {
            (!of.is_null()).then(|| {
                // SAFETY: the process, which lives, has a reference to its stream.
                let raw = unsafe { sys::aloop_ref(of as *mut c_void) };
                Stream::of_process(raw as *mut sys::aloop_stream)
            })
        };
        // SAFETY: the process is a reference that is given to us, with its streams.
        unsafe {
            Child {
                stdin: stream(sys::aloop_process_stdin(raw)),
                stdout: stream(sys::aloop_process_stdout(raw)),
                stderr: stream(sys::aloop_process_stderr(raw)),
                raw: Object::new(raw),
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        // SAFETY: the handle is a reference of ours.
        let pid = unsafe { sys::aloop_process_pid(self.raw.raw()) };
        u32::try_from(pid).unwrap_or(0)
    }

    /// How it ended; `None` while it runs.
    pub fn try_wait(&self) -> Option<ExitStatus> {
        let mut code = 0;
        // SAFETY: the handle is ours, and C writes to a place of that type.
        let ended = unsafe { sys::aloop_process_returncode(self.raw.raw(), &mut code) };
        (ended > 0).then(|| {
            let code = i64::from(code);
            exit_status(if code < 0 { sys::ALOOP_SIGNALED - code } else { code })
        })
    }

    /// Waits for its end. A child that writes more than its pipes hold never ends if nobody
    /// reads: see [`communicate`](Child::communicate).
    pub fn wait(&self) -> Op<ExitStatus> {
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_process_wait(self.raw.raw()) };
        Op::new(op, |status, _| exit_status(status))
    }

    /// Sends it this input, reads all that it writes, and waits for its end. Dropped or
    /// cancelled, it keeps what it has read; another one goes on from there.
    pub fn communicate(&self, input: &[u8]) -> Op<Output> {
        let data = input.as_ptr() as *const c_void;
        // SAFETY: the handle is ours, and C copies the bytes.
        let op = unsafe { sys::aloop_process_communicate(self.raw.raw(), data, input.len()) };
        // SAFETY: the value is a list of two, which lives for as long as we look.
        Op::new(op, |status, value| unsafe {
            let results = Object::new(value as *mut sys::aloop_results);
            let bytes = |i| ffi::take_bytes(0, sys::aloop_results_take(results.raw(), i));
            Output { status: exit_status(status), stdout: bytes(0), stderr: bytes(1) }
        })
        .keeping(Some(self.pipes()))
    }

    /// What keeps the pipes open that are open.
    fn pipes(&self) -> Kept {
        let all = [&self.stdin, &self.stdout, &self.stderr];
        Rc::new(all.map(|pipe| pipe.as_ref().and_then(|pipe| pipe.closes.clone())))
    }

    /// What [`communicate`](Child::communicate) has read so far, of stdout and stderr.
    pub fn output_so_far(&self) -> (Vec<u8>, Vec<u8>) {
        // SAFETY: the handle is ours, and what C gives is a reference.
        let bytes = |fd| unsafe {
            ffi::take_bytes(0, sys::aloop_process_output(self.raw.raw(), fd) as *mut c_void)
        };
        (bytes(1), bytes(2))
    }

    /// Sends it a signal.
    pub fn signal(&self, signum: i32) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_process_send_signal(self.raw.raw(), signum) }).map(drop)
    }

    /// SIGTERM
    pub fn terminate(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_process_terminate(self.raw.raw()) }).map(drop)
    }

    /// SIGKILL
    pub fn kill(&self) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_process_kill(self.raw.raw()) }).map(drop)
    }

    /// A signal to its whole group, if it has one of its own.
    pub fn signal_group(&self, signum: i32) -> Result<()> {
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_process_signal_group(self.raw.raw(), signum) }).map(drop)
    }
}
