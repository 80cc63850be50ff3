package asyncloop

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestContextCancelsWhatIsAwaited(t *testing.T) {
	loop := startLoop(t)
	ctx, cancel := context.WithCancel(background)
	go cancel()
	if _, err := loop.Sleep(time.Hour).Await(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	late, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	_, err := loop.Sleep(time.Hour).Await(late)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestContextCancelsTheTask(t *testing.T) {
	loop := startLoop(t)
	ctx, cancel := context.WithCancel(background)
	cleaned := false
	begun := make(chan struct{})
	task := Go(ctx, loop, func(ctx context.Context) (int, error) {
		close(begun)
		err := Sleep(ctx, time.Hour)
		cleaned = Sleep(ctx, time.Millisecond) == nil
		return 0, err
	})
	<-begun
	cancel()
	if _, err := task.Await(background); !errors.Is(err, context.Canceled) || !cleaned {
		t.Error(err, cleaned)
	}
}

// A context that a task derives from its own ends what is awaited with it; where its own ends
// too, that is one cancellation.
func TestContextsInsideATask(t *testing.T) {
	loop := startLoop(t)
	outer, cancel := context.WithCancel(background)
	waiting := make(chan struct{})
	task := Go(outer, loop, func(ctx context.Context) (int, error) {
		late, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		_, err := loop.Sleep(time.Hour).Await(late)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("deadline:", err)
		}
		given, giveUp := context.WithCancel(ctx)
		go giveUp()
		if err := NewEvent(loop).Wait(given); !errors.Is(err, context.Canceled) {
			t.Error("given up:", err)
		}
		if err := Sleep(ctx, 0); err != nil {
			t.Error("the task itself is not cancelled:", err)
		}
		below, stop := context.WithCancel(ctx)
		defer stop()
		close(waiting)
		if err := NewEvent(loop).Wait(below); !errors.Is(err, context.Canceled) {
			t.Error("with the task:", err)
		}
		if err := Sleep(below, 0); !errors.Is(err, context.Canceled) {
			t.Error("below has ended:", err)
		}
		return 7, Sleep(ctx, time.Millisecond) // cancelled once, not twice
	})
	<-waiting
	cancel()
	if value, err := task.Await(background); value != 7 || err != nil {
		t.Error(value, err)
	}
}

// valuesOf is what context.WithoutCancel gives from Go 1.21 on.
type valuesOf struct {
	context.Context
	of context.Context
}

func (v valuesOf) Value(key interface{}) interface{} { return v.of.Value(key) }

// expiring is a context whose time is up when the test says so.
type expiring struct {
	context.Context
	over chan struct{}
}

func newExpiring() *expiring { return &expiring{background, make(chan struct{})} }

func (e *expiring) Done() <-chan struct{}       { return e.over }
func (e *expiring) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }
func (e *expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// What cleans up in a task whose own context has ended has contexts that end as any do, and
// have ended when they have.
func TestContextsOfCleaningUp(t *testing.T) {
	loop := startLoop(t)
	for name, ending := range map[string]func() (context.Context, func()){
		"cancelled": func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(background)
			return ctx, cancel
		},
		"late": func() (context.Context, func()) {
			ctx := newExpiring()
			return ctx, func() { close(ctx.over) }
		},
	} {
		ctx, end := ending()
		value, err := Go(ctx, loop, func(ctx context.Context) (int, error) {
			derived, stop := context.WithCancel(ctx)
			defer stop()
			end()
			if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
				t.Error(name, err)
			}
			for _, above := range []context.Context{background, valuesOf{background, ctx}} {
				late, stop := context.WithTimeout(above, time.Millisecond)
				for i := 0; i < 2; i++ {
					_, err := NewFuture[int](loop).Await(late)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(name, err)
					}
				}
				stop()
			}
			given, giveUp := context.WithCancel(background)
			go giveUp()
			for i := 0; i < 2; i++ {
				if err := NewEvent(loop).Wait(given); !errors.Is(err, context.Canceled) {
					t.Error(name, err)
				}
			}
			for i := 0; i < 2; i++ {
				if err := Sleep(derived, 0); !errors.Is(err, derived.Err()) {
					t.Error(name, "derived:", err)
				}
			}
			return 7, Sleep(ctx, 0)
		}).Await(background)
		if value != 7 || err != nil {
			t.Error(name, value, err)
		}
	}
}

// A context that ends while what was cancelled with the task takes its time is heeded.
func TestContextsThatEndAfterTheTasks(t *testing.T) {
	loop := startLoop(t)
	ctx, cancel := context.WithCancel(background)
	given, giveUp := context.WithCancel(background)
	defer giveUp()
	var trace []string
	_, err := Go(ctx, loop, func(ctx context.Context) (int, error) {
		_, err := Go(background, loop, func(ctx context.Context) (int, error) {
			cancel()
			trace = append(trace, CodeOf(Sleep(ctx, time.Hour)).Name())
			giveUp()
			return 0, Sleep(ctx, time.Hour)
		}).Await(given)
		trace = append(trace, CodeOf(err).Name())
		return 0, Sleep(ctx, 0)
	}).Await(background)
	if err != nil || len(trace) != 2 || trace[0] != ECANCELED.Name() || trace[1] != trace[0] {
		t.Error(err, trace)
	}
}

// Contexts that ended, or end, apart from the task's own are heeded while it cleans up.
func TestContextsApartFromTheTasks(t *testing.T) {
	loop := startLoop(t)
	ctx, cancel := context.WithCancel(background)
	value, err := Go(ctx, loop, func(ctx context.Context) (int, error) {
		below, stop := context.WithCancel(ctx)
		stop()
		never := NewFuture[int](loop)
		awaits := func(when string, with context.Context) {
			if _, err := Shield[int](never).Await(with); !errors.Is(err, context.Canceled) {
				t.Error(when, err)
			}
		}
		awaits("before:", below)
		cancel()
		awaits("the task's:", ctx)
		awaits("after:", below)
		clean, stop := context.WithCancel(valuesOf{background, ctx})
		begun := loop.Sleep(0)
		go func() {
			_, _ = begun.Await(background) // the task waits by then
			stop()
		}()
		awaits("cleaning up:", clean)
		awaits("again:", clean)
		// What goes on when it was cancelled with the task is cancelled by what ends later.
		slow := Go(background, loop, func(ctx context.Context) (int, error) {
			_ = Sleep(ctx, time.Hour)
			return 0, nil
		})
		awaits("and again:", clean)
		_, _ = slow.Await(clean)
		return 7, Sleep(ctx, 0)
	}).Await(background)
	if value != 7 || err != nil {
		t.Error(value, err)
	}
}

// A deadline is told as one also after a cancellation that was swallowed; and a
// cancellation is one also where a deadline came first.
func TestDeadlinesAndCancellations(t *testing.T) {
	loop := startLoop(t)
	var task *Task[int]
	begun := make(chan struct{})
	task = Go(background, loop, func(ctx context.Context) (int, error) {
		close(begun)
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		late, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		err := Sleep(late, time.Hour)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("the deadline:", err)
		}
		later := newExpiring()
		slow := Go(background, loop, func(ctx context.Context) (int, error) {
			close(later.over)
			err := Sleep(ctx, time.Hour)
			task.Cancel()
			return 0, err
		})
		if _, err = slow.Await(later); !errors.Is(err, context.Canceled) {
			t.Error("the cancellation:", err)
		}
		if left := task.Uncancel(); left != 1 {
			t.Error(left)
		}
		return 7, Sleep(ctx, 0)
	})
	<-begun
	task.Cancel()
	if value, err := task.Await(background); value != 7 || err != nil {
		t.Error(value, err)
	}
}

// What has one cause is one cancellation: cleaning up is not disturbed by the end of the loop
// that comes with that of the context.
func TestOneCancellationForOneEnd(t *testing.T) {
	cleanUp := func(ctx context.Context) error {
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for i := 0; i < 20; i++ {
			if err := Sleep(ctx, 0); err != nil {
				return err
			}
		}
		return nil
	}
	for i := 0; i < 20; i++ {
		ctx, cancel := context.WithCancel(background)
		if err := Run(ctx, func(ctx context.Context) error {
			go cancel()
			return cleanUp(ctx)
		}); err != nil {
			t.Fatal("Run:", err)
		}
		ctx, cancel = context.WithCancel(background)
		loop, err := Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		begun, ended := make(chan struct{}), make(chan error, 1)
		Go(ctx, loop, func(ctx context.Context) (_ int, err error) {
			close(begun)
			ended <- cleanUp(ctx)
			return
		})
		<-begun
		cancel()
		if err := <-ended; err != nil {
			t.Fatal("Start:", err)
		}
		if err := loop.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A task that reads when the loop ends is cancelled.
func TestReadingAtTheLoopsEnd(t *testing.T) {
	loop := startLoop(t)
	one, _, _ := ends(t, loop)
	begun, ended := make(chan struct{}), make(chan error, 1)
	Go(background, loop, func(context.Context) (_ int, err error) {
		close(begun)
		ended <- fails(one.Read(make([]byte, 1)))
		return
	})
	<-begun
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The context of a task alone does not make another goroutine the task.
func TestBlocksInOtherGoroutines(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		found := make(chan error)
		go func() { found <- Timeout(ctx, 1, func(context.Context) error { return nil }) }()
		if err := <-found; err != ENOTASK {
			t.Error(err)
		}
		scope, err := WithScope(background, NoTimeout, nil)
		if err != ENOTASK || scope.Cancel() != ENOTASK {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestContextOfStartEndsTheLoop(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	loop, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-loop.Done()
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
}

func TestTimeoutsThatAreOverOrNone(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		loop := LoopOf(ctx)
		sleeper := Go(ctx, loop, func(ctx context.Context) (int, error) {
			return 0, Sleep(ctx, time.Second)
		})
		_, pending, err := Wait(ctx, AllCompleted, -time.Minute, sleeper)
		if len(pending) != 1 || err != nil || loop.Time() >= 1 {
			t.Error("a timeout that is over:", pending, err, loop.Time())
		}
		if _, err = WaitFor[int](sleeper, NoTimeout).Await(ctx); err != nil {
			t.Error("no timeout:", err)
		}
		return Timeout(ctx, NoTimeout, func(ctx context.Context) error {
			return Sleep(ctx, time.Hour)
		})
	}, VirtualClock())
	if err != nil {
		t.Error(err)
	}
}

func TestScopes(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		scope, err := WithScope(ctx, time.Second, func(ctx context.Context, s *Scope) error {
			_ = Sleep(ctx, time.Hour)
			return Sleep(ctx, time.Hour) // still cancelled
		})
		if err != nil || !scope.Caught() || LoopOf(ctx).Time() != 1 {
			t.Error(err, scope.Caught(), LoopOf(ctx).Time())
		}
		return nil
	}, VirtualClock())
	if err != nil {
		t.Error(err)
	}
	if err := Timeout(background, 1, func(context.Context) error { return nil }); err != ENOTASK {
		t.Error(err)
	}
}
