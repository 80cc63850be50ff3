package asyncloop

import (
	"context"
	"runtime/debug"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// ToThread runs fn, which may block, on a thread of the loop's default executor,
// and awaits it: what a task does with everything that blocks. A panic of fn is a
// PanicError. asyncio.to_thread.
func ToThread[T any](ctx context.Context, loop *Loop, fn func() (T, error)) (T, error) {
	return InThread(loop, fn).Await(ctx)
}

// InThread is ToThread, to be awaited.
func InThread[T any](loop *Loop, fn func() (T, error)) Op[T] {
	return job(loop, func() uintptr { return 0 }, fn)
}

// job is an op that runs fn in an executor of C.
func job[T any](loop *Loop, executor func() uintptr, fn func() (T, error)) Op[T] {
	return Op[T]{
		loop: loop,
		begin: starting(func() uintptr {
			id := sys.Register(func() int64 {
				value, err := contained(fn)
				if err != nil {
					return raise(err)
				}
				return sys.Job_return(0, sys.Register(value), sys.ReleaseFn)
			})
			return sys.Run_in_executor(loop.p, executor(), sys.JobFn, id, sys.ReleaseFn)
		}),
		outcome: item[T],
	}
}

func contained[T any](fn func() (T, error)) (value T, err error) {
	ended := false
	defer func() {
		if what := recover(); what != nil {
			err = &PanicError{Value: what, Stack: debug.Stack()}
		} else if !ended {
			goexit()
		}
	}()
	value, err = fn()
	ended = true
	return value, err
}

// An Executor runs jobs on threads of the library, a bounded number of them. Most
// programs want ToThread.
type Executor struct{ o *object }

// NewExecutor makes one of n threads at most; 0: as many as suit the machine.
func NewExecutor(loop *Loop, n int) *Executor {
	return &Executor{newObject(loop, func(p *uintptr) int64 {
		if *p = sys.Executor_new_threads(int64(n)); *p == 0 {
			return sys.ENOMEM
		}
		return 0
	})}
}

// SetName names its threads, for debuggers and the like.
func (e *Executor) SetName(name string) error {
	return e.o.just(func(p uintptr) int64 {
		if status := noNUL(name); status < 0 {
			return status
		}
		return sys.Executor_set_name(p, name)
	})
}

// SetMaxQueue is how many jobs may wait for a thread, 2^20 unless set; more fail with
// EQUEUEFULL.
func (e *Executor) SetMaxQueue(jobs int) error {
	return e.o.just(func(p uintptr) int64 { return sys.Executor_set_max_queue(p, int64(jobs)) })
}

// RunIn runs fn as a job of the executor.
func RunIn[T any](e *Executor, fn func() (T, error)) Op[T] {
	if e.o.err != nil {
		return failedOp[T](e.o.loop, e.o.err)
	}
	return job(e.o.loop, func() uintptr { return e.o.p }, fn)
}

// Shutdown takes no more jobs and waits for those that run, for timeout at most: then
// ETIMEDOUT names those that still do.
func (e *Executor) Shutdown(ctx context.Context, timeout time.Duration) error {
	return wait(ctx, e.o.waiting(func(p uintptr) uintptr {
		return sys.Executor_shutdown(p, limitOf(timeout))
	}))
}
