package asyncloop

import (
	"context"
	"runtime"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// What a block here stands in is left also when the block panics, which then goes on. If
// the loop has ended by then, nothing is left to leave, but the reference goes all the same.

// inBlock runs block, and left with how it ended; after a panic as if it were cancelled.
func inBlock(block func() error, left func(failure error) error) error {
	ended := false
	defer func() {
		if !ended {
			_ = left(ECANCELED)
		}
	}()
	failure := block()
	ended = true
	return left(failure)
}

// Timeout runs block in the task of ctx. When the time is up the task is
// cancelled, and the outcome of that is ETIMEDOUT, a context.DeadlineExceeded.
// ENOTASK outside a task: there context.WithTimeout does. asyncio.timeout.
func Timeout(ctx context.Context, after time.Duration,
	block func(ctx context.Context) error) error {
	var t uintptr
	status := int64(0)
	err := inTask(ctx, func() { status = sys.Timeout_enter(&t, secondsOr(after, inf)) })
	if err = errorOf(status, err); err != nil {
		return err
	}
	return inBlock(func() error { return block(ctx) }, func(failure error) error {
		left := inTask(ctx, func() {
			status = sys.Timeout_exit(t, int64(CodeOf(failure)))
			sys.Unref(t)
		})
		if left != nil {
			LoopOf(ctx).letGo(func() { sys.Unref(t) })
		}
		return changed(failure, status, left)
	})
}

// A Scope is a block that can be cancelled as a whole, and stays so: every await
// in it that has to wait fails. Trio's cancel scope.
type Scope struct {
	loop   *Loop
	p      uintptr
	caught bool
}

// WithScope runs block in a scope, in the task of ctx; after the delay, if it is
// not NoTimeout, the scope is cancelled. A cancellation that is the scope's own
// ends at its end: then the outcome is nil and Caught tells.
func WithScope(ctx context.Context, after time.Duration,
	block func(ctx context.Context, s *Scope) error) (*Scope, error) {
	s := &Scope{loop: LoopOf(ctx)}
	status := int64(0)
	var p uintptr
	err := inTask(ctx, func() { status = sys.Cancel_scope_enter(&p, secondsOr(after, inf), 0) })
	s.p = p
	if err = errorOf(status, err); err != nil {
		return s, err
	}
	drop := func() {
		sys.Unref(s.p)
		s.p = 0
	}
	return s, inBlock(func() error { return block(ctx, s) }, func(failure error) error {
		left := inTask(ctx, func() {
			status = sys.Cancel_scope_exit(s.p, int64(CodeOf(failure)))
			s.caught = sys.Cancel_scope_cancelled_caught(s.p) > 0
			drop()
		})
		if left != nil {
			s.loop.letGo(drop)
		}
		return changed(failure, status, left)
	})
}

// Cancel cancels what runs in the scope.
func (s *Scope) Cancel() error {
	return s.change(sys.Cancel_scope_cancel)
}

// change does what only can be done inside the block.
func (s *Scope) change(what func(p uintptr) int64) error {
	if s.loop == nil {
		return ENOTASK
	}
	_, err := s.loop.status(func() int64 { return what(s.p) })
	return err
}

// SetDeadline moves the time when it is cancelled to after from now; NoTimeout: never.
func (s *Scope) SetDeadline(after time.Duration) error {
	return s.change(func(p uintptr) int64 {
		return sys.Cancel_scope_set_deadline(p, sys.Loop_time(s.loop.p)+secondsOr(after, inf))
	})
}

// Shield keeps the cancellation of outer scopes out, for cleaning up that awaits.
func (s *Scope) Shield(on bool) error {
	return s.change(func(p uintptr) int64 { return sys.Cancel_scope_set_shield(p, flag(on)) })
}

// Caught tells, after the block, whether it ended with the scope's cancellation.
func (s *Scope) Caught() bool { return s.caught }

// A Group runs tasks that end with its block. asyncio.TaskGroup. As long as one of
// them runs they may begin others, after the block's end too; a task that comes later
// fails with ESHUTDOWN.
type Group struct {
	loop    *Loop
	ctx     context.Context
	*handle // a reference of its own, which outlives the block
}

// WithGroup runs block in the task of ctx, waits for the tasks of the group, and
// fails with an EGROUP, whose Children are the errors, if one failed. The first
// failure cancels the other tasks and the block. A task that is cancelled is no failure, so
// nor is the end of ctx where it is not the task's own: ask ctx.Err() then.
func WithGroup(ctx context.Context, block func(ctx context.Context, g *Group) error) error {
	g := &Group{loop: LoopOf(ctx), ctx: ctx, handle: newHandle()}
	status := int64(0)
	var p uintptr
	err := inTask(ctx, func() {
		status = sys.Task_group_enter(&p)
		g.p = sys.Ref(p)
	})
	if err = errorOf(status, err); err != nil {
		return err
	}
	return inBlock(func() error { return block(ctx, g) }, func(failure error) error {
		// By the task itself; the end of ctx reaches the tasks of the group.
		err := wait(context.Background(), Op[struct{}]{
			loop: g.loop,
			begin: starting(func() uintptr {
				group := p
				p = 0
				return sys.Task_group_join(group, raise(failure)) // drops it
			}),
			outcome: nothing,
		})
		if p != 0 { // it came to nothing
			g.loop.letGo(func() { sys.Unref(p) })
		}
		code := CodeOf(err)
		if err != nil && failure != nil && code == CodeOf(failure) && code != EGROUP {
			return failure
		}
		return err
	})
}

// Go starts fn as a task of the group.
func (g *Group) Go(fn func(ctx context.Context) error) *Task[struct{}] {
	return GoIn(g, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
}

// GoIn is Group.Go for a function with a result.
func GoIn[T any](g *Group, fn func(ctx context.Context) (T, error)) *Task[T] {
	t := newTask(g.loop)
	t.awaited = true // by the group
	defer runtime.KeepAlive(g)
	return start(g.ctx, t, "", func(options uintptr) uintptr {
		return sys.Task_group_create_task_ex(g.p, options)
	}, fn)
}

// Cancel cancels the tasks of the group and its block, which then ends with nil.
func (g *Group) Cancel() error {
	_, err := g.loop.status(func() int64 { return sys.Task_group_cancel(g.p) })
	runtime.KeepAlive(g)
	return err
}

// inTask runs fn on the loop's thread as the task of ctx.
func inTask(ctx context.Context, fn func()) error {
	loop := LoopOf(ctx)
	if loop == nil {
		return ENOTASK
	}
	t := taskOf(loop)
	if t == nil && loop.isClosed() {
		return ESTALE
	}
	if t == nil { // another goroutine that has its context
		return ENOTASK
	}
	return t.call(fn)
}

func errorOf(status int64, err error) error {
	if err == nil && status < 0 {
		return Code(status)
	}
	return err
}

// changed is how a block ends whose end made status of its failure.
func changed(failure error, status int64, err error) error {
	if err != nil {
		return err
	}
	if status >= 0 {
		return nil
	}
	if Code(status) == CodeOf(failure) {
		return failure
	}
	return Code(status)
}
