package asyncloop

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestLongNames(t *testing.T) {
	loop := startLoop(t)
	name := strings.Repeat("ä long name, ", 40)
	task := GoNamed(background, loop, name, func(ctx context.Context) (int, error) { return 0, nil })
	if task.Name() != name {
		t.Error(task.Name())
	}
	if _, err := task.Await(background); err != nil {
		t.Error(err)
	}
}

func TestWhatIsGivenTwiceIsCompletedOnce(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		task := Go(ctx, LoopOf(ctx), func(ctx context.Context) (int, error) { return 3, nil })
		seen := 0
		err := AsCompleted[int](ctx, func(_ int, value int, err error) bool {
			seen += value
			return true
		}, task, task)
		if seen != 3 {
			t.Error(seen)
		}
		return err
	}, VirtualClock())
	if err != nil {
		t.Error(err)
	}
}

// A panic leaves the blocks around it before it goes on: no task of a group outlives that.
func TestPanicsInBlocks(t *testing.T) {
	var trace []string
	err := Run(background, func(ctx context.Context) error {
		defer func() { trace = append(trace, "left") }()
		return Timeout(ctx, time.Hour, func(ctx context.Context) error {
			_, err := WithScope(ctx, NoTimeout, func(ctx context.Context, _ *Scope) error {
				return WithGroup(ctx, func(ctx context.Context, g *Group) error {
					g.Go(func(ctx context.Context) error {
						err := Sleep(ctx, time.Hour)
						trace = append(trace, CodeOf(err).Name())
						return err
					})
					if err := Sleep(ctx, time.Second); err != nil {
						return err
					}
					defer func() { trace = append(trace, "panicking") }()
					panic("in a block")
				})
			})
			return err
		})
	}, VirtualClock())
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.Value != "in a block" ||
		!strings.Contains(string(panicked.Stack), "TestPanicsInBlocks") {
		t.Error(err)
	}
	if strings.Join(trace, ", ") != "panicking, ALOOP_ECANCELED, left" {
		t.Error(trace)
	}
}

// A group in a context that ends ends with it.
func TestAGroupInAContextThatEnds(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		late, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		err := WithGroup(late, func(ctx context.Context, g *Group) error {
			g.Go(func(ctx context.Context) error { return Sleep(ctx, time.Hour) })
			return nil
		})
		if err != nil {
			t.Error("its tasks were cancelled, which is no failure:", err)
		}
		err = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			late, stop := context.WithTimeout(ctx, time.Millisecond)
			defer stop()
			return Sleep(late, time.Hour)
		})
		if CodeOf(err) != EGROUP || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The tasks of a group begin others after its block; when all have ended nobody does.
func TestGroupsAfterTheirBlock(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		var kept *Group
		trace := ""
		err := WithGroup(ctx, func(ctx context.Context, g *Group) error {
			kept = g
			g.Go(func(ctx context.Context) error {
				err := Sleep(ctx, time.Second)
				g.Go(func(ctx context.Context) error {
					trace += "child "
					return Sleep(ctx, time.Second)
				})
				return err
			})
			trace += "block "
			return nil
		})
		if err != nil || trace != "block child " || LoopOf(ctx).Time() != 2 {
			t.Error(err, trace, LoopOf(ctx).Time())
		}
		for i := 0; i < 100; i++ { // whatever takes its place in memory
			_ = WithGroup(ctx, func(context.Context, *Group) error { return nil })
			late := kept.Go(func(context.Context) error { return nil })
			if _, err := late.Await(ctx); !errors.Is(err, ESHUTDOWN) {
				t.Fatal(err)
			}
			_ = kept.Cancel()
		}
		return nil
	}, VirtualClock())
	if err != nil {
		t.Error(err)
	}
}

func TestEagerTasksRunInsideOthers(t *testing.T) {
	var trace []string
	err := Run(background, func(ctx context.Context) error {
		inner := Go(ctx, LoopOf(ctx), func(ctx context.Context) (int, error) {
			trace = append(trace, "inner begins")
			err := Sleep(ctx, time.Second)
			trace = append(trace, "inner ends")
			return 7, err
		})
		trace = append(trace, "outer")
		if err := Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		n, err := inner.Await(ctx)
		if n != 7 {
			t.Error(n)
		}
		return err
	}, VirtualClock(), EagerTasks(true))
	if err != nil || strings.Join(trace, ", ") != "inner begins, outer, inner ends" {
		t.Error(err, trace)
	}
}

// A panic that ends the loop leaves nothing behind of what its tasks were in.
func TestAPanicLeavesNothingBehind(t *testing.T) {
	long := func(ctx context.Context) error { return Sleep(ctx, time.Hour) }
	for name, body := range map[string]func(ctx context.Context) error{
		"sleep": long,
		"derived context": func(ctx context.Context) error {
			below, stop := context.WithCancel(ctx)
			defer stop()
			return long(below)
		},
		"timeout": func(ctx context.Context) error { return Timeout(ctx, time.Hour, long) },
		"scope": func(ctx context.Context) error {
			_, err := WithScope(ctx, time.Hour, func(ctx context.Context, _ *Scope) error {
				return long(ctx)
			})
			return err
		},
		"group": func(ctx context.Context) error {
			return WithGroup(ctx, func(ctx context.Context, g *Group) error {
				g.Go(long)
				return long(ctx)
			})
		},
		"group, joining": func(ctx context.Context) error {
			return WithGroup(ctx, func(ctx context.Context, g *Group) error {
				g.Go(long)
				return nil
			})
		},
		"as completed": func(ctx context.Context) error {
			return AsCompleted[struct{}](ctx, func(int, struct{}, error) bool { return true },
				LoopOf(ctx).Sleep(time.Hour), LoopOf(ctx).Sleep(time.Hour))
		},
	} {
		loop, err := Start(background)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		Go(background, loop, func(ctx context.Context) (_ int, err error) {
			_ = loop.Post(func() { panic(name) }) // once this waits
			ended <- body(ctx)
			return
		})
		if err := <-ended; !errors.Is(err, ESTALE) {
			t.Errorf("%s: %v", name, err)
		}
		var panicked *PanicError
		if err := loop.Close(); !errors.As(err, &panicked) || panicked.Value != name {
			t.Errorf("%s: %v", name, err)
		}
		loop = nil
		if left := leftBehind(); left != nil {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

// Nor does the end of the loop of what goroutines wait for.
func TestAsCompletedAtTheLoopsEnd(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	future := NewFuture[int](loop)
	go func() {
		ended <- AsCompleted[int](background, func(int, int, error) bool {
			_ = loop.Post(loop.stop)
			return true
		}, future, NewFuture[int](loop))
	}()
	if err := future.SetResult(1); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if left := leftBehind(); left != nil {
		t.Error("left behind:", left)
	}
}

// What is reported after the loop's end holds up no finalizer.
func TestReportsAfterTheLoopsEnd(t *testing.T) {
	entered, collected := make(chan struct{}), make(chan struct{})
	found := make(chan Unhandled, 1)
	loop, err := Start(background, OnUnhandled(func(what Unhandled) {
		close(entered)
		<-collected
		found <- what
	}))
	if err != nil {
		t.Fatal(err)
	}
	mine := &special{"nobody knows"}
	func() {
		task := Go(background, loop, func(context.Context) (int, error) { return 0, mine })
		for !task.IsDone() {
			runtime.Gosched()
		}
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(task)
	}()
	collectUntil(entered)
	runtime.SetFinalizer(&special{"for the finalizer"}, func(*special) { close(collected) })
	collectUntil(collected)
	if what := <-found; what.Err != error(mine) {
		t.Error(what)
	}
}

func collectUntil(happened <-chan struct{}) {
	for {
		runtime.GC()
		select {
		case <-happened:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestFailuresThatNobodyAwaitsAreReported(t *testing.T) {
	found := make(chan Unhandled, 1)
	loop := startLoop(t, OnUnhandled(func(what Unhandled) { found <- what }))
	mine := &special{"nobody knows"}
	Go(background, loop, func(ctx context.Context) (int, error) { return 0, mine })
	for {
		runtime.GC()
		select {
		case what := <-found:
			if what.Err != error(mine) || !strings.Contains(what.Message, "never retrieved") {
				t.Error(what)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}
