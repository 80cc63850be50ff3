//! Reading where bytes are here already that C does not know of: what a read gave that was
//! dropped at that very moment, or what `AsyncBufRead` has shown but nobody consumed.
//!
//! They come before what C still has. Where they do not suffice a task puts the two together;
//! cut short, it puts everything back, so that nothing is lost and nothing changes places.

use crate::error::Result;
use crate::ffi::{self, Object};
use crate::op::{Op, Turn};
use crate::outcome::Claim;
use asyncloop_sys as sys;
use std::cell::RefCell;
use std::future::Future;
use std::ptr::null_mut;
use std::rc::Rc;

/// The reading side of a stream.
pub(crate) struct Source {
    pub(crate) raw: Object<sys::aloop_stream>,
    pub(crate) turn: Rc<Turn>,
    pub(crate) returned: RefCell<Vec<u8>>,
}

impl Source {
    pub(crate) fn new(raw: Object<sys::aloop_stream>) -> Rc<Source> {
        Rc::new(Source { raw, turn: Rc::default(), returned: RefCell::default() })
    }

    /// Puts bytes before all others.
    pub(crate) fn put_back(&self, mut bytes: Vec<u8>) {
        let mut returned = self.returned.borrow_mut();
        bytes.append(&mut returned);
        *returned = bytes;
    }

    /// Reads: `here` says how many bytes of those that are here suffice; where there are none
    /// `from_c` reads, and where they do not suffice `across` does.
    ///
    /// What is here is looked at when it is this read's turn: the one before, if it was dropped,
    /// may still have to put something back.
    pub(crate) fn read<F>(
        self: &Rc<Source>,
        here: impl Fn(&[u8]) -> Option<usize>,
        from_c: impl FnOnce(*mut sys::aloop_stream) -> *mut sys::aloop_future + 'static,
        across: impl FnOnce(Ahead) -> F + 'static,
    ) -> Op<Vec<u8>>
    where
        F: Future<Output = Result<Vec<u8>>> + 'static,
    {
        let suffices = if self.turn.is_free() { here(&self.returned.borrow()) } else { None };
        if let Some(n) = suffices {
            let back = self.clone();
            let first = Ahead::all(self).first(n);
            return Op::ready(first).or_undo(move |bytes| back.put_back(bytes));
        }
        let claim: Rc<RefCell<Option<Claim<Vec<u8>>>>> = Rc::default();
        let (of, from, back) = (claim.clone(), self.clone(), self.clone());
        Op::in_turn(
            &self.turn,
            move || {
                if from.returned.borrow().is_empty() {
                    return from_c(from.raw.raw());
                }
                match crate::try_spawn(across(Ahead::all(&from))).claim() {
                    Err(_) => null_mut(),
                    Ok((future, claimed)) => {
                        of.replace(Some(claimed));
                        future
                    }
                }
            },
            move |status, value| match claim.take() {
                None => Ok(ffi::take_bytes(status, value)),
                Some(claim) => claim.take(),
            },
        )
        .or_undo(move |bytes| back.put_back(bytes))
    }
}

/// Bytes that go back unless they are given out.
pub(crate) struct Ahead {
    bytes: Vec<u8>,
    source: Rc<Source>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.source.put_back(std::mem::take(&mut self.bytes));
    }
}

impl Ahead {
    fn all(source: &Rc<Source>) -> Ahead {
        Ahead { bytes: source.returned.take(), source: source.clone() }
    }

    /// The first bytes of them; the others go back.
    fn first(mut self, n: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(n);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Reads more behind them. What comes before an end that is too early is told with them.
    async fn more(
        &mut self,
        make: impl FnOnce(*mut sys::aloop_stream) -> *mut sys::aloop_future + 'static,
    ) -> Result<()> {
        let (raw, back) = (self.source.raw.raw(), self.source.clone());
        let reading =
            Op::new(make(raw), ffi::take_bytes).or_undo(move |bytes| back.put_back(bytes));
        let why = match reading.await {
            Ok(mut bytes) => {
                self.bytes.append(&mut bytes);
                return Ok(());
            }
            Err(why) => why,
        };
        match why.partial() {
            None => Err(why),
            Some(partial) => {
                self.bytes.extend_from_slice(partial);
                Err(why.with_partial(std::mem::take(&mut self.bytes)))
            }
        }
    }

    fn take(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) async fn some(self, n: usize) -> Result<Vec<u8>> {
        let n = n.min(self.bytes.len());
        Ok(self.first(n))
    }

    pub(crate) async fn all_to_end(mut self) -> Result<Vec<u8>> {
        // SAFETY: the handle is that of the source, which lives.
        self.more(|raw| unsafe { sys::aloop_stream_read(raw, -1) }).await?;
        Ok(self.take())
    }

    pub(crate) async fn line(mut self) -> Result<Vec<u8>> {
        if let Some(n) = end_of_line(&self.bytes) {
            return Ok(self.first(n));
        }
        // SAFETY: the handle is that of the source, which lives.
        self.more(|raw| unsafe { sys::aloop_stream_readline(raw) }).await?;
        Ok(self.take())
    }

    pub(crate) async fn exactly(mut self, n: usize) -> Result<Vec<u8>> {
        if self.bytes.len() < n {
            let missing = i64::try_from(n - self.bytes.len()).unwrap_or(i64::MAX);
            // SAFETY: the handle is that of the source, which lives.
            self.more(move |raw| unsafe { sys::aloop_stream_readexactly(raw, missing) }).await?;
        }
        Ok(self.first(n))
    }

    /// A separator may begin in what is here and end in what C has: as long as one has begun,
    /// no more is read than it, or a shorter one, needs.
    pub(crate) async fn until(mut self, separators: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        loop {
            if let Some(end) = end_of_first(&self.bytes, &separators) {
                return Ok(self.first(end));
            }
            let begun = separators.iter().filter_map(|one| missing(&self.bytes, one)).min();
            let begun = match begun {
                Some(begun) => begun,
                None => {
                    self.more(move |raw| read_until(raw, &separators)).await?;
                    return Ok(self.take());
                }
            };
            let least = separators.iter().map(Vec::len).min().unwrap_or(begun);
            let n = begun.min(least) as i64;
            // SAFETY: the handle is that of the source, which lives.
            self.more(move |raw| unsafe { sys::aloop_stream_readexactly(raw, n) }).await?;
        }
    }
}

pub(crate) fn read_until(
    raw: *mut sys::aloop_stream,
    separators: &[Vec<u8>],
) -> *mut sys::aloop_future {
    let parts: Vec<_> = separators.iter().map(|one| crate::stream::buf(one)).collect();
    // SAFETY: C copies the text.
    unsafe { sys::aloop_stream_readuntil_any(raw, parts.as_ptr(), parts.len()) }
}

pub(crate) fn end_of_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

/// Where the separator ends that ends first.
pub(crate) fn end_of_first(bytes: &[u8], separators: &[Vec<u8>]) -> Option<usize> {
    let ends = separators.iter().filter(|one| !one.is_empty()).filter_map(|one| {
        let at = bytes.windows(one.len()).position(|window| window == &one[..])?;
        Some(at + one.len())
    });
    ends.min()
}

/// How much of a separator is missing whose beginning is the end of the bytes; the least.
fn missing(bytes: &[u8], separator: &[u8]) -> Option<usize> {
    let most = bytes.len().min(separator.len().saturating_sub(1));
    let begun = (1..=most).rev().find(|n| bytes.ends_with(&separator[..*n]))?;
    Some(separator.len() - begun)
}
