package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// An Op is something to wait for that has not begun: it begins when it is
// awaited, or combined with others and that is awaited. Awaiting one twice does
// it twice.
type Op[T any] struct {
	loop *Loop
	// begin makes the future, a reference, on the loop's thread; 0 and a status
	// below 0 if it cannot. nil: there is nothing to wait for.
	begin func() (future uintptr, status int64)
	// outcome makes what the awaiting side gets, on the loop's thread; the value is
	// its to free.
	outcome func(status int64, value uintptr, err error) (T, error)
}

// Awaitable is what can be awaited and combined: an Op, a Task, a Future.
type Awaitable[T any] interface {
	// Await waits for the outcome. When ctx is done it cancels what it waits for,
	// and waits for the end of that.
	Await(ctx context.Context) (T, error)
	op() Op[T]
}

func (o Op[T]) op() Op[T] { return o }

// starting makes the usual begin: a future, or 0 for a lack of memory.
func starting(begin func() uintptr) func() (uintptr, int64) {
	return func() (uintptr, int64) { return begin(), sys.ENOMEM }
}

// nothing is the outcome of what has none.
func nothing(_ int64, _ uintptr, err error) (struct{}, error) { return struct{}{}, err }

// number is the outcome that is the status.
func number(status int64, _ uintptr, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return status, nil
}

// failedOp is what fails with err at once.
func failedOp[T any](l *Loop, err error) Op[T] {
	return Op[T]{
		loop:  l,
		begin: func() (uintptr, int64) { return 0, int64(CodeOf(err)) },
		outcome: func(int64, uintptr, error) (T, error) {
			var none T
			return none, err
		},
	}
}

// A waiter is a goroutine that waits, or a task. Its fields are the loop's
// thread's until done is closed.
type waiter struct {
	future  uintptr // a reference, for cancelling; 0 when it is done
	token   uintptr
	deliver func(status int64, value uintptr, err error)
	done    chan struct{}
	cancels bool // somebody may cancel it: future is needed

	before, after *waiter // in the loop's ring of those that wait
}

// Await waits for the outcome: in a task as asyncio's await does, in any other
// goroutine by blocking it. EWRONGTHREAD in a callback, which must not block. When ctx
// is done it gives what is awaited up: ECANCELED, or ETIMEDOUT if its time was up; so it
// does at once with one that was done before, unless the outcome is there. The end of a
// task's own context is different: it cancels the task, so that one await fails with
// ECANCELED, and those after it do not.
func (o Op[T]) Await(ctx context.Context) (T, error) {
	if o.begin == nil { // of nothing
		return o.outcome(0, 0, nil)
	}
	value, gaveUp, err := o.until(ctx, taskOf(o.loop), nil, nil)
	if gaveUp && CodeOf(err) == ECANCELED && ctx.Err() == context.DeadlineExceeded {
		err = ETIMEDOUT
	}
	return value, err
}

// awaitUntil is Await that is given up when a or b is closed, with ECANCELED; cancelled:
// it is that, but since the task was cancelled.
func (o Op[T]) awaitUntil(a, b <-chan struct{}) (value T, cancelled bool, err error) {
	task := taskOf(o.loop)
	value, gaveUp, err := o.until(context.Background(), task, a, b)
	return value, task != nil && !gaveUp && CodeOf(err) == ECANCELED, err
}

// until awaits the outcome, or the end of ctx, a or b; gaveUp: it was given up for that.
func (o Op[T]) until(ctx context.Context, task *task, a, b <-chan struct{}) (value T,
	gaveUp bool, err error) {
	var failure error
	deliver := func(status int64, raw uintptr, err error) {
		value, failure = o.outcome(status, raw, err)
	}
	switch {
	case task == nil:
		gaveUp, err = o.loop.wait(ctx, a, b, o.begin, deliver)
	case a == nil && b == nil && task.follows(ctx):
		err = task.await(o.begin, deliver)
	default:
		gaveUp, err = task.awaitUntil(ctx, a, b, o.begin, deliver)
	}
	if err == nil {
		err = failure
	}
	return value, gaveUp, err
}

// wait blocks until what begins has its outcome; the end of ctx, a or b cancels it.
func (l *Loop) wait(ctx context.Context, a, b <-chan struct{}, begin func() (uintptr, int64),
	deliver func(int64, uintptr, error)) (gaveUp bool, err error) {
	if l.onThread() {
		return false, EWRONGTHREAD
	}
	w := &waiter{done: make(chan struct{}), deliver: deliver,
		cancels: ctx.Done() != nil || a != nil || b != nil}
	if err := l.Post(func() { l.watch(w, begin) }); err != nil {
		return false, err
	}
	select {
	case <-w.done:
		return false, nil
	case <-ctx.Done():
	case <-a:
	case <-b:
	}
	_ = l.Post(func() {
		if w.future != 0 {
			sys.Future_cancel(w.future, "")
		}
	})
	<-w.done // the end of the loop closes it, too
	return true, nil
}

// watch begins what w waits for. The completion comes back by its token.
func (l *Loop) watch(w *waiter, begin func() (uintptr, int64)) {
	future, status := begin()
	if future == 0 {
		w.deliver(status, 0, Code(status))
		close(w.done)
		return
	}
	w.token = sys.Register(w)
	if w.cancels {
		w.future = sys.Ref(future)
	}
	w.before, w.after = &l.waiters, l.waiters.after
	w.before.after, w.after.before = w, w
	if status = sys.Loop_start(l.p, future, uint64(w.token)); status < 0 {
		l.deliver(w, status, 0, 0)
	}
}

// complete hands a completion record to whom it is for.
func (l *Loop) complete(record *sys.Completion) {
	if to, ok := sys.Lookup(uintptr(record.Token)).(completed); ok {
		to.completed(l, record)
		return
	}
	sys.FreeValue(record.Value, record.FreeFn)
	sys.Unref(record.Error)
}

// completed is what a token stands for.
type completed interface {
	completed(l *Loop, record *sys.Completion)
}

func (w *waiter) completed(l *Loop, record *sys.Completion) {
	l.deliver(w, record.Status, record.Value, record.Error)
}

func (l *Loop) deliver(w *waiter, status int64, value, detail uintptr) {
	w.before.after, w.after.before = w.after, w.before
	sys.Release(w.token)
	if w.future != 0 {
		sys.Unref(w.future)
		w.future = 0
	}
	err := fromC(status, detail)
	if detail != 0 {
		sys.Unref(detail)
	}
	l.guarded(func() { w.deliver(status, value, err) })
	close(w.done)
}
