//! Streams, servers, TLS and datagrams.

mod support;

use asyncloop::datagram::{lookup, Datagram};
use asyncloop::stream::{Options, Stream};
use asyncloop::{
    block_on, join, select, sleep, spawn, timeout, Code, Listener, Result, TcpListener, TcpStream,
    TlsContext, TlsStream, UnixListener, UnixStream,
};
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::time::Duration;
use support::{ms, nothing_is_left, on_virtual, poll_fn};

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
        server.shut_down(Duration::from_secs(5)).await.unwrap();
        let refused = TcpStream::connect("127.0.0.1", port).await.err().unwrap();
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

fn certificate() -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("asyncloop-rust-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
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
    let (certificate, key) = certificate();
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
