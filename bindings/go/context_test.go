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

// A context that a task derives from its own ends what is awaited with it, and once.
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
		return 7, Sleep(below, time.Millisecond) // cancelled once, not twice
	})
	<-waiting
	cancel()
	if value, err := task.Await(background); value != 7 || err != nil {
		t.Error(value, err)
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
