package asyncloop

import (
	"context"
	"errors"
	"math"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// Sleep waits for delay; 0 or less lets everything else that is ready run once.
// asyncio.sleep.
func (l *Loop) Sleep(delay time.Duration) Op[struct{}] {
	return Op[struct{}]{
		loop:    l,
		begin:   starting(func() uintptr { return sys.Sleep(delay.Seconds()) }),
		outcome: nothing,
	}
}

// Sleep is Loop.Sleep in a task, awaited.
func Sleep(ctx context.Context, delay time.Duration) error {
	loop := LoopOf(ctx)
	if loop == nil {
		return ENOTASK
	}
	_, err := loop.Sleep(delay).Await(ctx)
	return err
}

// A Timer calls a function once, on the loop's thread.
type Timer struct {
	loop   *Loop
	handle uint64
}

// CallLater calls fn on the loop's thread after delay. What fn panics with goes to
// OnPanic.
func (l *Loop) CallLater(delay time.Duration, fn func()) (*Timer, error) {
	id := sys.Register(func() int64 { l.guarded(fn); return 0 })
	handle, err := l.status(func() int64 {
		return sys.Loop_call_later(l.p, delay.Seconds(), sys.CallbackFn, id, sys.ReleaseFn)
	})
	if err != nil {
		sys.Release(id)
		return nil, err
	}
	return &Timer{l, uint64(handle)}, nil
}

// Stop prevents the call; false if it was made or stopped.
func (t *Timer) Stop() bool {
	_, err := t.loop.status(func() int64 { return sys.Loop_cancel_handle(t.loop.p, t.handle) })
	return err == nil
}

// WaitFor awaits what; after timeout that is cancelled, its end awaited, and the
// outcome is ETIMEDOUT, a context.DeadlineExceeded. asyncio.wait_for.
func WaitFor[T any](what Awaitable[T], timeout time.Duration) Op[T] {
	return around(what, func(future uintptr) uintptr {
		return sys.Wait_for(future, secondsOr(timeout, inf))
	})
}

// Shield awaits what; cancelling the awaiting side leaves what running.
// asyncio.shield.
func Shield[T any](what Awaitable[T]) Op[T] { return around(what, sys.Shield) }

// around makes an op of another; C passes the outcome through.
func around[T any](what Awaitable[T], wrap func(future uintptr) uintptr) Op[T] {
	inner := what.op()
	if inner.begin == nil {
		return inner
	}
	return Op[T]{
		loop: inner.loop,
		begin: func() (uintptr, int64) {
			future, status := inner.begin()
			if future == 0 {
				return 0, status
			}
			return wrap(future), sys.ENOMEM
		},
		outcome: inner.outcome,
	}
}

// Result is an outcome as a value.
type Result[T any] struct {
	Value T
	Err   error
}

// Gather runs all of them at once; their values in the order given. The first
// error is its own; the others go on. Cancelling it cancels all. All belong to one
// loop. asyncio.gather.
func Gather[T any](what ...Awaitable[T]) Op[[]T] {
	all := gather(what, 0)
	return Op[[]T]{
		loop:  all.loop,
		begin: all.begin,
		outcome: func(status int64, value uintptr, err error) ([]T, error) {
			results, err := all.outcome(status, value, err)
			if err != nil {
				return nil, err
			}
			values := make([]T, len(results))
			for i, result := range results {
				if values[i] = result.Value; result.Err != nil {
					return nil, result.Err
				}
			}
			return values, nil
		},
	}
}

// GatherAll is Gather in which errors are results. asyncio's return_exceptions.
func GatherAll[T any](what ...Awaitable[T]) Op[[]Result[T]] {
	return gather(what, sys.RETURN_EXCEPTIONS)
}

// futures begins all; on failure those begun are dropped.
func futures[T any](loop *Loop, ops []Op[T]) ([]uintptr, int64) {
	begun := make([]uintptr, len(ops), len(ops)+1)
	for i, op := range ops {
		begin := op.begin
		if begin == nil { // of nothing
			begin = loop.atOnce
		}
		future, status := begin()
		if future == 0 {
			for _, f := range begun[:i] {
				sys.Unref(f)
			}
			return nil, status
		}
		begun[i] = future
	}
	return begun, 0
}

// atOnce begins what is done at once.
func (l *Loop) atOnce() (uintptr, int64) {
	future := sys.Loop_create_future(l.p)
	return future, sys.Future_set_result(future, 0, 0, 0)
}

// opsOf gives the ops and their loop; nil: all are of nothing.
func opsOf[T any](what []Awaitable[T]) (ops []Op[T], loop *Loop) {
	ops = make([]Op[T], len(what))
	for i := range what {
		if ops[i] = what[i].op(); loop == nil {
			loop = ops[i].loop
		}
	}
	return ops, loop
}

// first points to the array for C, which reads it during the call.
func first(futures []uintptr) *uintptr { return &futures[:1][0] }

func gather[T any](what []Awaitable[T], flags int32) Op[[]Result[T]] {
	ops, loop := opsOf(what)
	if loop == nil {
		return Op[[]Result[T]]{outcome: func(int64, uintptr, error) ([]Result[T], error) {
			return outcomes(ops, 0), nil // theirs do not depend on it
		}}
	}
	return Op[[]Result[T]]{
		loop: loop,
		begin: func() (uintptr, int64) {
			begun, status := futures(loop, ops)
			if begun == nil {
				return 0, status
			}
			return sys.Gather(first(begun), int64(len(begun)), flags), sys.ENOMEM
		},
		outcome: func(_ int64, value uintptr, err error) ([]Result[T], error) {
			if err != nil {
				return nil, err
			}
			defer sys.Results_unref(value)
			return outcomes(ops, value), nil
		},
	}
}

func outcomes[T any](ops []Op[T], results uintptr) []Result[T] {
	found := make([]Result[T], len(ops))
	for i := range ops {
		status := sys.Results_status(results, int64(i))
		err := fromC(status, sys.Results_error(results, int64(i)))
		value := uintptr(0)
		if err == nil {
			value = sys.Results_take(results, int64(i))
		}
		found[i].Value, found[i].Err = ops[i].outcome(status, value, err)
	}
	return found
}

// When says how much Wait waits for.
type When int32

const (
	AllCompleted   When = sys.ALL_COMPLETED
	FirstCompleted When = sys.FIRST_COMPLETED
	FirstException When = sys.FIRST_EXCEPTION
)

// NoTimeout is no limit, where a timeout is asked for. Any other that is negative is over.
const NoTimeout = time.Duration(math.MinInt64)

// limitOf is a timeout for the functions of C to which a negative one is none.
func limitOf(timeout time.Duration) float64 {
	if timeout < 0 && timeout != NoTimeout {
		return 0
	}
	return secondsOr(timeout, -1)
}

// Waitable is a Task or a Future, of whatever type.
type Waitable interface {
	ref() (loop *Loop, ref func() uintptr, err error)
}

// Wait waits until as many of the tasks and futures are done as when says, or
// until timeout has passed. It never fails with their errors and never cancels
// them: it sorts them, in the order given. asyncio.wait.
func Wait(ctx context.Context, when When, timeout time.Duration,
	what ...Waitable) (done, pending []Waitable, err error) {
	var loop *Loop
	refs := make([]func() uintptr, len(what))
	for i, one := range what {
		if loop, refs[i], err = one.ref(); err != nil {
			return nil, nil, err
		}
	}
	if loop == nil {
		return nil, nil, EINVAL
	}
	seconds := limitOf(timeout)
	of := make(map[uintptr]Waitable, len(what))
	_, err = Op[struct{}]{
		loop: loop,
		begin: starting(func() uintptr {
			begun := make([]uintptr, len(refs))
			for i := range refs {
				begun[i] = refs[i]()
				of[begun[i]] = what[i]
			}
			return sys.Wait(first(begun), int64(len(begun)), seconds, int32(when))
		}),
		outcome: func(_ int64, value uintptr, err error) (struct{}, error) {
			if err == nil {
				done = sorted(sys.Wait_result_done(value), of)
				pending = sorted(sys.Wait_result_pending(value), of)
				sys.Unref(value)
			}
			return struct{}{}, err
		},
	}.Await(ctx)
	return done, pending, err
}

// sorted finds those that are in a list of C.
func sorted(list uintptr, of map[uintptr]Waitable) []Waitable {
	var found []Waitable
	for i := int64(0); i < sys.Results_count(list); i++ {
		found = append(found, of[sys.Results_future(list, i)])
	}
	return found
}

// AsCompleted calls each with every outcome as it comes, until it returns false; that
// of a task or future which is given twice comes once. asyncio.as_completed.
func AsCompleted[T any](ctx context.Context, each func(i int, value T, err error) bool,
	what ...Awaitable[T]) error {
	ops, loop := opsOf(what)
	if loop == nil {
		for i, one := range outcomes(ops, 0) {
			if !each(i, one.Value, one.Err) {
				break
			}
		}
		return nil
	}
	var completions uintptr
	var begun []uintptr
	status := int64(0)
	err := loop.do(func() {
		if begun, status = futures(loop, ops); begun == nil {
			return
		}
		for i := range begun {
			begun[i] = sys.Ensure_future(begun[i])
			sys.Ref(begun[i]) // to tell them apart later
		}
		status = sys.As_completed(&completions, first(begun), int64(len(begun)), -1)
	})
	if err == nil && status < 0 {
		err = Code(status)
	}
	defer loop.letGo(func() {
		sys.Unref(completions)
		for _, future := range begun {
			sys.Unref(future)
		}
	})
	for n := 0; n < len(ops) && err == nil; n++ {
		var value T
		var failure error
		index := -1
		_, err = Op[struct{}]{
			loop:  loop,
			begin: starting(func() uintptr { return sys.As_completed_next(completions) }),
			outcome: func(_ int64, future uintptr, err error) (struct{}, error) {
				if err != nil {
					return struct{}{}, err
				}
				for index = 0; begun[index] != future; index++ {
				}
				var raw uintptr
				status := sys.Future_take(future, &raw)
				value, failure = ops[index].outcome(status, raw,
					fromC(status, sys.Future_error(future)))
				sys.Unref(future)
				return struct{}{}, nil
			},
		}.Await(ctx)
		if errors.Is(err, ESTOPITERATION) || err == nil && !each(index, value, failure) {
			return nil
		}
	}
	return err
}

func (f *Task[T]) ref() (*Loop, func() uintptr, error) {
	return f.t.loop, f.t.look, f.err
}
