//! The traits of `futures-io` over streams: what libraries that know no particular runtime
//! are written against.

use crate::ffi::Object;
use crate::op::Op;
use crate::stream::Stream;
use asyncloop_sys as sys;
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

const CHUNK: usize = 65536;

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match self.as_mut().poll_fill_buf(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            Poll::Ready(Ok(bytes)) => {
                let n = bytes.len().min(buffer.len());
                buffer[..n].copy_from_slice(&bytes[..n]);
                self.consume(n);
                Poll::Ready(Ok(n))
            }
        }
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<&[u8]>> {
        let this = self.get_mut();
        if this.ahead.get_mut().is_empty() {
            let mut reading = match this.reading.take() {
                Some(reading) => reading,
                None => this.read(CHUNK),
            };
            match Pin::new(&mut reading).poll(context) {
                Poll::Pending => {
                    this.reading.replace(Some(reading));
                    return Poll::Pending;
                }
                Poll::Ready(Err(why)) => return Poll::Ready(Err(why.into())),
                Poll::Ready(Ok(bytes)) => drop(this.ahead.replace(bytes)),
            }
        }
        Poll::Ready(Ok(this.ahead.get_mut()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().ahead.get_mut().drain(..n);
    }
}

impl AsyncWrite for Stream {
    // Takes all once there is room below the high-water mark.
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        this.flushing = None;
        match poll_op(&mut this.draining, context) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(Err(why))) => return Poll::Ready(Err(why)),
            _ => {}
        }
        let piece = &bytes[..bytes.len().min(CHUNK)];
        if let Err(why) = this.write(piece) {
            return Poll::Ready(Err(why.into()));
        }
        if this.is_closing() && !piece.is_empty() {
            // asyncio's write drops what comes then; this one may not say that it was taken.
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        this.draining = Some(this.drain());
        Poll::Ready(Ok(piece.len()))
    }

    // Waits until all is sent.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.flushing.is_none() {
            this.flushing = Some(flush(this));
        }
        poll_op(&mut this.flushing, context).unwrap_or(Poll::Ready(Ok(())))
    }

    // Ends the sending side alone where it can end by itself: what the peer answers is still
    // read. The rest goes when the stream is dropped.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            this.draining = None;
            this.flushing = None;
            if this.can_write_eof() {
                this.write_eof()?;
            } else {
                this.close();
            }
            this.closing = Some(if this.is_closing() { this.wait_closed() } else { flush(this) });
        }
        poll_op(&mut this.closing, context).unwrap_or(Poll::Ready(Ok(())))
    }
}

/// Waits until all that was written is sent: a drain with water marks of 0.
fn flush(stream: &Stream) -> Op<()> {
    let raw = stream.raw.clone();
    let (mut high, mut low) = (0, 0);
    // SAFETY: the handle is a reference of ours, and C writes to places of that type.
    unsafe {
        sys::aloop_stream_get_write_buffer_limits(raw.raw(), &mut high, &mut low);
        sys::aloop_stream_set_write_buffer_limits(raw.raw(), 0, 0);
    }
    stream.drain().keeping(Some(Rc::new(Limits { raw, high, low })))
}

/// The water marks that a stream has again when this goes.
struct Limits {
    raw: Object<sys::aloop_stream>,
    high: i64,
    low: i64,
}

impl Drop for Limits {
    fn drop(&mut self) {
        // SAFETY: the handle is a reference of ours.
        unsafe {
            sys::aloop_stream_set_write_buffer_limits(self.raw.raw(), self.high, self.low);
        }
    }
}

// None: there is no operation; it goes when it is done.
fn poll_op(op: &mut Option<Op<()>>, context: &mut Context<'_>) -> Option<Poll<Result<()>>> {
    let polled = Pin::new(op.as_mut()?).poll(context);
    if polled.is_ready() {
        *op = None;
    }
    Some(polled.map_err(Error::from))
}
