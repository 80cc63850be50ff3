//! Processes, threads, signals, files, descriptors, and looking inside.

mod support;

use asyncloop::datagram::{self, Address};
use asyncloop::fs::{self, Change, File, Watch};
use asyncloop::process::{Command, Stdio};
use asyncloop::signal::Signal;
use asyncloop::stream::Options;
use asyncloop::{
    block_on, debug, scope, sleep, spawn, spawn_blocking, task_group, timeout, to_thread,
    try_spawn, Code, Error, Listener, Stream, ThreadPool, TlsContext,
};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use support::{ms, nothing_is_left, on_virtual, HANG};

#[test]
fn processes() {
    block_on(async {
        let output = Command::new("sh")
            .args(["-c", "cat; echo $NAME >&2; exit 3"])
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped)
            .stderr(Stdio::Piped)
            .env("NAME", "worker")
            .spawn()
            .await
            .unwrap()
            .communicate(b"input")
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"input"[..], &b"worker\n"[..]));

        let child = Command::new("sleep").arg("1000").spawn().await.unwrap();
        assert!(child.id() > 0 && child.try_wait().is_none());
        child.kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
        assert_eq!(child.try_wait().unwrap().signal(), Some(9));

        let missing = Command::new("no such program").spawn().await.err().unwrap();
        assert_eq!(missing.code(), Code::Os(2));
        assert!(Command::shell("exit 0").status().await.unwrap().success());
        let listed = Command::new("pwd").current_dir("/").output().await.unwrap();
        assert_eq!(listed.stdout, b"/\n");
        let mut both = Command::shell("echo out; echo err >&2");
        let output = both.stderr(Stdio::Stdout).output().await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\nerr\n"[..], &b""[..]));
        let output = both.stdout(Stdio::Null).output().await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b""[..], &b""[..]));
    });
    nothing_is_left();
}

#[test]
fn processes_whose_pipes_are_dropped() {
    block_on(async {
        let mut reading = Command::new("cat").stdin(Stdio::Piped).spawn().await.unwrap();
        drop(reading.stdin.take());
        assert!(timeout(HANG, reading.wait()).await.unwrap().unwrap().success());
        let mut writing = Command::new("yes").stdout(Stdio::Piped).spawn().await.unwrap();
        drop(writing.stdout.take());
        assert!(!timeout(HANG, writing.wait()).await.unwrap().unwrap().success());
        // What communicates keeps them.
        let mut command = Command::new("cat");
        command.stdin(Stdio::Piped).stdout(Stdio::Piped);
        let talking = command.spawn().await.unwrap().communicate(b"input");
        assert_eq!(talking.await.unwrap().stdout, b"input");
    });
    nothing_is_left();
}

#[test]
fn rights_and_limits_of_processes() {
    let root = std::fs::metadata("/proc/self").map(|own| own.uid() == 0).unwrap();
    block_on(async {
        let mut command = Command::shell("umask; ulimit -n; ulimit -c");
        command.umask(0o27).rlimit(7, 50, 60).rlimit(4, 0, 0); // RLIMIT_NOFILE, RLIMIT_CORE
        assert_eq!(command.output().await.unwrap().stdout, b"0027\n50\n0\n");
        // Above the hard limit, which takes rights; no such resource; too many.
        let raised = Command::new("true").rlimit(7, 2, 1).spawn().await.err().unwrap();
        assert_eq!(raised.code(), Code::Invalid);
        let unknown = Command::new("true").rlimit(1000, 1, 1).spawn().await.err().unwrap();
        assert_eq!(unknown.code(), Code::Invalid);
        let mut many = Command::new("true");
        for _ in 0..17 {
            many.rlimit(4, 0, 0);
        }
        assert_eq!(many.spawn().await.err().unwrap().code(), Code::Invalid);
        assert_eq!(Command::new("true").umask(-1).spawn().await.err().unwrap(), Code::Invalid);

        let mut nobody = Command::shell("id -u; id -g");
        nobody.uid(65534).gid(65534).current_dir("/");
        if root {
            assert_eq!(nobody.output().await.unwrap().stdout, b"65534\n65534\n");
        } else {
            assert_eq!(nobody.output().await.unwrap_err().code(), Code::Os(1));
        }
    });
    nothing_is_left();
}

// A callback that blocks the loop is written down while it does.
#[test]
fn the_watchdog_shows_what_blocks() {
    let mut file = tempfile("watchdog");
    on_virtual(async {
        debug::set_watchdog(Some(ms(5)), &file).unwrap();
        let end = std::time::Instant::now() + HANG;
        while file.metadata().unwrap().len() == 0 {
            asyncloop::yield_now().await;
            std::thread::sleep(ms(20));
            assert!(std::time::Instant::now() < end, "it wrote nothing");
        }
        debug::set_watchdog(None, &file).unwrap();
        assert_eq!(debug::set_watchdog(Some(ms(5)), &-1).unwrap_err().code(), Code::Invalid);
    });
    let outside = debug::set_watchdog(Some(ms(5)), &file).unwrap_err();
    assert_eq!(outside.code(), Code::NoRunningLoop);
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 1, "{text}");
    nothing_is_left();
}

#[test]
fn threads() {
    block_on(async {
        assert_eq!(to_thread(|| 5).await.unwrap(), 5);
        let panicked = to_thread(|| panic!("in a thread")).await.unwrap_err();
        assert_eq!(*panicked.into_panic().unwrap().downcast::<&str>().unwrap(), "in a thread");
        let pool = ThreadPool::new(2).unwrap();
        pool.set_name("job").unwrap();
        assert_eq!(pool.run(|| vec![1, 2]).await.unwrap(), [1, 2]);
        drop(spawn_blocking(|| ()));
        let slow = pool.run(|| {
            while !asyncloop::executor::is_cancelled() {
                std::thread::sleep(ms(1));
            }
        });
        assert!(timeout(ms(5), slow).await.is_err());
        pool.shut_down(None).await.unwrap();
        assert_eq!(pool.run(|| ()).await.unwrap_err().code(), Code::ShutDown);
    });
    nothing_is_left();
}

#[test]
fn signals_and_descriptors() {
    const SIGUSR2: i32 = 12;
    block_on(async {
        let mut signal = Signal::new(SIGUSR2).unwrap();
        let me = std::process::id().to_string();
        let send = || async {
            assert!(Command::new("kill").args(["-USR2", &me]).status().await.unwrap().success());
        };
        send().await;
        timeout(HANG, signal.recv()).await.unwrap().unwrap();
        // Two that listen: both get it, and the one that goes leaves the other alone.
        let mut other = Signal::new(SIGUSR2).unwrap();
        send().await;
        timeout(HANG, other.recv()).await.unwrap().unwrap();
        timeout(HANG, signal.recv()).await.unwrap().unwrap();
        drop(signal);
        send().await;
        timeout(HANG, other.recv()).await.unwrap().unwrap();

        let (mut here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        let there = asyncloop::fd::AsyncFd::new(there).unwrap();
        there.writable().await.unwrap();
        assert!(timeout(ms(1), there.readable()).await.is_err());
        here.write_all(b"x").unwrap();
        there.readable().await.unwrap();
        let mut byte = [0];
        there.get_ref().read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"x");
        // Any number may wait, and one that gives up leaves the others alone.
        let given_up = async { timeout(ms(1), there.readable()).await.is_err() };
        let wakes = async {
            sleep(ms(5)).await.unwrap();
            here.write_all(b"y").unwrap();
        };
        let (a, b, c, ()) = asyncloop::join!(there.readable(), given_up, there.readable(), wakes);
        assert!(a.is_ok() && b && c.is_ok());
        there.readable().await.unwrap(); // it still is
    });
    nothing_is_left();
}

#[test]
fn files() {
    let folder = std::env::temp_dir().join(format!("asyncloop-rust-fs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    block_on(async {
        let path = folder.join("notes");
        let mut watch = Watch::new(&folder).unwrap();
        fs::write(&path, b"one two").await.unwrap();
        loop {
            let event = watch.recv().await.unwrap();
            if event.name == "notes" {
                assert!(matches!(event.change, Change::Created | Change::Moved));
                break;
            }
        }
        let file = File::open(&path).await.unwrap();
        assert_eq!(file.read(3).await.unwrap(), b"one");
        assert_eq!(file.seek(SeekFrom::End(-3)).await.unwrap(), 4);
        assert_eq!(file.read(10).await.unwrap(), b"two");
        assert_eq!(file.metadata().await.unwrap().len(), 7);
        file.close().await.unwrap();
        let file = fs::OpenOptions::new().write().append().open(&path).await.unwrap();
        file.write_all(b"!").await.unwrap();
        file.sync_all().await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"one two!");
        assert!(fs::metadata(&folder).await.unwrap().is_dir());
        assert_eq!(fs::read_dir(&folder).await.unwrap(), ["notes"]);
        let odd = OsStr::from_bytes(b"not \xff UTF-8");
        std::fs::rename(&path, folder.join(odd)).unwrap();
        assert_eq!(fs::read_dir(&folder).await.unwrap(), [odd]);
        std::fs::rename(folder.join(odd), &path).unwrap();
        assert_eq!(fs::read(folder.join("none")).await.unwrap_err().code(), Code::Os(2));
    });
    std::fs::remove_dir_all(&folder).unwrap();
    nothing_is_left();
}

#[test]
fn blocks() {
    on_virtual(async {
        let late = scope::timeout(ms(5), sleep(ms(1000))).await.unwrap_err();
        assert!(late.is_timed_out());
        // Nothing of the library is awaited inside: what is there is dropped.
        let late = scope::timeout(ms(5), std::future::pending::<asyncloop::Result<()>>()).await;
        assert!(late.unwrap_err().is_timed_out());
        let caught = scope::new().run(|inner| async move {
            inner.cancel();
            assert!(scope::is_cancelled() && inner.cancel_called());
            assert!(sleep(ms(1)).await.is_err());
            sleep(ms(1)).await // still
        });
        assert_eq!(caught.await.unwrap(), None);
        let both = timeout(
            ms(5),
            task_group(|group| async move {
                group.spawn(sleep(ms(1000)));
                Ok(())
            }),
        );
        assert!(both.await.is_err()); // the group is dropped in the middle
        let group = task_group(|group| async move {
            group.spawn(async { Err::<(), _>(Error::user(1, "one")) });
            group.spawn(async {
                let _ = sleep(ms(1)).await;
                Err::<(), _>(Error::user(2, "two"))
            });
            Ok(())
        });
        let why = group.await.unwrap_err();
        let texts: Vec<_> = why.children().iter().map(Error::message).collect();
        assert_eq!((why.code(), &texts[..]), (Code::Group, &["one", "two"][..]));
    });
    nothing_is_left();
}

#[test]
fn the_tasks_of_a_group_begin_others_after_its_block() {
    on_virtual(async {
        let (done, kept) = (Rc::new(RefCell::new(0)), RefCell::new(None));
        let told = done.clone();
        let group = task_group(|group| {
            kept.replace(Some(group.clone()));
            async move {
                let of = group.clone();
                group.spawn(async move {
                    sleep(ms(1)).await?;
                    of.spawn(async move {
                        sleep(ms(1)).await?;
                        *told.borrow_mut() += 1;
                        Ok(())
                    });
                    Ok(())
                });
                Ok(())
            }
        });
        group.await.unwrap();
        assert_eq!(*done.borrow(), 1);
        let kept = kept.take().unwrap();
        for _ in 0..100 {
            task_group(|_| async { Ok(()) }).await.unwrap(); // takes its place in memory
            let late = kept.spawn(async { Ok(()) }).await.unwrap_err();
            assert_eq!(late.code(), Code::ShutDown);
            kept.cancel();
        }
    });
    nothing_is_left();
}

#[test]
fn what_nobody_handles_is_reported() {
    on_virtual(async {
        let told = Rc::new(RefCell::new(Vec::new()));
        let log = told.clone();
        debug::set_exception_handler(move |unhandled| {
            let error = unhandled.error.as_ref().unwrap();
            log.borrow_mut().push((unhandled.message.clone(), error.message().to_string()));
        })
        .unwrap();
        let failing =
            |text: &'static str| try_spawn(async move { Err::<(), _>(Error::user(1, text)) });
        drop(failing("detached"));
        let kept = failing("kept");
        sleep(ms(1)).await.unwrap();
        assert_eq!(told.borrow().len(), 1); // somebody may still look at the other one
        drop(kept);
        assert!(failing("awaited").await.is_err());
        let expected = ["detached", "kept"]
            .map(|text| ("Task exception was never retrieved".to_string(), text.to_string()));
        assert_eq!(*told.borrow(), expected);
        debug::reset_exception_handler().unwrap();
    });
    nothing_is_left();
}

#[test]
fn looking_inside() {
    on_virtual(async {
        let events = Rc::new(RefCell::new(0));
        let counted = events.clone();
        debug::set_trace_hook(move |_| *counted.borrow_mut() += 1).unwrap();
        let task = asyncloop::task::Builder::new().name("sleeper").spawn(sleep(ms(10)));
        asyncloop::yield_now().await;
        assert!(debug::call_graph(&task).unwrap().contains("sleeper"));
        task.await.unwrap().unwrap();
        debug::reset_trace_hook().unwrap();
        assert!(*events.borrow() > 3);
        assert!(debug::metrics().unwrap().iter().any(|(name, n)| *name == "iterations" && *n > 0));
        let mut file = tempfile("dump");
        debug::dump(&file).unwrap();
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert!(!text.is_empty());
        assert_eq!(debug::version(), env!("CARGO_PKG_VERSION"));
        drop(spawn(async {}));
    });
    nothing_is_left();
}

/// C would take the NUL for the end, and use another name than it was given.
#[test]
fn a_text_with_a_nul_inside_is_refused() {
    const NUL: &str = "a\0b";
    fn refused<T>(what: Result<T, Error>) {
        assert_eq!(what.err().map(|why| why.code()), Some(Code::Invalid));
    }
    block_on(async {
        let options = Options::new();
        refused(Stream::connect("127.0.0.1\0b", 1).await);
        refused(Stream::connect_unix("/tmp/a\0b", &options).await);
        refused(Stream::connect_with("127.0.0.1", 1, &options.clone().local_address(NUL, 0)).await);
        refused(Listener::bind("127.0.0.1\0b", 0).await);
        refused(Listener::bind_unix("/tmp/a\0b", &options).await);
        refused(datagram::lookup("localhost\0b", "80").await);
        refused(Address::new("127.0.0.1\0b", 80));
        refused(Address::unix("/tmp/a\0b"));
        refused(Command::new("/bin/true\0b").spawn().await);
        refused(Command::new("/bin/true").arg(NUL).spawn().await);
        refused(Command::new("/bin/true").env("A", NUL).spawn().await);
        refused(Command::new("/bin/true").current_dir("/\0b").spawn().await);
        refused(Command::shell("true\0b").spawn().await);
        refused(File::open("/etc/passwd\0b").await);
        refused(fs::read("/etc/passwd\0b").await);
        refused(fs::metadata("/etc\0b").await);
        refused(fs::read_dir("/etc\0b").await);
        refused(fs::write("/tmp/a\0b", b"x").await);
        refused(Watch::new("/tmp\0b"));
        let context = TlsContext::client().unwrap();
        refused(context.load_verify_memory(NUL));
        refused(context.set_alpn(&["h2", NUL]));
        let failed = try_spawn(async { Err::<(), _>(Error::user(1, NUL)) }).await;
        assert_eq!(failed.unwrap_err().message(), NUL);
    });
    nothing_is_left();
}

fn tempfile(name: &str) -> std::fs::File {
    let path = std::env::temp_dir().join(format!("asyncloop-rust-{name}-{}", std::process::id()));
    let file =
        std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}
