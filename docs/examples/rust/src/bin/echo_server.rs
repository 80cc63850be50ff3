//! Sends back what it gets: echo_server [PORT]. Ctrl-C ends it in order.
//!
//! SPDX-License-Identifier: MIT
use asyncloop::{block_on, select, signal, Listener, Result, Stream};

async fn handle_echo(client: Stream) -> Result<()> {
    let data = client.read(100).await?;
    let message = String::from_utf8_lossy(&data);
    println!("Received '{message}' from {}", client.peer_addr());
    println!("Send: '{message}'");
    client.send(&data).await?;
    println!("Close the connection");
    Ok(())
} // the client is dropped, and so closed

async fn run(port: u16) -> Result<()> {
    let server = Listener::bind("127.0.0.1", port).await?;
    println!("Serving on 127.0.0.1:{}", server.port());
    select! {
        served = server.serve(handle_echo) => served,
        interrupted = signal::ctrl_c() => interrupted,
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8888);
    block_on(run(port))
}
