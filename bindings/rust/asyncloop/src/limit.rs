//! How many at a time, and how many in a time. Beyond asyncio.

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::Op;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::rc::Rc;

/// Tokens for so many borrowers, a number that may change at any time. Clones are the same
/// limiter.
#[derive(Clone)]
pub struct Limiter(Object<sys::aloop_limiter>);

impl Limiter {
    /// With so many tokens.
    pub fn new(tokens: usize) -> Result<Limiter> {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_limiter_new(raw, tokens) }).map(Limiter)
    }

    /// Waits for a token; it goes back with what this gives.
    pub fn acquire(&self) -> Op<Token> {
        let token = self.token();
        let borrower = token.borrower();
        // SAFETY: the handle is a reference of ours.
        let op = unsafe { sys::aloop_limiter_acquire_on_behalf_of(self.0.raw(), borrower) };
        Op::new(op, move |_, _| token.held())
    }

    /// A token at once, or [`Code::WouldBlock`](crate::Code).
    pub fn try_acquire(&self) -> Result<Token> {
        let token = self.token();
        let borrower = token.borrower();
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_limiter_acquire_on_behalf_of_nowait(self.0.raw(), borrower) })?;
        Ok(token.held())
    }

    fn token(&self) -> Token {
        Token { limiter: self.clone(), key: Rc::new(0), held: false }
    }

    /// How many tokens there are in all.
    pub fn total(&self) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_limiter_total_tokens(self.0.raw()) })
    }

    /// More: as many of those who wait get one. Fewer: those that come back stay.
    pub fn set_total(&self, tokens: usize) -> Result<()> {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_limiter_set_total_tokens(self.0.raw(), tokens) }).map(drop)
    }

    /// How many are out.
    pub fn borrowed(&self) -> usize {
        self.statistic(sys::ALOOP_LIMITER_STAT_BORROWED)
    }

    /// How many are to be had.
    pub fn available(&self) -> usize {
        self.statistic(sys::ALOOP_LIMITER_STAT_AVAILABLE)
    }

    /// How many wait for one.
    pub fn waiting(&self) -> usize {
        self.statistic(sys::ALOOP_LIMITER_STAT_WAITING)
    }

    fn statistic(&self, which: i32) -> usize {
        // SAFETY: the handle is a reference of ours.
        count(unsafe { sys::aloop_limiter_statistic(self.0.raw(), which) })
    }
}

fn count(status: i64) -> usize {
    usize::try_from(status).unwrap_or(0)
}

/// A token of a [`Limiter`].
#[must_use = "the token goes back when this is dropped"]
pub struct Token {
    limiter: Limiter,
    key: Rc<u8>, // whose address names the borrower
    held: bool,
}

impl Token {
    fn borrower(&self) -> *mut c_void {
        Rc::as_ptr(&self.key) as *mut c_void
    }

    fn held(mut self) -> Token {
        self.held = true;
        self
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.held {
            let borrower = self.borrower();
            // SAFETY: the handle is a reference of ours.
            unsafe { sys::aloop_limiter_release_on_behalf_of(self.limiter.0.raw(), borrower) };
        }
    }
}

/// A bucket that holds `burst` tokens, is full at first, and gets `rate` more in a second.
/// Tokens are used up. Clones are the same bucket.
#[derive(Clone)]
pub struct RateLimiter(Object<sys::aloop_rate_limiter>);

impl RateLimiter {
    /// `rate`: 1e-9 to 1e9; `burst`: 1 to 10^15.
    pub fn new(rate: f64, burst: u64) -> Result<RateLimiter> {
        let burst = i64::try_from(burst).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_rate_limiter_new(raw, rate, burst) })
            .map(RateLimiter)
    }

    /// Waits for `n` tokens: 1 to the burst.
    pub fn acquire(&self, n: u64) -> Op<()> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_rate_limiter_acquire(self.0.raw(), n) }, ffi::nothing)
    }

    /// The same at once, or [`Code::WouldBlock`](crate::Code).
    pub fn try_acquire(&self, n: u64) -> Result<()> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        // SAFETY: the handle is a reference of ours.
        check(unsafe { sys::aloop_rate_limiter_acquire_nowait(self.0.raw(), n) }).map(drop)
    }

    /// The tokens in the bucket.
    pub fn available(&self) -> u64 {
        let which = sys::ALOOP_RATE_LIMITER_STAT_AVAILABLE;
        // SAFETY: the handle is a reference of ours.
        let tokens = unsafe { sys::aloop_rate_limiter_statistic(self.0.raw(), which) };
        u64::try_from(tokens).unwrap_or(0)
    }
}
