package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// What the ends of contexts do in a task. That of its own context cancels it, once, as
// asyncio does (ending.go): one await fails, and what it awaits after that with the same
// context, to clean up, does not. Its own is what it was given, and what has the same Done
// channel. Any other context that has ended ends what is awaited with it, each time and at
// once, as everywhere in Go: also one that was made from the task's own and ended with it,
// which cannot be told from one that ended by itself. Where both end while one thing is
// awaited, that is cancelled once.

// watched is an await with a context that is not the task's own. The loop's thread only.
type watched struct {
	ctx      context.Context
	requests int64 // to cancel the task, when it began
	giveUp   func()
}

// follows tells whether ctx needs no watching: the task's cancellation is its end.
func (t *task) follows(ctx context.Context) bool {
	return ctx.Done() == nil || ctx.Done() == t.ctx.Done()
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
	w := &watched{ctx: ctx}
	w.giveUp = func() {
		switch {
		case t.watched != w: // it is over, or ended with the task's own
		case t.ctx.Err() != nil && !t.followed:
			t.loop.contextEnded(t) // which ends this, too, now or soon
		case sys.Future_cancel(future, "") > 0:
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
		t.watched, w.requests = w, sys.Task_cancelling(t.p)
		if ctx.Err() != nil {
			w.giveUp() // before it goes on by itself
			return found, 0
		}
		go func() {
			select {
			case <-ctx.Done():
			case <-a:
			case <-b:
			case <-finished:
				return
			}
			_ = t.loop.Post(w.giveUp)
		}()
		return found, 0
	}, func(status int64, value uintptr, err error) {
		if status == sys.ECANCELED {
			status, value, err = t.stillCame(future, err)
		}
		gaveUp = gaveUp && !t.cancelled
		t.watched = nil
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
