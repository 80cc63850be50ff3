package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// What the ends of contexts do to a task. That of its own context cancels it, once, as
// asyncio does: its await fails, and what it awaits after that, to clean up, does not. A
// context that was made from its own and ended with it is that same cancellation. Any
// other gives up what is awaited with it, each time, whatever became of the task.

// follow cancels the task when its context is done.
func (t *task) follow() {
	select {
	case <-t.ctx.Done():
		_ = t.loop.Post(t.cancelOnce)
	case <-t.gone:
	}
}

// cancelOnce is the cancellation that comes with the end of its context.
func (t *task) cancelOnce() {
	if !t.followed {
		t.followed, t.withLoop = true, t.loop.ctx.Err() != nil
		sys.Task_cancel(t.p, "")
	}
}

// endsWithLoop tells whether its context and that of the loop have ended as one.
func (t *task) endsWithLoop() bool {
	return t.loop.ctx.Err() != nil && t.ctx.Err() != nil && (!t.followed || t.withLoop)
}

// follows tells whether ctx needs no watching: the task's cancellation is its end.
func (t *task) follows(ctx context.Context) bool {
	return ctx.Done() == nil || ctx.Done() == t.ctx.Done() || t.cameWith(ctx)
}

// cameWith tells whether ctx, made from the task's own, has ended because that did. It
// would not be later than that: then it was made from what context.WithoutCancel gives.
func (t *task) cameWith(ctx context.Context) bool {
	err := t.ctx.Err()
	if err == nil || ctx.Err() != err || ctx.Value(taskKey{}) != t {
		return false
	}
	if err != context.DeadlineExceeded {
		return true
	}
	own, _ := t.ctx.Deadline()
	late, _ := ctx.Deadline()
	return late.Equal(own)
}

// noteRequests takes note of what an await tells the task.
func (t *task) noteRequests(status int64) {
	t.recount()
	t.cancelled = false
	if status == sys.ECANCELED {
		requests := sys.Task_cancelling(t.p)
		t.cancelled = requests > t.delivered
		t.delivered = requests
	}
}

// recount forgets the requests that were delivered and taken back since.
func (t *task) recount() {
	if t.delivered == 0 {
		return
	}
	if left := sys.Task_cancelling(t.p); left < t.delivered {
		t.delivered = left
	}
}

// awaitUntil is await that is given up when ctx is done, or a or b is closed; with a or b
// ctx is one that never ends. gaveUp: it was, and the task was not cancelled besides.
func (t *task) awaitUntil(ctx context.Context, a, b <-chan struct{},
	begin func() (uintptr, int64),
	deliver func(int64, uintptr, error)) (gaveUp bool, err error) {
	var future uintptr
	drop := func() {
		sys.Unref(future)
		future = 0
	}
	giveUp := func() {
		if t.ctx.Err() != nil {
			t.cancelOnce() // first: what that has cancelled is not cancelled again
		}
		if future != 0 && !t.cameWith(ctx) && sys.Future_cancel(future, "") > 0 {
			gaveUp = true
		}
	}
	finished := make(chan struct{})
	defer close(finished)
	err = t.await(func() (uintptr, int64) {
		found, status := begin()
		if found == 0 {
			return 0, status
		}
		found = sys.Ensure_future(found)
		future = sys.Ref(found)
		go func() {
			select {
			case <-ctx.Done():
			case <-a:
			case <-b:
			case <-finished:
				return
			}
			_ = t.loop.Post(giveUp)
		}()
		return found, 0
	}, func(status int64, value uintptr, err error) {
		if status == sys.ECANCELED {
			status, value, err = t.stillCame(future, err)
		}
		gaveUp = gaveUp && !t.cancelled
		drop()
		deliver(status, value, err)
	})
	if err != nil { // the loop ended in the meantime
		t.loop.letGo(drop)
	}
	return gaveUp, err
}

// stillCame gives the outcome of what was done when this task was cancelled, lest it be
// lost, and leaves the cancellation to the next await. That of a scope comes by itself.
func (t *task) stillCame(future uintptr, cancelled error) (int64, uintptr, error) {
	var value uintptr
	if sys.Future_done(future) == 0 {
		return sys.ECANCELED, 0, cancelled
	}
	status := sys.Future_take(future, &value)
	if status < 0 {
		return sys.ECANCELED, 0, cancelled
	}
	if t.cancelled {
		sys.Task_cancel(t.p, "")
		sys.Task_uncancel(t.p) // it was counted before
		t.delivered--
	}
	return status, value, nil
}
