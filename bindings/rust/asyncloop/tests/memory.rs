//! 100,000 futures come and go in every way there is, and nothing is left; and stackful tasks of C
//! run beside Rust's on one loop.

mod support;

use asyncloop::{
    block_on, gather, join, select, sleep, spawn, to_thread, try_spawn, yield_now, Error, Promise,
    Queue,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_void, CString};
use std::os::raw::c_char;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::sync::Arc;
use std::thread;
use support::{ms, nothing_is_left, on_virtual};

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(1, Ordering::Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        System.dealloc(block, layout);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// Each round: ten futures, of which some fail, panic, are dropped or cancelled.
async fn round(queue: &Queue<Box<u64>>) {
    let (a, b) = join!(sleep(ms(1)), async { Box::new(1) });
    a.unwrap();
    drop(b);
    select! {
        slept = sleep(ms(1)) => slept.unwrap(),
        _ = queue.get() => unreachable!("it is empty"),
    }
    queue.put(Box::new(2)).await.unwrap();
    assert_eq!(*queue.get().await.unwrap(), 2);
    queue.task_done().unwrap();
    drop(sleep(ms(1))); // never begun
    let failing = try_spawn(async { Err::<(), _>(Error::user(1, "of many")) });
    assert!(failing.await.is_err());
    let aborted = spawn(sleep(ms(1000)));
    yield_now().await;
    aborted.abort();
    assert!(aborted.await.is_err());
    drop(spawn(sleep(ms(1)))); // detached
    let promise = Promise::new().unwrap();
    promise.set(String::from("kept")).unwrap();
    assert_eq!(promise.wait().await.unwrap(), "kept");
    gather([spawn(async {}), spawn(async {})]).await.unwrap();
}

fn rounds(n: usize) {
    on_virtual(async {
        let queue = Queue::new(0).unwrap();
        for _ in 0..n {
            round(&queue).await;
        }
    });
}

#[test]
fn nothing_is_left_of_100_000_futures_nor_of_a_loop_with_fibers() {
    rounds(10);
    nothing_is_left();
    let before = LIVE.load(Ordering::Relaxed);
    rounds(10_000);
    nothing_is_left();
    let left = LIVE.load(Ordering::Relaxed) - before;
    assert!(left.abs() < 100, "{left} blocks are left");
    beside_fibers();
    nothing_is_left();
}

extern "C" {
    fn dlopen(file: *const c_char, mode: i32) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The stackful tasks that C#'s tests use, too.
struct Fibers(*mut c_void);

impl Fibers {
    fn build() -> Fibers {
        let source =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/bindings-csharp/fibers.c");
        let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../../../include");
        let library = std::env::temp_dir().join(format!("fibers-{}.so", std::process::id()));
        let flags = Command::new("pkg-config").args(["--cflags", "--libs", "asyncloop"]).output();
        let flags = String::from_utf8(flags.expect("pkg-config").stdout).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", include, source, "-o"])
            .arg(&library)
            .args(flags.split_whitespace())
            .output()
            .expect("cc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let name = CString::new(library.to_str().unwrap()).unwrap();
        let handle = unsafe { dlopen(name.as_ptr(), 2) };
        std::fs::remove_file(library).unwrap();
        assert!(!handle.is_null());
        Fibers(handle)
    }

    fn symbol(&self, name: &str) -> *mut c_void {
        let text = CString::new(name).unwrap();
        let found = unsafe { dlsym(self.0, text.as_ptr()) };
        assert!(!found.is_null(), "{name}");
        found
    }

    fn start(&self, n: i32) {
        type Start = unsafe extern "C" fn(i32) -> *mut asyncloop_sys::aloop_future;
        let start: Start = unsafe { std::mem::transmute(self.symbol("fibers_start")) };
        let all = unsafe { start(n) };
        assert!(!all.is_null());
        unsafe { asyncloop_sys::aloop_unref(all as *mut c_void) };
    }

    fn stop(&self) {
        let stop: unsafe extern "C" fn() =
            unsafe { std::mem::transmute(self.symbol("fibers_stop")) };
        unsafe { stop() };
    }

    fn switches(&self) -> i64 {
        let switches: unsafe extern "C" fn() -> i64 =
            unsafe { std::mem::transmute(self.symbol("fibers_switches")) };
        unsafe { switches() }
    }
}

fn beside_fibers() {
    let fibers = Fibers::build();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let busy = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            drop(vec![0u8; 4096]);
        }
    });
    block_on(async {
        fibers.start(32);
        for i in 0..200u64 {
            let (slept, thread) = join!(sleep(ms(i % 2)), to_thread(move || i));
            slept.unwrap();
            assert_eq!(thread.unwrap(), i);
            let panicked = spawn(async { panic!("beside fibers") });
            assert!(panicked.await.unwrap_err().is_panic());
            asyncloop::time::call_soon(|| drop(vec![0u8; 100])).unwrap();
        }
        assert!(fibers.switches() > 1000);
        fibers.stop();
        sleep(ms(20)).await.unwrap();
    });
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}
