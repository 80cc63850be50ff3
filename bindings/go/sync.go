package asyncloop

import (
	"context"
	"math"
	"runtime"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

var inf = math.Inf(1)

func secondsOr(d time.Duration, none float64) float64 {
	if d == NoTimeout {
		return none
	}
	return d.Seconds()
}

// object is what all of C's objects here have: a loop and a reference, which goes
// when the Go object is collected.
type object struct {
	loop *Loop
	*handle
	err error // it could not be made
}

func newObject(loop *Loop, make func(p *uintptr) int64) *object {
	o := &object{loop: loop, handle: newHandle()}
	var p uintptr
	_, o.err = loop.status(func() int64 { return make(&p) })
	o.p = p
	return o
}

// now does what is done at once, with a status.
func (o *object) now(what func(p uintptr) int64) (int64, error) {
	if o.err != nil {
		return 0, o.err
	}
	status, err := o.loop.status(func() int64 { return what(o.p) })
	runtime.KeepAlive(o)
	return status, err
}

func (o *object) just(what func(p uintptr) int64) error {
	_, err := o.now(what)
	return err
}

func (o *object) number(what func(p uintptr) int64) int {
	n, err := o.now(what)
	if err != nil {
		return 0
	}
	return int(n)
}

func (o *object) is(what func(p uintptr) int64) bool { return o.number(what) > 0 }

// waiting is an op of the object that has no value.
func (o *object) waiting(begin func(p uintptr) uintptr) Op[struct{}] {
	return opOf(o, begin, nothing)
}

func opOf[T any](o *object, begin func(p uintptr) uintptr,
	outcome func(int64, uintptr, error) (T, error)) Op[T] {
	if o.err != nil {
		return failedOp[T](o.loop, o.err)
	}
	return Op[T]{
		loop:    o.loop,
		begin:   starting(func() uintptr { return begin(o.p) }),
		outcome: outcome,
	}
}

// A Lock is held by one at a time, first come, first served. asyncio.Lock.
type Lock struct{ o *object }

// NewLock makes a lock that nobody holds.
func NewLock(loop *Loop) *Lock { return &Lock{newObject(loop, sys.Lock_new)} }

// Acquiring waits for the lock.
func (l *Lock) Acquiring() Op[struct{}] { return l.o.waiting(sys.Lock_acquire) }

// Acquire is Acquiring, awaited.
func (l *Lock) Acquire(ctx context.Context) error { return wait(ctx, l.Acquiring()) }

// Release lets the first in line have it. ENOTOWNER if it is not held.
func (l *Lock) Release() error { return l.o.just(sys.Lock_release) }

// Locked tells whether it is held.
func (l *Lock) Locked() bool { return l.o.is(sys.Lock_locked) }

func wait[T any](ctx context.Context, op Op[T]) error {
	_, err := op.Await(ctx)
	return err
}

// An Event wakes all who wait for it when it is set. asyncio.Event.
type Event struct{ o *object }

// NewEvent makes an event that is not set.
func NewEvent(loop *Loop) *Event { return &Event{newObject(loop, sys.Event_new)} }

// Set wakes everybody who waits now; Clear unsets it.
func (e *Event) Set() error   { return e.o.just(sys.Event_set) }
func (e *Event) Clear() error { return e.o.just(sys.Event_clear) }

// IsSet tells whether it is set.
func (e *Event) IsSet() bool { return e.o.is(sys.Event_is_set) }

// Waiting waits until it is set.
func (e *Event) Waiting() Op[struct{}] { return e.o.waiting(sys.Event_wait) }

// Wait is Waiting, awaited.
func (e *Event) Wait(ctx context.Context) error { return wait(ctx, e.Waiting()) }

// A Condition is a lock, and waiting for a notification with it. asyncio.Condition.
type Condition struct{ o *object }

// NewCondition makes one with a lock of its own.
func NewCondition(loop *Loop) *Condition {
	return &Condition{newObject(loop, func(p *uintptr) int64 { return sys.Condition_new(p, 0) })}
}

// Acquiring waits for its lock.
func (c *Condition) Acquiring() Op[struct{}] { return c.o.waiting(sys.Condition_acquire) }

// Acquire is Acquiring, awaited.
func (c *Condition) Acquire(ctx context.Context) error { return wait(ctx, c.Acquiring()) }

// Release gives the lock back.
func (c *Condition) Release() error { return c.o.just(sys.Condition_release) }

// Locked tells whether the lock is held.
func (c *Condition) Locked() bool { return c.o.is(sys.Condition_locked) }

// Waiting releases the lock, waits to be notified, and has the lock again.
func (c *Condition) Waiting() Op[struct{}] { return c.o.waiting(sys.Condition_wait) }

// Wait is Waiting, awaited.
func (c *Condition) Wait(ctx context.Context) error { return wait(ctx, c.Waiting()) }

// WaitFor waits until predicate is true; it is called with the lock held.
func (c *Condition) WaitFor(ctx context.Context, predicate func() bool) error {
	for !predicate() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes n waiters at most; NotifyAll all. ENOTOWNER without the lock.
func (c *Condition) Notify(n int) error {
	return c.o.just(func(p uintptr) int64 { return sys.Condition_notify(p, int64(n)) })
}
func (c *Condition) NotifyAll() error { return c.o.just(sys.Condition_notify_all) }

// A Semaphore hands out permits. asyncio.Semaphore, BoundedSemaphore.
type Semaphore struct{ o *object }

// NewSemaphore makes one with value permits.
func NewSemaphore(loop *Loop, value int) *Semaphore {
	return &Semaphore{newObject(loop, func(p *uintptr) int64 {
		return sys.Semaphore_new(p, int64(value))
	})}
}

// NewBoundedSemaphore makes one that is not released beyond value: EINVAL.
func NewBoundedSemaphore(loop *Loop, value int) *Semaphore {
	return &Semaphore{newObject(loop, func(p *uintptr) int64 {
		return sys.Bounded_semaphore_new(p, int64(value))
	})}
}

// Acquiring waits for a permit.
func (s *Semaphore) Acquiring() Op[struct{}] { return s.o.waiting(sys.Semaphore_acquire) }

// Acquire is Acquiring, awaited.
func (s *Semaphore) Acquire(ctx context.Context) error { return wait(ctx, s.Acquiring()) }

// Release gives a permit back.
func (s *Semaphore) Release() error { return s.o.just(sys.Semaphore_release) }

// Locked tells whether an Acquire would have to wait.
func (s *Semaphore) Locked() bool { return s.o.is(sys.Semaphore_locked) }

// Value is how many permits nobody has.
func (s *Semaphore) Value() int { return s.o.number(sys.Semaphore_value) }

// A Barrier lets as many go on together as it has parties. asyncio.Barrier.
type Barrier struct{ o *object }

// NewBarrier makes one.
func NewBarrier(loop *Loop, parties int) *Barrier {
	return &Barrier{newObject(loop, func(p *uintptr) int64 {
		return sys.Barrier_new(p, int64(parties))
	})}
}

// Waiting waits for the others; its value is the place of arrival.
func (b *Barrier) Waiting() Op[int64] { return opOf(b.o, sys.Barrier_wait, number) }

// Wait is Waiting, awaited. EBROKENBARRIER if it is reset or aborted.
func (b *Barrier) Wait(ctx context.Context) (int64, error) { return b.Waiting().Await(ctx) }

// Reset makes it as new; Abort breaks it until a Reset. Who waits gets EBROKENBARRIER.
func (b *Barrier) Reset(ctx context.Context) error {
	return wait(ctx, b.o.waiting(sys.Barrier_reset))
}
func (b *Barrier) Abort(ctx context.Context) error {
	return wait(ctx, b.o.waiting(sys.Barrier_abort))
}

// Parties, NWaiting and Broken describe it.
func (b *Barrier) Parties() int  { return b.o.number(sys.Barrier_parties) }
func (b *Barrier) NWaiting() int { return b.o.number(sys.Barrier_n_waiting) }
func (b *Barrier) Broken() bool  { return b.o.is(sys.Barrier_broken) }

// A RWLock has many readers or one writer, first come, first served.
type RWLock struct{ o *object }

// NewRWLock makes one that nobody holds.
func NewRWLock(loop *Loop) *RWLock { return &RWLock{newObject(loop, sys.Rwlock_new)} }

// Reading and Writing wait for the right to.
func (l *RWLock) Reading() Op[struct{}] { return l.o.waiting(sys.Rwlock_acquire_read) }
func (l *RWLock) Writing() Op[struct{}] { return l.o.waiting(sys.Rwlock_acquire_write) }

// AcquireRead and AcquireWrite are these, awaited.
func (l *RWLock) AcquireRead(ctx context.Context) error  { return wait(ctx, l.Reading()) }
func (l *RWLock) AcquireWrite(ctx context.Context) error { return wait(ctx, l.Writing()) }

// ReleaseRead and ReleaseWrite give it back. ENOTOWNER if it is not held so.
func (l *RWLock) ReleaseRead() error  { return l.o.just(sys.Rwlock_release_read) }
func (l *RWLock) ReleaseWrite() error { return l.o.just(sys.Rwlock_release_write) }

// Readers and Writers count who holds it.
func (l *RWLock) Readers() int { return l.statistic(sys.RWLOCK_STAT_READERS) }
func (l *RWLock) Writers() int { return l.statistic(sys.RWLOCK_STAT_WRITERS) }

func (l *RWLock) statistic(which int32) int {
	return l.o.number(func(p uintptr) int64 { return sys.Rwlock_statistic(p, which) })
}
