package asyncloop

import (
	"sort"

	"libasyncloop.org/asyncloop/internal/sys"
)

// The end of a context cancels the tasks that have it, or one made from it, each once. It
// would cancel some twice if each were cancelled for itself: a task whose maker awaits it,
// or has it in a group, is also cancelled by that, an iteration or two later. So the makers
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

// follow has the task cancelled when its context is done.
func (t *task) follow() {
	l, done := t.loop, t.ctx.Done()
	if t.maker != nil {
		t.depth = t.maker.depth + 1
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
	add := func(t *task) {
		_, lives := l.tasks[t]
		if lives && !t.ending && t.ctx.Err() != nil {
			t.ending, t.before = true, sys.Task_cancelling(t.p)
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
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		return a.depth < b.depth || a.depth == b.depth && a.number < b.number
	})
	l.cancelInTurn(found)
}

// cancelInTurn cancels those of the least depth, and the others when the steps of these are
// over that it brings about: the next, and that after an await that is a task of its own.
func (l *Loop) cancelInTurn(tasks []*task) {
	if len(tasks) == 0 {
		return
	}
	depth := tasks[0].depth
	for len(tasks) > 0 && tasks[0].depth == depth {
		tasks[0].cancelOnce()
		tasks = tasks[1:]
	}
	if len(tasks) > 0 {
		l.soon(func() { l.soon(func() { l.cancelInTurn(tasks) }) })
	}
}

// soon calls fn in the next iteration.
func (l *Loop) soon(fn func()) {
	id := sys.Register(func() int64 { l.guarded(fn); return 0 })
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
	reached := t.ending && requests > t.before
	if t.ending = true; !reached {
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
