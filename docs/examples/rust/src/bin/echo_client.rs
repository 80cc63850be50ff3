//! The client of echo_server: echo_client [MESSAGE [PORT]]
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, Result, TcpStream};

async fn tcp_echo_client(message: &str, port: u16) -> Result<()> {
    let stream = TcpStream::connect("127.0.0.1", port).await?;

    println!("Send: '{message}'");
    stream.send(message.as_bytes()).await?;

    let data = stream.read(100).await?;
    println!("Received: '{}'", String::from_utf8_lossy(&data));

    println!("Close the connection");
    stream.close();
    stream.wait_closed().await
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let message = args.next().unwrap_or_else(|| "Hello World!".into());
    let port = args.next().and_then(|port| port.parse().ok()).unwrap_or(8888);
    block_on(tcp_echo_client(&message, port))
}
