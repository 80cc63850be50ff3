//! The contracts of futures-io's traits.

mod support;

use asyncloop::{block_on, join, sleep, spawn, timeout, Listener, Stream};
use futures_io::{AsyncRead, AsyncWrite};
use std::pin::Pin;
use support::{ms, nothing_is_left, on_virtual, poll_fn};

async fn connected() -> (Stream, Stream) {
    let server = Listener::bind("127.0.0.1", 0).await.unwrap();
    let (a, b) = join!(Stream::connect("127.0.0.1", server.port()), server.accept());
    (a.unwrap(), b.unwrap())
}

// What was flushed is out of this process.
#[test]
fn a_flush_leaves_nothing_here() {
    block_on(async {
        let (mut a, b) = connected().await;
        for _ in 0..2 {
            let mut sent = 0;
            while a.buffered() == 0 {
                sent += poll_fn(|c| Pin::new(&mut a).poll_write(c, &[7; 10000])).await.unwrap();
            }
            let flushing = poll_fn(|c| Pin::new(&mut a).poll_flush(c));
            let reading = async {
                let mut got = 0;
                while got < sent {
                    got += b.read(100_000).await.unwrap().len();
                }
            };
            join!(flushing, reading).0.unwrap();
            assert_eq!(a.buffered(), 0);
        }
    });
    nothing_is_left();
}

// The water marks are as before when it has ended: below them a drain does not wait.
#[test]
fn a_flush_leaves_the_water_marks() {
    on_virtual(async {
        let (mut a, b) = Stream::pair().unwrap();
        for given_up in [false, true] {
            while a.buffered() == 0 {
                poll_fn(|c| Pin::new(&mut a).poll_write(c, &[7; 10000])).await.unwrap();
            }
            let flushing = timeout(ms(1), poll_fn(|c| Pin::new(&mut a).poll_flush(c)));
            if given_up {
                assert!(flushing.await.is_err());
                poll_fn(|c| Pin::new(&mut a).poll_write(c, b"x")).await.unwrap(); // it is over
                sleep(ms(1)).await.unwrap();
            } else {
                let reading = async { while timeout(ms(1), b.read(100_000)).await.is_ok() {} };
                join!(flushing, reading).0.unwrap().unwrap();
                assert_eq!(a.buffered(), 0);
                continue;
            }
            timeout(ms(1), a.drain()).await.unwrap().unwrap();
            assert!(a.buffered() > 0);
        }
    });
    nothing_is_left();
}

// A close ends one direction, where that can end by itself.
#[test]
fn the_answer_to_what_was_closed_is_read() {
    block_on(async {
        let (mut a, b) = connected().await;
        let answering = spawn(async move {
            assert_eq!(b.read_to_end().await.unwrap(), b"question");
            b.send(b"answer").await.unwrap();
        });
        poll_fn(|c| Pin::new(&mut a).poll_write(c, b"question")).await.unwrap();
        poll_fn(|c| Pin::new(&mut a).poll_close(c)).await.unwrap();
        assert!(poll_fn(|c| Pin::new(&mut a).poll_write(c, b"more")).await.is_err());
        let (mut buffer, mut answer) = ([0; 4], Vec::new());
        while answer.len() < 6 {
            let n = poll_fn(|c| Pin::new(&mut a).poll_read(c, &mut buffer)).await.unwrap();
            assert!(n > 0);
            answer.extend_from_slice(&buffer[..n]);
        }
        assert_eq!(answer, b"answer");
        answering.await.unwrap();
        poll_fn(|c| Pin::new(&mut a).poll_close(c)).await.unwrap();
    });
    nothing_is_left();
}

// A pipe closes with its only direction.
#[test]
fn a_pipe_is_closed() {
    block_on(async {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let (b, mut a) = join!(Stream::from_reader(reader), Stream::from_writer(writer));
        let b = b.unwrap();
        let a = a.as_mut().unwrap();
        poll_fn(|c| Pin::new(&mut *a).poll_write(c, b"all")).await.unwrap();
        poll_fn(|c| Pin::new(&mut *a).poll_close(c)).await.unwrap();
        assert_eq!(b.read_to_end().await.unwrap(), b"all");
    });
    nothing_is_left();
}
