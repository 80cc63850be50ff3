package asyncloop

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A task is a step task of C whose steps hand the turn to a goroutine, and wait
// until that awaits something or ends. So it runs alone with the loop, though on
// a thread of its own; what has to be done on the loop's thread it asks for.
type task struct {
	loop *Loop
	*handle
	begun     bool
	awaited   bool // somebody gets the outcome; on the thread of the loop, too
	run       func(ctx context.Context) error
	ctx       context.Context // given, with the task inside
	given     context.Context
	requests  chan request
	resume    chan struct{}
	deliver   func(status int64, value uintptr, err error)
	gone      chan struct{} // C has let go of it: it ended, or the loop did
	goroutine atomic.Int64  // that of body

	maker     *task              // whose context that was made from; nil: of none of the loop's
	made      map[*task]struct{} // of whom it is the maker, and that have not ended
	number    int64              // in the order of following
	following *following         // (ending.go)

	ending   int64 // which end of contexts cancels it, or has; 0: none yet (ending.go)
	before   int64 // requests to cancel it at that end
	followed bool  // that has cancelled it
	withLoop bool  // when the loop's had come, too

	watched   *watched // what it awaits (context.go)
	delivered int64    // requests to cancel that its awaits have told it of
	cancelled bool     // the last await did
}

// A request of the goroutine to the loop's thread: to call, to await, or the end.
type request struct {
	call    func()
	done    chan struct{}
	begin   func() (uintptr, int64)
	deliver func(status int64, value uintptr, err error)
	err     error
}

type taskKey struct{}

// taskOf gives the task of that loop whose goroutine asks; nil outside. No context
// decides, since other goroutines may have got it, and net.Conn has none.
func taskOf(l *Loop) *task {
	if l == nil {
		return nil
	}
	t := l.running.Load()
	if t == nil || t.goroutine.Load() != goroutineID() {
		return nil
	}
	return t
}

// goroutineID is the number in the first line of a stack trace: "goroutine 7 [".
func goroutineID() int64 {
	var text [40]byte
	id := int64(0)
	for _, c := range text[len("goroutine "):runtime.Stack(text[:], false)] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + int64(c-'0')
	}
	return id
}

// LoopOf gives the loop whose task ctx belongs to; nil outside of tasks.
func LoopOf(ctx context.Context) *Loop {
	if t, ok := ctx.Value(taskKey{}).(*task); ok {
		return t.loop
	}
	return nil
}

// Step is called by C on the loop's thread.
func (t *task) Step(p uintptr) int64 {
	if !t.begun {
		t.begun = true
		t.p = p                                            // an eager task is not yet made
		defer t.loop.running.Store(t.loop.running.Swap(t)) // an eager task runs in another
		go t.body()
	} else {
		var value uintptr
		var err error
		status := sys.Awaited(p, &value)
		if status < 0 {
			err = fromC(status, detailOf(status))
		}
		t.noteRequests(status)
		t.loop.guarded(func() { t.deliver(status, value, err) })
		defer t.loop.running.Store(t.loop.running.Swap(t)) // an eager task runs in another
		t.resume <- struct{}{}
	}
	for {
		if status, done := t.serve(p, <-t.requests); done {
			return status
		}
	}
}

// detailOf is the detail of the last await, if it is of that failure.
func detailOf(status int64) uintptr {
	if detail := sys.Last_error(); detail != 0 && sys.Error_code(detail) == status {
		return detail
	}
	return 0
}

// serve does what the goroutine asks for; done: the step has ended.
func (t *task) serve(p uintptr, r request) (status int64, done bool) {
	switch {
	case r.call != nil:
		t.loop.guarded(r.call)
		t.recount()
		close(r.done)
		return 0, false
	case r.begin != nil:
		future, status := r.begin()
		if future != 0 {
			if status = sys.Suspend(p, future); status == sys.PENDING {
				t.deliver = r.deliver
				return status, true
			}
		}
		t.noteRequests(status)
		t.loop.guarded(func() { r.deliver(status, 0, Code(status)) })
		t.resume <- struct{}{}
		return 0, false
	default:
		if r.err != nil && CodeOf(r.err) != ECANCELED {
			t.failed(p, r.err)
		}
		return raise(r.err), true
	}
}

// failed takes note of the error: C would report it soon unless somebody awaits
// the task by then, and in Go that may be later. It is reported when the Task is
// collected and nobody has.
func (t *task) failed(p uintptr, err error) {
	loop := t.loop
	if !t.awaited {
		t.dropped = func() { loop.report("Task exception was never retrieved", err) }
	}
	id := sys.Register(func(future uintptr) int64 {
		sys.Future_error(future) // counts as looked at
		return 0
	})
	if sys.Future_add_done_callback(p, sys.DoneFn, id, sys.ReleaseFn) < 0 {
		sys.Release(id)
	}
}

// body is the goroutine.
func (t *task) body() {
	t.goroutine.Store(goroutineID())
	err := error(&PanicError{Value: "runtime.Goexit in a task"})
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		select {
		case t.requests <- request{err: err}:
		case <-t.gone:
		}
	}()
	err = t.run(t.ctx)
}

// ReleasedByC: C needs the frame no more.
func (t *task) ReleasedByC() {
	delete(t.loop.tasks, t)
	t.unfollow()
	close(t.gone)
}

// call runs fn on the loop's thread, as this task.
func (t *task) call(fn func()) error {
	done := make(chan struct{})
	select {
	case t.requests <- request{call: fn, done: done}:
		<-done
		return nil
	case <-t.gone:
		return ESTALE
	}
}

// await hands the turn back until the future that begin makes is done.
func (t *task) await(begin func() (uintptr, int64),
	deliver func(int64, uintptr, error)) error {
	select {
	case t.requests <- request{begin: begin, deliver: deliver}:
	case <-t.gone:
		return ESTALE
	}
	select {
	case <-t.resume:
		return nil
	case <-t.gone:
		return ESTALE
	}
}

// create makes the task of C; on the loop's thread.
func (t *task) create(name string, make func(options uintptr) uintptr) error {
	if noNUL(name) < 0 {
		return EINVAL
	}
	options := sys.Task_options_new()
	defer sys.Unref(options)
	id := sys.Register(t)
	if name != "" {
		sys.Task_options_set_name(options, name)
	}
	if status := sys.Task_options_set_step(options, sys.StepFn, id, sys.ReleaseFn); status < 0 {
		sys.Release(id)
		return Code(status)
	}
	t.loop.tasks[t] = struct{}{} // until ReleasedByC, which may come inside make
	t.follow()
	if t.p = make(options); t.p == 0 {
		return ESTALE
	}
	return nil
}

// A Task is a function that runs in turn with the loop's other tasks, and its
// outcome. asyncio.Task.
type Task[T any] struct {
	t     *task
	value *T
	err   error // it could not be made
}

// A handle is a reference that goes when the Go objects that have it are collected.
// It refers to none of them: in a cycle it would stay for ever.
type handle struct {
	p       uintptr
	dropped func() // what to do then; set and cleared on the loop's thread
}

func newHandle() *handle {
	h := &handle{}
	runtime.SetFinalizer(h, func(h *handle) {
		sys.Unref(h.p)
		if h.dropped != nil {
			h.dropped()
		}
	})
	return h
}

// Go starts fn as a task of loop. Inside it awaits with the context that it is
// given; when ctx is done it is cancelled, once. asyncio.create_task.
func Go[T any](ctx context.Context, loop *Loop, fn func(ctx context.Context) (T, error)) *Task[T] {
	return start(ctx, newTask(loop), "", sys.Create_task_ex, fn)
}

// GoNamed is Go with a name, for reports and debuggers.
func GoNamed[T any](ctx context.Context, loop *Loop, name string,
	fn func(ctx context.Context) (T, error)) *Task[T] {
	return start(ctx, newTask(loop), name, sys.Create_task_ex, fn)
}

func start[T any](ctx context.Context, t *task, name string,
	make func(options uintptr) uintptr, fn func(ctx context.Context) (T, error)) *Task[T] {
	value := new(T)
	found := &Task[T]{t: t, value: value}
	found.t.run = func(ctx context.Context) (err error) {
		*value, err = fn(ctx)
		return err
	}
	t.given = ctx
	if maker, ok := ctx.Value(taskKey{}).(*task); ok && maker.loop == t.loop {
		t.maker = maker
		if ctx == maker.ctx { // lest they become a chain where each task makes the next
			t.given = maker.given
		}
	}
	t.ctx = context.WithValue(t.given, taskKey{}, t)
	if err := t.loop.do(func() { found.err = found.t.create(name, make) }); err != nil {
		found.err = err
	}
	return found
}

func newTask(loop *Loop) *task {
	return &task{
		loop:     loop,
		handle:   newHandle(),
		requests: make(chan request),
		resume:   make(chan struct{}),
		gone:     make(chan struct{}),
	}
}

func (f *Task[T]) op() Op[T] {
	if f.err != nil {
		return failedOp[T](f.t.loop, f.err)
	}
	return Op[T]{
		loop:    f.t.loop,
		begin:   starting(func() uintptr { return f.t.look() }),
		outcome: valueAt(f.value),
	}
}

// look gives a reference to somebody who gets the outcome.
func (t *task) look() uintptr {
	t.awaited = true
	t.dropped = nil
	return sys.Ref(t.p)
}

// Await waits for the task's outcome. When ctx is done, or the task that awaits
// is cancelled, it is cancelled too; see Shield.
func (f *Task[T]) Await(ctx context.Context) (T, error) {
	value, err := f.op().Await(ctx)
	return settled(f.t.loop, f.t.handle, f.value, value, err)
}

// Cancel asks the task to end: its await fails with ECANCELED, which is a
// context.Canceled. False if it is done. asyncio's cancel.
func (f *Task[T]) Cancel() bool {
	return f.ask(func(p uintptr) int64 { return sys.Task_cancel(p, "") }) > 0
}

// IsDone tells whether the task has ended.
func (f *Task[T]) IsDone() bool {
	return f.err != nil || f.t.loop.isDone(f.t.handle)
}

// Cancelling counts the requests to cancel it less those taken back.
func (f *Task[T]) Cancelling() int { return int(f.ask(sys.Task_cancelling)) }

// Uncancel takes a request back, and returns how many are left.
func (f *Task[T]) Uncancel() int {
	return int(f.ask(func(p uintptr) int64 {
		left := sys.Task_uncancel(p)
		f.t.recount()
		return left
	}))
}

// Name is the task's name: "Task-N" unless it was given one.
func (f *Task[T]) Name() string {
	return textOf(func(text []byte) int64 {
		return f.ask(func(p uintptr) int64 { return sys.Task_get_name(p, text) })
	})
}

// textOf is what a function of C writes that gives the whole length; "" if it fails.
func textOf(write func(text []byte) int64) string {
	for size := int64(128); ; {
		text := make([]byte, size)
		n := write(text)
		if n < size {
			return string(text[:max(n, 0)])
		}
		size = n + 1
	}
}

// ask gives the answer of the loop's thread; 0 of a task that never was.
func (f *Task[T]) ask(what func(p uintptr) int64) int64 {
	if f.err != nil {
		return 0
	}
	answer := int64(0)
	_ = f.t.loop.do(func() { answer = what(f.t.p) })
	runtime.KeepAlive(f)
	return answer
}
