package asyncloop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var background = context.Background()

func TestErrorsAreThoseOfGo(t *testing.T) {
	for _, one := range []struct{ err, is error }{
		{ECANCELED, context.Canceled},
		{ETIMEDOUT, context.DeadlineExceeded},
		{ETIMEDOUT, os.ErrDeadlineExceeded},
		{ETIMEDOUT, syscall.ETIMEDOUT},
		{ESTALE, net.ErrClosed},
		{EINCOMPLETEREAD, io.ErrUnexpectedEOF},
		{ECONNREFUSED, syscall.ECONNREFUSED},
		{Code(-int64(syscall.ENOENT)), os.ErrNotExist},
		{&Error{Code: Code(-int64(syscall.EACCES))}, os.ErrPermission},
		{&Error{Code: EQUEUEFULL}, EQUEUEFULL},
		{&Error{Code: EGROUP, Children: []error{io.ErrNoProgress, ETIMEDOUT}}, io.ErrNoProgress},
		{&Error{Code: EGROUP, Children: []error{ETIMEDOUT}}, context.DeadlineExceeded},
	} {
		if !errors.Is(one.err, one.is) {
			t.Errorf("%v is no %v", one.err, one.is)
		}
	}
	if errors.Is(EINVAL, context.Canceled) || errors.Is(&Error{Code: EGROUP}, io.EOF) {
		t.Error("errors that are not")
	}
	var timeout net.Error
	if !errors.As(ETIMEDOUT, &timeout) || !timeout.Timeout() {
		t.Error("ETIMEDOUT is no timeout of net")
	}
	var errno syscall.Errno
	if !errors.As(&Error{Code: EPIPE}, &errno) || errno != syscall.EPIPE ||
		errors.As(EQUEUEFULL, &errno) {
		t.Error("error numbers of the system:", errno)
	}
	if EQUEUEFULL.Name() != "ALOOP_EQUEUEFULL" || CodeOf(syscall.ENOENT) != -2 {
		t.Error("names and codes")
	}
}

func TestCodesAreThoseOfC(t *testing.T) {
	loop := startLoop(t)
	_, err := loop.Dial(background, "unix", "/no/such/socket")
	if !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}

// An error without a code, or with one that is none of a failure, is an error all the same.
func TestErrorsWithoutACode(t *testing.T) {
	loop := startLoop(t)
	for _, mine := range []error{&Error{Message: "no code"}, Code(0), Code(7)} {
		mine := mine
		_, err := Go(background, loop, func(context.Context) (int, error) {
			return 0, mine
		}).Await(background)
		if err != mine {
			t.Errorf("%v, not %v", err, mine)
		}
		future := NewFuture[int](loop)
		if err := future.SetError(mine); err != nil {
			t.Error(err)
		}
		if _, err := future.Await(background); err != mine {
			t.Errorf("future: %v, not %v", err, mine)
		}
	}
}

type special struct{ text string }

func (s *special) Error() string { return s.text }

func TestGoErrorsPassThroughWhole(t *testing.T) {
	loop := startLoop(t)
	mine := &special{"mine"}
	fails := func(ctx context.Context) (int, error) { return 0, mine }

	if _, err := Go(background, loop, fails).Await(background); err != error(mine) {
		t.Error("task:", err)
	}
	_, err := InThread(loop, func() (int, error) { return 0, mine }).Await(background)
	if err != error(mine) {
		t.Error("job:", err)
	}
	future := NewFuture[int](loop)
	if err := future.SetError(mine); err != nil {
		t.Error(err)
	}
	if _, err := Shield[int](future).Await(background); err != error(mine) {
		t.Error("future, shielded:", err)
	}
	all, err := GatherAll[int](Go(background, loop, fails), future).Await(background)
	if err != nil || all[0].Err != error(mine) || all[1].Err != error(mine) {
		t.Error("gather:", all, err)
	}
	err = wait(background, Go(background, loop, func(ctx context.Context) (int, error) {
		return 0, WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(func(ctx context.Context) error { return mine })
			return nil
		})
	}).op())
	var found *special
	if CodeOf(err) != EGROUP || !errors.As(err, &found) || found != mine {
		t.Error("group:", err)
	}
}

func TestPanicsReachWhoAwaits(t *testing.T) {
	loop := startLoop(t)
	var panicked *PanicError
	_, err := Go(background, loop, func(ctx context.Context) (int, error) {
		_ = Sleep(ctx, 0)
		panic("in a task")
	}).Await(background)
	if !errors.As(err, &panicked) || panicked.Value != "in a task" ||
		!strings.Contains(string(panicked.Stack), "TestPanicsReachWhoAwaits") {
		t.Error(err)
	}
	_, err = InThread(loop, func() (int, error) { panic(7) }).Await(background)
	if !errors.As(err, &panicked) || panicked.Value != 7 {
		t.Error(err)
	}
}

func TestPanicInACallbackEndsTheLoop(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	future := NewFuture[int](loop)
	waiting := make(chan error)
	go func() {
		_, err := future.Await(background)
		waiting <- err
	}()
	_, _ = loop.CallLater(time.Millisecond, func() { panic("in a callback") })
	if err := <-waiting; !errors.Is(err, ESTALE) {
		t.Error(err)
	}
	var panicked *PanicError
	if err := loop.Close(); !errors.As(err, &panicked) || panicked.Value != "in a callback" {
		t.Error(err)
	}
}

func TestPanicInACallbackGoesToTheHandler(t *testing.T) {
	found := make(chan interface{}, 1)
	loop := startLoop(t, OnPanic(func(p *PanicError) { found <- p.Value }))
	_ = loop.Post(func() { panic("posted") })
	if value := <-found; value != "posted" {
		t.Error(value)
	}
	if _, err := loop.Sleep(0).Await(background); err != nil {
		t.Error(err)
	}
}

func TestCloseCancelsTasksAndWakesWaiters(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	lock := NewLock(loop)
	released, held := make(chan error, 1), make(chan struct{})
	Go(background, loop, func(ctx context.Context) (int, error) {
		_ = lock.Acquire(ctx)
		close(held)
		err := Sleep(ctx, time.Hour)
		released <- lock.Release()
		return 0, err
	})
	future := NewFuture[int](loop)
	waiting := make(chan error, 1)
	go func() {
		_, err := future.Await(background)
		waiting <- err
	}()
	<-held
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if err := <-released; err != nil {
		t.Error("the task could not clean up:", err)
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := loop.Post(func() {}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := loop.Sleep(0).Await(background); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := NewLock(loop).Acquire(background); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := loop.Close(); err != nil {
		t.Error("again:", err)
	}
}

func TestRun(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		Go(ctx, LoopOf(ctx), func(ctx context.Context) (int, error) {
			return 0, Sleep(ctx, time.Hour)
		})
		return Timeout(ctx, time.Minute, func(ctx context.Context) error {
			return Sleep(ctx, time.Hour)
		})
	}, VirtualClock())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestBlockingTheLoopIsRefused(t *testing.T) {
	loop := startLoop(t)
	found := make(chan error)
	_ = loop.Post(func() {
		_, err := loop.Sleep(time.Second).Await(background)
		go func() { found <- err }()
	})
	if err := <-found; err != EWRONGTHREAD {
		t.Error(err)
	}
	_ = loop.Post(func() {
		err := loop.Close()
		go func() { found <- err }()
	})
	if err := <-found; err != EWRONGTHREAD {
		t.Error(err)
	}
}

func TestCloseInATask(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		if err := LoopOf(ctx).Close(); err != EWRONGTHREAD {
			t.Error(err)
		}
		return Sleep(ctx, time.Hour)
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPostsKeepTheirOrder(t *testing.T) {
	loop := startLoop(t)
	const goroutines, posts = 8, 2000
	last := make([]int, goroutines) // of the loop's thread
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		g := g
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 1; i <= posts; i++ {
				i := i
				if err := loop.Post(func() {
					if last[g]+1 != i {
						t.Errorf("%d after %d", i, last[g])
					}
					last[g] = i
				}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	_ = loop.do(func() {
		for _, n := range last {
			if n != posts {
				t.Error(n)
			}
		}
	})
}

func TestQueuesAreChannels(t *testing.T) {
	loop := startLoop(t)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	queue := NewQueue[string](loop, 2)
	in := queue.In(ctx)
	go func() {
		for _, word := range []string{"one", "two", "three", "four"} {
			in <- word
		}
		close(in)
	}()
	out := queue.Chan(ctx)
	for _, word := range []string{"one", "two", "three", "four"} {
		if got := <-out; got != word {
			t.Errorf("%q, not %q", got, word)
		}
	}
	_ = queue.Shutdown(false)
	if value, ok := <-out; ok {
		t.Errorf("%q after the end", value)
	}
}

func TestFutureOfGo(t *testing.T) {
	loop := startLoop(t)
	future := NewFuture[string](loop)
	called := make(chan string, 1)
	_ = future.AddDoneCallback(func(value string, err error) { called <- value })
	done := future.Done()
	go func() { _ = future.SetResult("set") }()
	<-done
	if value, err := future.Await(background); value != "set" || err != nil || !future.IsDone() {
		t.Error(value, err)
	}
	if value := <-called; value != "set" {
		t.Error(value)
	}
	if err := future.SetResult("again"); !errors.Is(err, EINVALIDSTATE) {
		t.Error(err)
	}
	if err := NewFuture[int](loop).SetError(nil); err != EINVAL {
		t.Error("no error:", err)
	}
}

// The loop's thread may ask for what another goroutine waits for it to make.
func TestDoneFromTwoSides(t *testing.T) {
	loop := startLoop(t)
	future := NewFuture[int](loop)
	asked := func() bool {
		loop.mu.Lock()
		defer loop.mu.Unlock()
		return len(loop.posted) > 0
	}
	done := make(chan (<-chan struct{}), 2)
	_ = loop.Post(func() {
		go func() { done <- future.Done() }()
		for !asked() {
			runtime.Gosched()
		}
		done <- future.Done()
	})
	one, other := <-done, <-done
	if one != other {
		t.Error("two channels")
	}
	if err := future.SetResult(1); err != nil {
		t.Error(err)
	}
	<-one
}

func TestNetConnInATask(t *testing.T) {
	loop := startLoop(t)
	listener, err := loop.Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}()
	_, err = Go(background, loop, func(ctx context.Context) (int, error) {
		conn, err := loop.Dial(ctx, "tcp", listener.Addr().String())
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		// io.Writer and io.Reader know no context: the task is found without.
		if _, err = io.WriteString(conn, "through a task"); err != nil {
			return 0, err
		}
		_ = conn.CloseWrite()
		back, err := io.ReadAll(conn)
		if string(back) != "through a task" {
			t.Errorf("%q", back)
		}
		_ = conn.SetReadDeadline(time.Now().Add(-time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		return 0, err
	}).Await(background)
	if err != nil {
		t.Error(err)
	}
	_ = listener.Close()
}

func TestProcesses(t *testing.T) {
	loop := startLoop(t)
	child, err := loop.StartProcess(background, Command{
		Path: "sh", Args: []string{"-c", "cat; echo $NAME >&2; exit 3"},
		Env:   []string{"NAME=value", "PATH=/bin:/usr/bin"},
		Stdin: Pipe, Stdout: Pipe, Stderr: Pipe,
	})
	if err != nil {
		t.Fatal(err)
	}
	out, diag, exit, err := child.Communicate(background, []byte("to the child"))
	if string(out) != "to the child" || string(diag) != "value\n" || exit.Code != 3 || err != nil {
		t.Errorf("%q %q %v %v", out, diag, exit, err)
	}
	if exit, ended := child.Returncode(); !ended || exit.Code != 3 {
		t.Error(exit, ended)
	}
	if err := child.Kill(); !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
	child, err = loop.StartProcess(background, Command{Path: "sleep", Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = child.Terminate()
	if exit, err = child.Wait(background); exit.Signal != syscall.SIGTERM || err != nil {
		t.Error(exit, err)
	}
	_, err = loop.StartProcess(background, Command{Path: "/no/such"})
	if !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}

func TestExecutors(t *testing.T) {
	loop := startLoop(t)
	executor := NewExecutor(loop, 2)
	var jobs []Awaitable[int]
	for i := 0; i < 20; i++ {
		i := i
		jobs = append(jobs, RunIn(executor, func() (int, error) { return i * i, nil }))
	}
	squares, err := Gather(jobs...).Await(background)
	if err != nil || len(squares) != 20 || squares[19] != 361 {
		t.Error(squares, err)
	}
	if err := executor.Shutdown(background, NoTimeout); err != nil {
		t.Error(err)
	}
	var calls int64
	twice := InThread(loop, func() (int64, error) { return atomic.AddInt64(&calls, 1), nil })
	both, err := Gather[int64](twice, twice).Await(background)
	if err != nil || len(both) != 2 || both[0]+both[1] != 3 {
		t.Error("an op that is begun twice:", both, err)
	}
	_, err = RunIn(executor, func() (int, error) { return 0, nil }).Await(background)
	if !errors.Is(err, ESHUTDOWN) {
		t.Error(err)
	}
}

// A job whose loop has ended by the time it returns leaves nothing behind.
func TestAJobThatIsLate(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	_, err = ToThread(ctx, loop, func() (string, error) {
		cancel()
		<-loop.Done()
		return "late", nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if left := leftBehind(); left != nil {
		t.Error("left behind:", left)
	}
}

func TestIntrospection(t *testing.T) {
	loop := startLoop(t)
	task := GoNamed(background, loop, "worker", func(ctx context.Context) (int, error) {
		return 0, Sleep(ctx, time.Hour)
	})
	for loop.Metrics()["tasks"] != 1 {
		time.Sleep(time.Millisecond)
	}
	if task.Name() != "worker" || !strings.Contains(task.CallGraph(), "worker") || task.IsDone() {
		t.Error(task.Name(), task.CallGraph())
	}
	if !task.Cancel() || task.Cancelling() != 1 || task.Uncancel() != 0 {
		t.Error("cancel counts")
	}
	read, write, _ := os.Pipe()
	defer read.Close()
	readable := make(chan bool, 8)
	fd := int(read.Fd())
	if err := loop.AddReader(fd, func() {
		_, _ = syscall.Read(fd, make([]byte, 8))
		readable <- true
	}); err != nil {
		t.Error(err)
	}
	write.Write([]byte("x"))
	<-readable
	if err := loop.RemoveReader(fd); err != nil {
		t.Error(err)
	}
	write.Close()
}
