//! Streams, servers, TLS and datagrams.

mod support;

use asyncloop::datagram::{lookup, Address, Datagram, DatagramOptions};
use asyncloop::stream::{Options, Stream};
use asyncloop::{
    block_on, join, select, sleep, spawn, timeout, Builder, Code, Listener, Result, TcpListener,
    TcpStream, TlsContext, TlsStream, UnixListener, UnixStream,
};
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::Duration;
use support::{ms, nothing_is_left, on_virtual, poll_fn, HANG};

async fn echo(client: Stream) -> Result<()> {
    loop {
        let line = client.read_line().await?;
        if line.is_empty() {
            return Ok(());
        }
        client.send(&line).await?;
    }
}

#[test]
fn a_server_answers() {
    block_on(async {
        let server = Listener::bind("127.0.0.1", 0).await.unwrap();
        let port = server.port();
        let serving = async { server.serve(echo).await.unwrap() };
        let client = async {
            let stream = TcpStream::connect("127.0.0.1", port).await.unwrap();
            assert_eq!(stream.peer_addr(), format!("127.0.0.1:{port}"));
            stream.write_lines(&[b"one\n", b"two\n"]).unwrap();
            assert_eq!(stream.read_line().await.unwrap(), b"one\n");
            assert_eq!(stream.read_until(b"o").await.unwrap(), b"two");
            stream.write_eof().unwrap();
            assert_eq!(stream.read_to_end().await.unwrap(), b"\n");
            assert!(stream.at_eof());
            server.close();
        };
        join!(serving, client);
        server.shut_down(HANG).await.unwrap();
        // One that has a port, but does not listen.
        let deaf = Listener::bind_with("127.0.0.1", 0, &Options::new().not_serving()).await;
        let deaf = deaf.unwrap();
        let refused = TcpStream::connect("127.0.0.1", deaf.port()).await.err().unwrap();
        assert_eq!(std::io::Error::from(refused).kind(), std::io::ErrorKind::ConnectionRefused);
    });
    nothing_is_left();
}

#[test]
fn listeners_accept() {
    block_on(async {
        let tcp = TcpListener::bind("127.0.0.1", 0).await.unwrap();
        let port = tcp.port();
        let (here, there) = join!(TcpStream::connect("127.0.0.1", port), tcp.accept());
        here.unwrap().send(b"hello").await.unwrap();
        assert_eq!(there.unwrap().read_exactly(5).await.unwrap(), b"hello");

        let name = format!("@asyncloop-rust-{}", std::process::id());
        let unix = UnixListener::bind(&name).await.unwrap();
        let (here, there) = join!(UnixStream::connect(&name), unix.accept());
        here.unwrap().send(b"hi").await.unwrap();
        let short = there.unwrap().read_exactly(5).await.unwrap_err();
        assert_eq!((short.code(), short.partial()), (Code::IncompleteRead, Some(&b"hi"[..])));
        let waiting = select! {
            _ = tcp.accept() => false,
            slept = sleep(ms(1)) => slept.is_ok(),
        };
        assert!(waiting);
    });
    nothing_is_left();
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    on_virtual(async {
        let (a, b) = Stream::pair().unwrap();
        for _ in 0..3 {
            assert!(timeout(ms(1), b.read_line()).await.is_err());
        }
        a.write(b"whole").unwrap();
        assert!(timeout(ms(1), b.read_line()).await.is_err());
        a.write(b" line\nrest").unwrap();
        assert_eq!(b.read_line().await.unwrap(), b"whole line\n");
        let reader = spawn(async move {
            // Both are done in the same iteration, and the first one counts.
            select! {
                slept = sleep(ms(10)) => slept.unwrap(),
                _ = b.read_exactly(8) => unreachable!("not in time"),
            }
            let first = b.read(3).await.unwrap();
            (first, b.read_to_end().await.unwrap())
        });
        sleep(ms(10)).await.unwrap();
        a.write(b"more").unwrap();
        drop(a);
        assert_eq!(reader.await.unwrap(), (b"res".to_vec(), b"tmore".to_vec()));
    });
    nothing_is_left();
}

// What AsyncBufRead has shown comes first, and what is asked for may lie across its end.
#[test]
fn reads_across_what_was_shown() {
    on_virtual(async {
        let (a, mut b) = Stream::pair().unwrap();
        for (shown, more, separators) in [
            (&b"one\r"[..], &b"\nrest"[..], &[&b"\r\n"[..]][..]),
            (b"one--", b"-end-rest", &[b"---end-"]),
            (b"onea", b"bcde", &[b"abcd", b"c"]), // the second one ends first
            (b"one\r", b"\r\nrest", &[b"\r\n"]),
        ] {
            a.write(shown).unwrap();
            let n = poll_fn(|c| Pin::new(&mut b).poll_fill_buf(c).map_ok(<[u8]>::len)).await;
            assert_eq!(n.unwrap(), shown.len());
            // Given up before the end has come: all stays where it is.
            assert!(timeout(ms(1), b.read_until_any(separators)).await.is_err());
            a.write(more).unwrap();
            let all = [shown, more].concat();
            let ends = separators.iter().filter_map(|one| {
                all.windows(one.len()).position(|w| w == *one).map(|at| at + one.len())
            });
            let end = ends.min().unwrap();
            assert_eq!(b.read_until_any(separators).await.unwrap(), all[..end]);
            assert_eq!(b.read_exactly(all.len() - end).await.unwrap(), all[end..]);
        }
        a.write(b"ab").unwrap();
        poll_fn(|c| Pin::new(&mut b).poll_fill_buf(c).map_ok(<[u8]>::len)).await.unwrap();
        assert_eq!(b.read_until(b"").await.unwrap_err().code(), Code::Invalid);
        a.write(b"c").unwrap();
        a.write_eof().unwrap();
        let short = b.read_until(b"bd").await.unwrap_err();
        assert_eq!((short.code(), short.partial()), (Code::IncompleteRead, Some(&b"abc"[..])));
        assert_eq!(b.read_line().await.unwrap(), b"");
    });
    nothing_is_left();
}

// An accept that is dropped when its connection has come: the next one gets it.
#[test]
fn a_connection_is_not_lost() {
    block_on(async {
        let server = Listener::bind("127.0.0.1", 0).await.unwrap();
        let port = server.port();
        for _ in 0..20 {
            let mut accepting = Box::pin(server.accept());
            let waker = support::idle_waker();
            let mut context = Context::from_waker(&waker);
            assert!(std::future::Future::poll(accepting.as_mut(), &mut context).is_pending());
            let client = TcpStream::connect("127.0.0.1", port).await.unwrap();
            sleep(ms(1)).await.unwrap();
            drop(accepting); // its outcome is there, and nobody has taken it
            client.send(b"hello").await.unwrap();
            let stream = timeout(HANG, server.accept()).await.unwrap().unwrap();
            assert_eq!(stream.read(5).await.unwrap(), b"hello");
        }
        // One that is still here when the server is closed is closed, too.
        let accepting = spawn(server.accept());
        let client = TcpStream::connect("127.0.0.1", port).await.unwrap();
        drop(accepting.await.unwrap());
        assert_eq!(client.read(1).await.unwrap(), b"");
        server.shut_down(HANG).await.unwrap();
    });
    nothing_is_left();
}

#[test]
fn sockets_that_the_program_made() {
    block_on(async {
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        let server = Listener::from_socket(listening, &Options::new()).await.unwrap();
        assert_eq!(server.port(), port);
        let theirs = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let ours = Stream::from_socket(theirs).await.unwrap();
        let accepted = server.accept().await.unwrap();
        ours.send(b"over it").await.unwrap();
        assert_eq!(accepted.read_exactly(7).await.unwrap(), b"over it");

        let path = std::env::temp_dir().join(format!("asyncloop-rust-own-{}", std::process::id()));
        for keep in [false, true] {
            let own = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let options = Options::new().cleanup_socket(!keep);
            let server = Listener::from_socket(own, &options).await.unwrap();
            server.close();
            server.wait_closed().await.unwrap();
            assert_eq!(path.exists(), keep);
        }
        std::fs::remove_file(&path).unwrap();

        let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = own.local_addr().unwrap();
        let endpoint = DatagramOptions::new().batch(4).over(own).await.unwrap();
        assert_eq!(endpoint.local_addr().unwrap().socket_addr(), Some(at));
        drop(endpoint);

        // What is refused is closed.
        let (mut here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let refused = DatagramOptions::new().over(there).await.err().unwrap();
        assert_eq!(refused.code(), Code::Invalid);
        assert_eq!(std::io::Read::read(&mut here, &mut [0]).unwrap(), 0);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Stream::from_socket(file).await.err().unwrap().code(), Code::Os(88));
        let file = std::fs::File::open("/dev/null").unwrap();
        let refused = Listener::from_socket(file, &Options::new()).await.err().unwrap();
        assert_eq!(refused.code(), Code::Os(88)); // ENOTSOCK
    });
    nothing_is_left();
}

#[test]
fn options_of_servers() {
    block_on(async {
        let options = Options::new().not_serving().max_connections(1).add_host("127.0.0.2");
        let server = Listener::bind_with("127.0.0.1", 0, &options).await.unwrap();
        assert!(!server.is_serving());
        server.start_serving().await.unwrap();
        assert!(server.is_serving());
        let port = server.port();
        let clients = [
            TcpStream::connect("127.0.0.1", port).await.unwrap(),
            TcpStream::connect("127.0.0.1", port).await.unwrap(),
        ];
        let first = server.accept().await.unwrap();
        assert!(timeout(ms(5), server.accept()).await.is_err()); // one at a time
        drop((first, clients));
        drop(server.accept().await.unwrap());
        let refused = Listener::bind_with("127.0.0.1", 0, &Options::new().limit(0)).await;
        assert_eq!(refused.err().map(|why| why.code()), Some(Code::Invalid));
    });
    nothing_is_left();
}

#[test]
fn busy_polling_and_a_lossy_network() {
    let of = |builder: Builder| builder.build().err().map(|why| why.code());
    assert_eq!(of(Builder::new().busy_poll(Duration::from_secs(2))), Some(Code::Invalid));
    assert_eq!(of(Builder::new().simulated_loss(1.5)), Some(Code::Invalid));
    assert_eq!(of(Builder::new().simulated_loss(f64::NAN)), Some(Code::Invalid));
    let runtime = Builder::new().busy_poll(Duration::from_micros(50)).build().unwrap();
    runtime.block_on(async { sleep(ms(2)).await.unwrap() });
    drop(runtime);
    for (share, arrives) in [(0.0, true), (1.0, false)] {
        let builder = Builder::new().simulator(7, ms(10)).simulated_loss(share);
        builder.build().unwrap().block_on(async {
            let there = Datagram::bind("127.0.0.1", 0).await.unwrap();
            let to = there.local_addr().unwrap();
            let here = Datagram::connect(&to.host(), to.port()).await.unwrap();
            for _ in 0..10 {
                here.send(b"x").unwrap();
                let got = timeout(Duration::from_secs(1), there.recv_from()).await;
                assert_eq!(got.is_ok(), arrives);
            }
        });
    }
    nothing_is_left();
}

#[test]
fn the_traits_of_futures_io() {
    on_virtual(async {
        let (mut a, mut b) = Stream::pair().unwrap();
        let writing = spawn(async move {
            let data = vec![7; 300_000];
            let mut left = &data[..];
            while !left.is_empty() {
                let n = poll_fn(|c| Pin::new(&mut a).poll_write(c, left)).await.unwrap();
                left = &left[n..];
            }
            poll_fn(|c| Pin::new(&mut a).poll_flush(c)).await.unwrap();
            poll_fn(|c| Pin::new(&mut a).poll_close(c)).await.unwrap();
        });
        let mut got = 0;
        let mut buffer = [0; 1000];
        while got < 150_000 {
            let n = poll_fn(|c| Pin::new(&mut b).poll_read(c, &mut buffer)).await.unwrap();
            assert!(buffer[..n].iter().all(|byte| *byte == 7));
            got += n;
        }
        got += b.read(10).await.unwrap().len(); // the two ways of reading mix
        loop {
            let n =
                poll_fn(|c| Pin::new(&mut b).poll_fill_buf(c).map_ok(<[u8]>::len)).await.unwrap();
            if n == 0 {
                break;
            }
            got += n;
            Pin::new(&mut b).consume(n);
        }
        assert_eq!(got, 300_000);
        writing.await.unwrap();
    });
    nothing_is_left();
}

#[test]
fn polls_keep_their_contracts() {
    on_virtual(async {
        let (mut a, mut b) = Stream::pair().unwrap();
        let idle = support::idle_waker();
        let mut nowhere = Context::from_waker(&idle);
        let mut buffer = [0; 8];
        // Nothing to do is done at once.
        assert!(matches!(Pin::new(&mut b).poll_read(&mut nowhere, &mut []), Poll::Ready(Ok(0))));
        assert!(matches!(Pin::new(&mut a).poll_write(&mut nowhere, &[]), Poll::Ready(Ok(0))));
        // The waker that was given last is the one that is woken.
        assert!(Pin::new(&mut b).poll_read(&mut nowhere, &mut buffer).is_pending());
        let writing = spawn(async move {
            sleep(ms(1)).await.unwrap();
            assert_eq!(poll_fn(|c| Pin::new(&mut a).poll_write(c, b"x")).await.unwrap(), 1);
            // Closed twice, and never written to again.
            poll_fn(|c| Pin::new(&mut a).poll_close(c)).await.unwrap();
            poll_fn(|c| Pin::new(&mut a).poll_close(c)).await.unwrap();
            assert!(poll_fn(|c| Pin::new(&mut a).poll_write(c, b"y")).await.is_err());
        });
        for expected in [1, 0, 0] {
            let read = poll_fn(|c| Pin::new(&mut b).poll_read(c, &mut buffer));
            let read = timeout(Duration::from_secs(1), read).await.expect("woken");
            assert_eq!(read.unwrap(), expected);
        }
        writing.await.unwrap();
    });
    nothing_is_left();
}

#[test]
fn files_and_pipes_over_streams() {
    let path = std::env::temp_dir().join(format!("asyncloop-rust-send-{}", std::process::id()));
    std::fs::write(&path, b"0123456789").unwrap();
    block_on(async {
        let file = std::fs::File::open(&path).unwrap();
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let writer = Stream::from_writer(here).await.unwrap();
        let reader = Stream::from_reader(there).await.unwrap();
        assert_eq!(writer.send_file(&file, 2, Some(3)).await.unwrap(), 3);
        assert_eq!(reader.read_exactly(3).await.unwrap(), b"234");
        reader.pause_reading().unwrap();
        writer.set_write_buffer_limits(100, 10).unwrap();
        writer.send(b"later").await.unwrap();
        assert!(timeout(ms(1), reader.read(5)).await.is_err());
        reader.resume_reading().unwrap();
        assert_eq!(reader.read(5).await.unwrap(), b"later");
        assert_eq!((writer.buffered(), writer.is_closing()), (0, false));
        writer.abort();
        assert!(writer.is_closing());
        let folder = std::fs::File::open("/").unwrap();
        assert_eq!(Stream::from_reader(folder).await.err().unwrap().code(), Code::Invalid);
    });
    std::fs::remove_file(path).unwrap();
    nothing_is_left();
}

fn certificate(name: &str) -> (PathBuf, PathBuf) {
    let folder = format!("asyncloop-rust-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-addext"])
        .arg(format!("subjectAltName=DNS:{name},IP:127.0.0.1"))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

#[test]
fn tls() {
    let (certificate, key) = certificate("localhost");
    block_on(async {
        let server = TlsContext::server().unwrap();
        server.load_cert_chain(&certificate, Some(&key), None).unwrap();
        server.set_alpn(&["h2", "http/1.1"]).unwrap();
        let client = TlsContext::client().unwrap();
        client.load_verify(Some(&certificate), None).unwrap();
        client.set_alpn(&["http/1.1"]).unwrap();
        let listener =
            Listener::bind_with("127.0.0.1", 0, &Options::new().tls(&server)).await.unwrap();
        let port = listener.port();
        let serving = async { listener.serve(echo).await.unwrap() };
        let asking = async {
            let stream = TlsStream::connect("127.0.0.1", port, &client).await.unwrap();
            assert_eq!(stream.info("alpn_protocol").as_deref(), Some("http/1.1"));
            assert!(!stream.peer_certificate().unwrap().is_empty());
            stream.send(b"secret\n").await.unwrap();
            assert_eq!(stream.read_line().await.unwrap(), b"secret\n");
            stream.close();
            stream.wait_closed().await.unwrap();

            let strangers = TlsContext::client().unwrap();
            let why = TlsStream::connect("127.0.0.1", port, &strangers).await.err().unwrap();
            assert_eq!(why.code(), Code::TlsCertificate);
            listener.close();
        };
        asyncloop::debug::set_exception_handler(|_| ()).unwrap(); // of the handshake that failed
        join!(serving, asking);
        let missing = server.load_cert_chain(&PathBuf::from("/nowhere"), None, None).unwrap_err();
        assert_eq!(missing.code(), Code::Os(2));

        let (a, b) = Stream::pair().unwrap();
        let (a, b) = join!(
            TlsStream::upgrade(a, &client, Some("localhost")),
            TlsStream::upgrade(b, &server, None)
        );
        let (a, b) = (a.unwrap(), b.unwrap());
        a.send(b"upgraded").await.unwrap();
        assert_eq!(b.read_exactly(8).await.unwrap(), b"upgraded");
    });
    let _ = std::fs::remove_dir_all(certificate.parent().unwrap());
    nothing_is_left();
}

#[test]
fn tls_sessions_and_names() {
    let (first_certificate, first_key) = certificate("one.example");
    let (other_certificate, other_key) = certificate("other.example");
    block_on(async {
        let server = TlsContext::server().unwrap();
        server.load_cert_chain(&first_certificate, Some(&first_key), None).unwrap();
        let other = TlsContext::server().unwrap();
        other.load_cert_chain(&other_certificate, Some(&other_key), None).unwrap();
        server.add_name("other.example", &other).unwrap();
        assert_eq!(server.add_name("", &other).unwrap_err().code(), Code::Invalid);
        let client = TlsContext::client().unwrap();
        assert_eq!(client.add_name("other.example", &other).unwrap_err().code(), Code::Invalid);
        for certificate in [&first_certificate, &other_certificate] {
            client.load_verify_memory(&std::fs::read_to_string(certificate).unwrap()).unwrap();
        }
        let listener =
            Listener::bind_with("127.0.0.1", 0, &Options::new().tls(&server)).await.unwrap();
        let port = listener.port();
        let serving = async { listener.serve(echo).await.unwrap() };
        let talk = |name: &'static str, session: Option<Vec<u8>>| {
            let mut options = Options::new().tls(&client).server_hostname(name);
            if let Some(session) = session {
                options = options.tls_session(&session);
            }
            async move {
                let stream = Stream::connect_with("127.0.0.1", port, &options).await?;
                stream.send(b"hello\n").await?;
                assert_eq!(stream.read_line().await?, b"hello\n");
                let subject = stream.info("peercert_subject").unwrap();
                let resumed = stream.info("session_reused");
                let session = stream.tls_session()?;
                stream.close();
                stream.wait_closed().await?;
                Result::Ok((subject, resumed, session))
            }
        };
        let asking = async {
            let (subject, resumed, session) = talk("one.example", None).await.unwrap();
            assert!(subject.contains("one.example"), "{subject}");
            assert_ne!(resumed.as_deref(), Some("1"));
            assert!(!session.is_empty());
            let (subject, ..) = talk("other.example", None).await.unwrap();
            assert!(subject.contains("other.example"), "{subject}");
            let (_, resumed, _) = talk("one.example", Some(session)).await.unwrap();
            assert_eq!(resumed.as_deref(), Some("1"));
            let why = talk("third.example", None).await.unwrap_err();
            assert_eq!(why.code(), Code::TlsCertificate);
            let (_, resumed, _) = talk("one.example", Some(b"nonsense".to_vec())).await.unwrap();
            assert_eq!(resumed.as_deref(), Some("0")); // left out
            listener.close();
        };
        asyncloop::debug::set_exception_handler(|_| ()).unwrap(); // of the handshake that failed
        join!(serving, asking);
        let (plain, _) = Stream::pair().unwrap();
        assert_eq!(plain.tls_session().unwrap_err().code(), Code::Os(2));
        client.set_session_cache(4).unwrap();
        assert_eq!(server.set_session_cache(4).unwrap_err().code(), Code::Invalid);
    });
    for certificate in [first_certificate, other_certificate] {
        let _ = std::fs::remove_dir_all(certificate.parent().unwrap());
    }
    nothing_is_left();
}

#[test]
fn unix_datagrams() {
    let folder = std::env::temp_dir().join(format!("asyncloop-rust-dgram-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    block_on(async {
        let server = DatagramOptions::new().local_path(&path("server")).open().await.unwrap();
        let options = DatagramOptions::new().local_path(&path("client"));
        let client = options.remote_path(&path("server")).open().await.unwrap();
        client.set_write_buffer_limits(1000, 100).unwrap();
        client.send(b"ping").unwrap();
        let packet = server.recv_from().await.unwrap();
        assert_eq!(packet.data, b"ping");
        let from = packet.from.unwrap();
        assert_eq!((from.host(), from.port()), (path("client"), 0));
        server.send_to(b"pong", &from).unwrap();
        assert_eq!(client.recv_from().await.unwrap().data, b"pong");
        assert_eq!(client.peer_addr(), Some(Address::unix(&path("server")).unwrap()));
        let nobody = Address::unix(&path("nobody")).unwrap();
        assert!(server.send_to(b"x", &nobody).is_err() || server.drain().await.is_ok());
        let gone = DatagramOptions::new().remote_path(&path("nobody")).open().await;
        assert_eq!(gone.err().map(|why| why.code()), Some(Code::Os(2)));
        let both = DatagramOptions::new().local_path("@x").local("127.0.0.1", 0).open().await;
        assert_eq!(both.err().map(|why| why.code()), Some(Code::Invalid));
        assert_eq!(Address::unix(&"x".repeat(200)).err().unwrap().code(), Code::Invalid);
        let unbound = DatagramOptions::new().remote_path(&path("server")).open().await.unwrap();
        unbound.send(b"from nobody").unwrap();
        assert_eq!(server.recv_from().await.unwrap().data, b"from nobody");
    });
    std::fs::remove_dir_all(&folder).unwrap();
    nothing_is_left();
}

#[test]
fn many_datagrams_at_once() {
    block_on(async {
        let there = DatagramOptions::new().ipv4().local("127.0.0.1", 0).batch(8).max_size(4);
        let there = there.receive_buffer(1 << 18).open().await.unwrap();
        let to = there.local_addr().unwrap();
        let here = Datagram::connect(&to.host(), to.port()).await.unwrap();
        assert!(timeout(ms(1), there.recv_many(5)).await.is_err());
        for i in 0..20u8 {
            here.send(&[i; 5]).unwrap();
        }
        let mut got = Vec::new();
        while got.len() < 20 {
            let some = there.recv_many(5).await.unwrap();
            assert!((1..=5).contains(&some.len()));
            got.extend(some);
        }
        for (i, packet) in got.iter().enumerate() {
            assert_eq!((&packet.data[..], packet.truncated), (&[i as u8; 4][..], true));
        }
        assert_eq!(there.recv_many(0).await.unwrap_err().code(), Code::Invalid);
        let waiting = there.recv_many(1);
        let (closed, _) = join!(waiting, async { there.abort() });
        assert_eq!(closed.unwrap_err().code(), Code::Closed);
        assert_eq!(there.recv_many(1).await.unwrap_err().code(), Code::Closed);
        let wide = DatagramOptions::new().batch(33).open().await;
        assert_eq!(wide.err().map(|why| why.code()), Some(Code::Invalid));
    });
    nothing_is_left();
}

#[test]
fn datagrams_and_names() {
    block_on(async {
        let a = Datagram::bind("127.0.0.1", 0).await.unwrap();
        let b = Datagram::bind("127.0.0.1", 0).await.unwrap();
        assert!(timeout(ms(1), b.recv_from()).await.is_err());
        a.send_to(b"ping", &b.local_addr().unwrap()).unwrap();
        let packet = b.recv_from().await.unwrap();
        assert_eq!(
            (&packet.data[..], packet.from, packet.truncated),
            (&b"ping"[..], a.local_addr(), false)
        );
        a.drain().await.unwrap();
        let found = lookup("127.0.0.1", "80").await.unwrap();
        assert_eq!(found[0].socket_addr().unwrap(), "127.0.0.1:80".parse().unwrap());
        assert_eq!(lookup("nowhere.invalid", "80").await.unwrap_err().code(), Code::Resolve);
    });
    nothing_is_left();
}
