package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A RateLimiter lets so many through a second, and bursts of some at once.
type RateLimiter struct{ o *object }

// NewRateLimiter makes a bucket of burst tokens, filled at rate a second.
func NewRateLimiter(loop *Loop, rate float64, burst int) *RateLimiter {
	return &RateLimiter{newObject(loop, func(p *uintptr) int64 {
		return sys.Rate_limiter_new(p, rate, int64(burst))
	})}
}

// Acquiring waits for n tokens.
func (r *RateLimiter) Acquiring(n int) Op[struct{}] {
	return r.o.waiting(func(p uintptr) uintptr { return sys.Rate_limiter_acquire(p, int64(n)) })
}

// Acquire is Acquiring, awaited.
func (r *RateLimiter) Acquire(ctx context.Context, n int) error { return wait(ctx, r.Acquiring(n)) }

// TryAcquire takes n tokens at once; false if they are not there.
func (r *RateLimiter) TryAcquire(n int) bool {
	return r.o.just(func(p uintptr) int64 {
		return sys.Rate_limiter_acquire_nowait(p, int64(n))
	}) == nil
}

// A Limiter hands out a number of tokens that can change, one for each borrower:
// any value of the program's that is not 0.
type Limiter struct{ o *object }

// NewLimiter makes one of total tokens.
func NewLimiter(loop *Loop, total int) *Limiter {
	return &Limiter{newObject(loop, func(p *uintptr) int64 {
		return sys.Limiter_new(p, int64(total))
	})}
}

// Acquiring waits for a token for borrower.
func (l *Limiter) Acquiring(borrower uintptr) Op[struct{}] {
	return l.o.waiting(func(p uintptr) uintptr {
		return sys.Limiter_acquire_on_behalf_of(p, borrower)
	})
}

// Acquire is Acquiring, awaited.
func (l *Limiter) Acquire(ctx context.Context, borrower uintptr) error {
	return wait(ctx, l.Acquiring(borrower))
}

// Release gives its token back. ENOTOWNER if it has none.
func (l *Limiter) Release(borrower uintptr) error {
	return l.o.just(func(p uintptr) int64 { return sys.Limiter_release_on_behalf_of(p, borrower) })
}

// Has tells whether borrower has a token.
func (l *Limiter) Has(borrower uintptr) bool {
	return l.o.is(func(p uintptr) int64 { return sys.Limiter_has(p, borrower) })
}

// Total is how many tokens there are; SetTotal changes it, and takes none away.
func (l *Limiter) Total() int { return l.o.number(sys.Limiter_total_tokens) }
func (l *Limiter) SetTotal(total int) error {
	return l.o.just(func(p uintptr) int64 { return sys.Limiter_set_total_tokens(p, int64(total)) })
}
