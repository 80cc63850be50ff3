//! Checks web sites, all at once: for each URL the status line that the server answers
//! with, or what went wrong, in the order given.
//!
//!     status_checker [-t SECONDS] http://example.org https://example.net/page ...
//!
//! Without URLs it starts servers of its own, good ones and bad ones, and checks those.
use asyncloop::stream::Options;
use asyncloop::{block_on, gather_settled, scope, sleep, spawn, try_spawn};
use asyncloop::{Error, Listener, Result, Stream, TlsContext};
use std::time::Duration;

/// Asks one site for its page: the first line of the answer.
async fn check(site: String, limit: Duration) -> Result<String> {
    let (tls, rest) = match site.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some(("https", rest)) => (true, rest),
        _ => return Err(Error::other("not a URL that begins with http:// or https://")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let default = if tls { 443 } else { 80 };
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().map_err(Error::other)?),
        None => (authority, default),
    };
    let mut options = Options::new();
    if tls {
        options = options.tls(&TlsContext::client()?);
    }
    let line = scope::timeout(limit, async {
        let stream = Stream::connect_with(host, port, &options).await?;
        let request = format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
        stream.send(request.as_bytes()).await?;
        stream.read_line().await
    });
    let line = String::from_utf8_lossy(&line.await?).trim().to_string();
    if line.starts_with("HTTP/") {
        Ok(line)
    } else {
        Err(Error::other("the answer is not HTTP"))
    }
}

async fn run(mut sites: Vec<String>, limit: Duration) -> Result<()> {
    if sites.is_empty() {
        sites = serve_samples().await?;
    }
    let checks = sites.iter().map(|site| try_spawn(check(site.clone(), limit)));
    for (site, outcome) in sites.iter().zip(gather_settled(checks).await?) {
        match outcome {
            Ok(line) => println!("{site:<32} {line}"),
            Err(why) if why.is_timed_out() => println!("{site:<32} no answer in time"),
            Err(why) => println!("{site:<32} failed: {why}"),
        }
    }
    Ok(())
}

/// Starts servers and gives their URLs; the last one's is closed.
async fn serve_samples() -> Result<Vec<String>> {
    let ok = "HTTP/1.0 200 OK\r\n\r\n";
    let answers = [ok, "HTTP/1.0 404 Not Found\r\n\r\n", "what?\r\n", "", "-"];
    let mut sites = Vec::new();
    for answer in answers {
        let server = Listener::bind("127.0.0.1", 0).await?;
        sites.push(format!("http://127.0.0.1:{}/", server.port()));
        if answer == "-" {
            continue; // dropped, and so closed
        }
        let handler = move |client: Stream| async move {
            client.read_until(b"\r\n\r\n").await?;
            if answer.is_empty() {
                return sleep(Duration::from_secs(3600)).await;
            }
            client.send(answer.as_bytes()).await
        };
        spawn(async move { server.serve(handler).await });
    }
    Ok(sites)
}

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut limit = 1.5; // seconds, for each check
    if args.len() > 1 && args[0] == "-t" {
        limit = args[1].parse().map_err(Error::other)?;
        args.drain(..2);
    }
    block_on(run(args, Duration::from_secs_f64(limit)))
}
