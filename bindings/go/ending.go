package asyncloop

import (
	"sort"

	"libasyncloop.org/asyncloop/internal/sys"
)

// The end of a context cancels the tasks that have it, or one made from it, each once. It
// would cancel some twice if each were cancelled for itself: a task whose maker awaits it,
// or has it in a group, is also cancelled by that, some iterations later. So the makers
// are cancelled first, then the tasks that they made, and of these only who was not reached
// in the meantime. What a task does between the end of its context and its cancellation it
// might as well have done before. A block that awaits something to clean up before it leaves
// its group is later than that: to the group it is one that fails, and cancels them again.

// A following is a goroutine that waits for the end of a context, for the tasks that have
// the context. The loop's thread only.
type following struct {
	tasks map[*task]struct{}
	none  chan struct{} // closed when no task is left
}

// follow has the task cancelled when its context is done. It is not yet made.
func (t *task) follow() {
	l, done := t.loop, t.ctx.Done()
	if t.maker != nil {
		if t.maker.made == nil {
			t.maker.made = map[*task]struct{}{}
		}
		t.maker.made[t] = struct{}{}
	}
	if done == nil {
		return
	}
	l.numbered++
	t.number = l.numbered
	if t.ctx.Err() != nil {
		l.contextEnded(t)
		return
	}
	t.following = l.following[done]
	if t.following == nil {
		f := &following{tasks: map[*task]struct{}{}, none: make(chan struct{})}
		l.following[done], t.following = f, f
		go func() {
			select {
			case <-done:
				_ = l.Post(func() {
					for one := range f.tasks {
						l.contextEnded(one) // and so all the others
					}
				})
			case <-f.none:
			}
		}()
	}
	t.following.tasks[t] = struct{}{}
}

// unfollow forgets a task that has ended.
func (t *task) unfollow() {
	if t.maker != nil {
		delete(t.maker.made, t)
		t.maker = nil // which may be one of many, each of whom made the next
	}
	f := t.following
	if f == nil {
		return
	}
	delete(f.tasks, t)
	if len(f.tasks) == 0 {
		close(f.none)
		if t.loop.following[t.ctx.Done()] == f {
			delete(t.loop.following, t.ctx.Done())
		}
	}
}

// contextEnded cancels the task, whose context has ended, and all whose did with it, the
// makers first.
func (l *Loop) contextEnded(t *task) {
	var found []*task
	l.ends++
	add := func(t *task) {
		_, lives := l.tasks[t]
		if lives && t.ending == 0 && t.ctx.Err() != nil {
			t.ending = l.ends
			if t.p != 0 {
				t.before = sys.Task_cancelling(t.p)
			}
			found = append(found, t)
		}
	}
	add(t)
	for i := 0; i < len(found); i++ {
		t := found[i]
		if t.maker != nil {
			add(t.maker)
		}
		for made := range t.made {
			add(made)
		}
		if t.following != nil && l.following[t.ctx.Done()] == t.following {
			delete(l.following, t.ctx.Done()) // so that they are looked at once
			for other := range t.following.tasks {
				add(other)
			}
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].number < found[j].number })
	l.cancelInTurn(found, func(t *task) bool {
		made := t.maker != nil && t.maker.ending != 0 && t.maker.ending != l.ends
		return made || t.p == 0 // what its maker's end brings about may be under way
	})
}

// cancelInTurn cancels those whose makers are not still to be cancelled, and that are not to
// wait; the others when the steps are over that these cancellations bring about: the next
// but for an await that is a task of its own, and that of a task that runs now comes later.
func (l *Loop) cancelInTurn(tasks []*task, waits func(t *task) bool) {
	var now, later []*task
	for _, t := range tasks {
		_, made := l.tasks[t.maker]
		if made && t.maker.ending != 0 && !t.maker.followed || waits(t) {
			later = append(later, t)
		} else {
			now = append(now, t)
		}
	}
	for _, t := range now {
		t.cancelOnce()
	}
	if len(later) > 0 {
		l.soon(3, func() { l.cancelInTurn(later, func(*task) bool { return false }) })
	}
}

// soon calls fn after so many iterations.
func (l *Loop) soon(iterations int, fn func()) {
	if iterations == 0 {
		fn()
		return
	}
	next := func() { l.soon(iterations-1, fn) }
	id := sys.Register(func() int64 { l.guarded(next); return 0 })
	if sys.Loop_call_soon(l.p, sys.CallbackFn, id, sys.ReleaseFn) < 0 {
		sys.Release(id)
		fn()
	}
}

// cancelOnce is the cancellation that comes with the end of its context, unless its maker's
// brought it about already.
func (t *task) cancelOnce() {
	if t.followed {
		return
	}
	t.followed, t.withLoop = true, t.loop.ctx.Err() != nil
	requests := sys.Task_cancelling(t.p)
	reached := t.ending != 0 && requests > t.before
	if !reached {
		sys.Task_cancel(t.p, "")
	}
	w := t.watched
	switch {
	case w == nil || w.ctx.Err() == nil:
	case reached && requests <= w.requests: // an await before this one was
		w.giveUp()
	default:
		t.watched = nil
	}
}

// endsWithLoop tells whether its context and that of the loop have ended as one.
func (t *task) endsWithLoop() bool {
	return t.loop.ctx.Err() != nil && t.ctx.Err() != nil && (!t.followed || t.withLoop)
}
