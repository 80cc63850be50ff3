package asyncloop

import (
	"context"
	"runtime"
	"sync"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A Future is an outcome that somebody sets. asyncio.Future.
type Future[T any] struct {
	loop *Loop
	*handle
	err   error // it could not be made
	value *T    // apart, since what C calls back must not refer to this, which would then stay
	mu    sync.Mutex
	done  chan struct{}
}

// NewFuture makes a pending future of loop.
func NewFuture[T any](loop *Loop) *Future[T] {
	f := &Future[T]{loop: loop, handle: newHandle(), value: new(T)}
	f.err = loop.do(func() { f.p = sys.Loop_create_future(loop.p) })
	if f.p == 0 && f.err == nil {
		f.err = ESTALE
	}
	return f
}

func (f *Future[T]) change(what func() int64) error {
	if f.err != nil {
		return f.err
	}
	_, err := f.loop.status(what)
	runtime.KeepAlive(f)
	return err
}

// SetResult finishes it. EINVALIDSTATE if it is done.
func (f *Future[T]) SetResult(value T) error {
	return f.change(func() int64 {
		status := sys.Future_set_result(f.p, 0, 0, 0)
		if status >= 0 {
			*f.value = value
		}
		return status
	})
}

// SetError finishes it with err, which the awaiting side gets whole. EINVAL for nil.
func (f *Future[T]) SetError(err error) error {
	if err == nil {
		return EINVAL
	}
	return f.change(func() int64 {
		detail := toC(err)
		defer sys.Unref(detail)
		return sys.Future_set_error(f.p, detail)
	})
}

// Cancel cancels it; false if it is done.
func (f *Future[T]) Cancel() bool {
	cancelled := int64(0)
	_ = f.change(func() int64 { cancelled = sys.Future_cancel(f.p, ""); return 0 })
	return cancelled > 0
}

// IsDone tells whether it has an outcome.
func (f *Future[T]) IsDone() bool {
	return f.err != nil || f.loop.isDone(f.handle)
}

// AddDoneCallback calls fn through the loop, on its thread, when it is done.
func (f *Future[T]) AddDoneCallback(fn func(value T, err error)) error {
	return f.change(func() int64 { return f.onDone(fn) })
}

func (f *Future[T]) onDone(fn func(value T, err error)) int64 {
	loop, outcome := f.loop, valueAt(f.value)
	id := sys.Register(func(p uintptr) int64 {
		status := sys.Future_result(p, nil)
		value, err := outcome(status, 0, fromC(status, sys.Future_error(p)))
		loop.guarded(func() { fn(value, err) })
		return 0
	})
	status := sys.Future_add_done_callback(f.p, sys.DoneFn, id, sys.ReleaseFn)
	if status < 0 {
		sys.Release(id)
	}
	return status
}

// Done is closed when it has an outcome, which the loop's end (Loop.Done) is not: one that
// has none by then has none ever, and its Done stays open.
func (f *Future[T]) Done() <-chan struct{} {
	f.mu.Lock()
	done := f.done
	if done == nil {
		f.done = make(chan struct{})
	}
	made := f.done
	f.mu.Unlock() // the loop's thread, which may ask for it too, is waited for below
	if f.err != nil && done == nil {
		close(made)
	} else if done == nil && f.AddDoneCallback(func(T, error) { close(made) }) != nil {
		f.doneAtTheEnd(made)
	}
	return made
}

// doneAtTheEnd closes made if the outcome is there though the loop tells of none any more.
func (f *Future[T]) doneAtTheEnd(made chan struct{}) {
	look := func() {
		if f.IsDone() {
			close(made)
		}
	}
	select {
	case <-f.loop.finish:
		look()
	default:
		go func() {
			<-f.loop.finish
			look()
		}()
	}
}

func (f *Future[T]) op() Op[T] {
	if f.err != nil {
		return failedOp[T](f.loop, f.err)
	}
	return Op[T]{
		loop:    f.loop,
		begin:   starting(func() uintptr { return sys.Ref(f.p) }),
		outcome: valueAt(f.value),
	}
}

// valueAt is the outcome that is a value of Go's, set before.
func valueAt[T any](value *T) func(int64, uintptr, error) (T, error) {
	return func(_ int64, _ uintptr, err error) (T, error) {
		if err != nil {
			var none T
			return none, err
		}
		return *value, nil
	}
}

// Await waits for the outcome; when ctx is done it cancels the future.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	value, err := f.op().Await(ctx)
	return settled(f.loop, f.handle, f.value, value, err)
}

// settled is what an await gave, or the outcome that is there though the loop ended.
func settled[T any](l *Loop, of *handle, at *T, value T, err error) (T, error) {
	if err != ESTALE || !l.isClosed() {
		return value, err
	}
	<-l.finish
	if sys.Future_done(of.p) > 0 { // as anybody may ask then
		status := sys.Future_result(of.p, nil)
		value, err = valueAt(at)(status, 0, fromC(status, sys.Future_error(of.p)))
	}
	runtime.KeepAlive(of)
	return value, err
}

func (f *Future[T]) ref() (*Loop, func() uintptr, error) {
	return f.loop, func() uintptr { return sys.Ref(f.p) }, f.err
}
