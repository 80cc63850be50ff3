//! Worker processes. They are forked copies of a program that should have no other threads at
//! work, so that this test is alone in its program.

mod support;

use asyncloop::{block_on, Code, Error, ProcessPool};
use support::nothing_is_left;

fn reversed(input: &[u8]) -> asyncloop::Result<Vec<u8>> {
    match input {
        b"fail" => Err(Error::user(4, "as asked")),
        b"panic" => panic!("in a process"),
        _ => Ok(input.iter().rev().copied().collect()),
    }
}

#[test]
fn worker_processes() {
    block_on(async {
        let pool = ProcessPool::new(1).unwrap();
        assert_eq!(pool.run(reversed, b"abc").await.unwrap(), b"cba");
        let failed = pool.run(reversed, b"fail").await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::User(4), "as asked"));
        assert!(pool.run(reversed, b"panic").await.unwrap_err().message().contains("in a process"));
        pool.shut_down(None).await.unwrap();
    });
    nothing_is_left();
}
