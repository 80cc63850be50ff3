// SPDX-License-Identifier: MIT

//! A task a connection. TLS by tokio-openssl.

use openssl::ssl::{Ssl, SslAcceptor, SslFiletype, SslMethod};
use std::{env::args, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(16384);
    while stream.read_buf(&mut buffer).await? > 0 {
        stream.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

async fn echo_tls(tls: Arc<SslAcceptor>, socket: TcpStream) {
    let ssl = Ssl::new(tls.context()).expect("ssl");
    let mut stream = SslStream::new(ssl, socket).expect("stream");
    if Pin::new(&mut stream).accept().await.is_ok() {
        let _ = echo(stream).await;
    }
}

fn acceptor(cert: &str, key: &str) -> Result<SslAcceptor, openssl::error::ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_certificate_chain_file(cert)?;
    builder.set_private_key_file(key, SslFiletype::PEM)?;
    builder.set_read_ahead(true); // one read for the head of a record and its body
    Ok(builder.build())
}

async fn serve(mode: String) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let arguments: Vec<String> = args().collect();
    let tls = (mode == "tls")
        .then(|| Arc::new(acceptor(&arguments[2], &arguments[3]).expect("certificate")));
    println!("{}", listener.local_addr()?.port());
    loop {
        let (socket, _) = listener.accept().await?;
        if mode == "accept" {
            continue;
        }
        socket.set_nodelay(true)?;
        match &tls {
            None => tokio::spawn(async { drop(echo(socket).await) }),
            Some(tls) => tokio::spawn(echo_tls(tls.clone(), socket)),
        };
    }
}

fn main() {
    let mode = args()
        .nth(1)
        .expect("usage: server echo | accept | tls CERT KEY");
    bench_tokio::run(serve(mode)).expect("serve");
}
