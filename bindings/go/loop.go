// Package asyncloop is libasyncloop for Go: asyncio's event loop, with tasks,
// cancellation, queues, locks, streams and processes.
//
// A Loop runs on an OS thread of its own. Everything here may be used from any
// goroutine: what waits takes a context, whose end cancels it, and what does not
// wait is done on the loop's thread before it returns.
//
//	loop, err := asyncloop.Start(ctx)
//	...
//	conn, err := loop.Dial(ctx, "tcp", "example.org:80")     // a net.Conn
//
// What cannot be made (NewSemaphore of a negative number, say, or after the loop's end)
// fails where it is used, with the reason. What is collected is closed.
//
// There are two ways to be concurrent. Goroutines run beside the loop, as Go's do.
// Tasks (Go, Group.Go) run one at a time, on the loop's turn, and follow asyncio's
// rules to the letter: they are cancelled at their awaits, finish in asyncio's
// order, and are deterministic on the virtual clock. While a task runs the loop
// waits for it, and so does who calls the loop: between two awaits of a task nothing
// else runs there. So a task awaits what this package offers, and leaves anything else
// that blocks to ToThread: a channel, a lock whose owner calls the loop, another loop.
package asyncloop

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"libasyncloop.org/asyncloop/internal/sys"
)

// records is how many completions come over from C at a time.
const records = 256

// A Loop is an event loop and the OS thread that runs it.
type Loop struct {
	p       uintptr
	ctx     context.Context // that of Start
	thread  int64           // its id while the loop runs; atomic
	wakeup  uintptr
	finish  chan struct{} // closed when the thread is through
	running atomic.Pointer[task]
	failure *PanicError // what a callback panicked with; its thread

	mu       sync.Mutex
	posted   []func()
	woken    bool
	stopping bool
	closed   bool // nothing is accepted any more, and p may be gone

	waiters waiter             // the head of the ring of those that wait; its thread only
	tasks   map[*task]struct{} // those made here that have not ended; its thread only
	onPanic func(*PanicError)
	onError func(Unhandled)

	following map[<-chan struct{}]*following // by what their contexts are done; its thread only
	numbered  int64                          // tasks that were followed; its thread only
	ends      int64                          // of contexts; its thread only

	reporting sync.Mutex // one call of onError at a time, after the loop's end
}

// Start makes a loop and runs it on a thread of its own, until Close or until ctx
// is done.
func Start(ctx context.Context, options ...Option) (*Loop, error) {
	loop := &Loop{
		ctx:    ctx,
		finish: make(chan struct{}),
		tasks:  map[*task]struct{}{},

		following: map[<-chan struct{}]*following{},
	}
	loop.waiters.before, loop.waiters.after = &loop.waiters, &loop.waiters
	var set settings
	for _, option := range options {
		option(&set)
	}
	loop.onPanic, loop.onError = set.onPanic, set.onError
	started := make(chan error)
	go loop.run(&set, started)
	if err := <-started; err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		go func() {
			select {
			case <-ctx.Done():
				loop.stop()
			case <-loop.finish:
			}
		}()
	}
	return loop, nil
}

// Run starts a loop, runs main as a task, cancels and awaits the tasks that are
// left, and closes the loop. The end of ctx cancels main, and the tasks made in its
// context; the loop goes on until main returns. asyncio.run.
func Run(ctx context.Context, main func(ctx context.Context) error, options ...Option) error {
	loop, err := Start(context.Background(), options...) // ctx would end it at once
	if err != nil {
		return err
	}
	_, err = Go(ctx, loop, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, main(ctx)
	}).Await(context.Background())
	if panicked := loop.Close(); panicked != nil {
		return panicked
	}
	return err
}

// run is the life of the loop's thread. It is never unlocked, so that it ends
// with this goroutine.
func (l *Loop) run(set *settings, started chan<- error) {
	runtime.LockOSThread()
	options, status := set.make()
	var p uintptr // C gets the address of an integer, not of a part of l
	if status >= 0 {
		status = sys.Loop_new(&p, options)
	}
	sys.Unref(options)
	l.p = p
	if status < 0 {
		started <- Code(status)
		return
	}
	atomic.StoreInt64(&l.thread, int64(syscall.Gettid()))
	l.wakeup = sys.Register(l.drain)
	handler := sys.Register(l.unhandled)
	sys.Loop_set_exception_handler(l.p, sys.ExceptionFn, handler, sys.ReleaseFn)
	started <- nil
	l.turn()
	l.shutdown()
	atomic.StoreInt64(&l.thread, -1)
	sys.Release(l.wakeup)
	close(l.finish)
}

// turn runs the loop until it is stopped; each crossing brings many completions.
func (l *Loop) turn() {
	batch := make([]sys.Completion, records)
	for !l.isStopping() {
		n := sys.Poll(l.p, batch, -1)
		for i := range batch[:max(n, 0)] {
			l.complete(&batch[i])
		}
	}
}

// lastIterations is for how long at most the loop goes on after it accepts nothing any more,
// so that who waits for what is done is told.
const lastIterations = 16

// shutdown ends the loop as asyncio.run does: tasks are cancelled and awaited;
// then whoever still waits gets ESTALE.
func (l *Loop) shutdown() {
	l.drain()
	if l.failure == nil {
		l.cancelAll()
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.drain()
	batch := make([]sys.Completion, records)
	for i := 0; i < lastIterations && l.failure == nil && l.once(batch, 0) > 0; i++ {
	}
	sys.Loop_close(l.p)
	for l.waiters.after != &l.waiters {
		l.deliver(l.waiters.after, sys.ESTALE, 0, 0)
	}
	sys.Loop_unref(l.p)
}

// cancelAll cancels the tasks and runs the loop until they have ended. One whose context
// ended with the loop's is not cancelled for both.
func (l *Loop) cancelAll() {
	own := make(map[uintptr]*task, len(l.tasks))
	for t := range l.tasks {
		own[t.p] = t
	}
	all := sys.All_tasks(l.p)
	n := sys.Results_count(all)
	tasks := make([]uintptr, n)
	for i := range tasks {
		tasks[i] = sys.Ref(sys.Results_future(all, int64(i)))
		if t := own[tasks[i]]; t != nil && t.endsWithLoop() {
			t.cancelOnce()
		} else {
			sys.Task_cancel(tasks[i], "")
		}
	}
	sys.Results_unref(all)
	batch := make([]sys.Completion, records)
	for i := range tasks {
		for sys.Future_done(tasks[i]) == 0 && l.failure == nil {
			l.once(batch, -1)
		}
		sys.Unref(tasks[i])
	}
}

// once runs one iteration, and tells of what is done then; how many callbacks ran.
func (l *Loop) once(batch []sys.Completion, timeout float64) int64 {
	callbacks := sys.Loop_run_once(l.p, timeout)
	for n := sys.Poll(l.p, batch, 0); n > 0; n = sys.Poll(l.p, batch, 0) {
		for i := range batch[:n] {
			l.complete(&batch[i])
		}
	}
	return callbacks
}

func max(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}

func (l *Loop) isStopping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping
}

// isClosed tells whether nothing is accepted any more.
func (l *Loop) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *Loop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopping {
		sys.Loop_stop(l.p)
	}
	l.stopping = true
}

// Close ends the loop: it cancels the tasks that are left and waits for them,
// and for the thread. It returns what a callback panicked with, if one did. In a
// callback or a task it cannot wait: the loop ends later, and it gives EWRONGTHREAD.
func (l *Loop) Close() error {
	l.stop()
	if l.onThread() || taskOf(l) != nil {
		return EWRONGTHREAD
	}
	<-l.finish
	if l.failure != nil {
		return l.failure
	}
	return nil
}

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.finish }

// onThread tells whether the caller is the loop's own goroutine: a callback.
func (l *Loop) onThread() bool {
	return atomic.LoadInt64(&l.thread) == int64(syscall.Gettid())
}

// Post runs fn on the loop's thread, soon; in the order of posting. Any number of
// posts cost one crossing into C. ESTALE once the loop is closed.
func (l *Loop) Post(fn func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ESTALE
	}
	l.posted = append(l.posted, fn)
	if !l.woken {
		l.woken = true
		sys.Loop_call_soon_threadsafe(l.p, sys.CallbackFn, l.wakeup, 0)
	}
	return nil
}

// drain runs what was posted. A callback; it never fails.
func (l *Loop) drain() int64 {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.woken = false
	l.mu.Unlock()
	for _, fn := range posted {
		l.guarded(fn)
	}
	return 0
}

// do runs fn on the loop's thread and waits for it: for a task within its step, for any
// other goroutine when no task runs.
func (l *Loop) do(fn func()) error {
	if l.onThread() {
		fn()
		return nil
	}
	if t := taskOf(l); t != nil {
		return t.call(fn)
	}
	done := make(chan struct{})
	if err := l.Post(func() { defer close(done); fn() }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-l.finish:
		select {
		case <-done:
			return nil
		default:
			return ESTALE
		}
	}
}

// letGo runs fn, which drops references, on the loop's thread, in order with what else uses
// them there. Where that accepts nothing any more, which may be before the loop has ended,
// nothing else does, and fn runs here: a reference may be dropped on any thread.
func (l *Loop) letGo(fn func()) {
	if l.do(fn) != nil {
		fn()
	}
}

// isDone tells whether a future has an outcome, also once the loop has ended.
func (l *Loop) isDone(future *handle) bool {
	done := int64(0)
	look := func() { done = sys.Future_done(future.p) }
	if l.do(look) != nil {
		<-l.finish
		look()
	}
	runtime.KeepAlive(future)
	return done > 0
}

// status is do for a function that gives a status of C.
func (l *Loop) status(fn func() int64) (int64, error) {
	status := int64(sys.ESTALE)
	if err := l.do(func() { status = fn() }); err != nil {
		return 0, err
	}
	if status < 0 {
		return 0, Code(status)
	}
	return status, nil
}

// guarded runs fn; a panic is the loop's, not C's.
func (l *Loop) guarded(fn func()) {
	ended := false
	defer func() {
		if value := recover(); value != nil {
			l.panicked(&PanicError{Value: value, Stack: debug.Stack()})
		} else if !ended {
			goexit()
		}
	}()
	fn()
	ended = true
}

// goexit ends the program where a callback or a job ends its goroutine. That cannot be
// stopped and takes the thread along, for which all would wait for ever.
func goexit() {
	go panic("asyncloop: runtime.Goexit, as FailNow of a test calls it, in a callback or a job")
	select {}
}

// panicked gives a panic to OnPanic; without that it ends the loop, and Run and
// Close return it.
func (l *Loop) panicked(what *PanicError) {
	if l.onPanic != nil {
		l.onPanic(what)
		return
	}
	if l.failure == nil {
		l.failure = what
	}
	l.stop()
}

// Time is the loop's clock: seconds since it began.
func (l *Loop) Time() float64 {
	now := 0.0
	_ = l.do(func() { now = sys.Loop_time(l.p) })
	return now
}
