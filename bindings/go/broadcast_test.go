package asyncloop

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

func TestBroadcast(t *testing.T) {
	loop := startLoop(t)
	news := NewBroadcast[string](loop, 2)
	if err := news.Send("nobody"); !errors.Is(err, EPIPE) {
		t.Error(err)
	}
	one, other := news.Subscribe(), news.Subscribe()
	for _, word := range []string{"a", "b", "c"} {
		if err := news.Send(word); err != nil {
			t.Error(err)
		}
		if got, err := one.Receive(background); got != word || err != nil {
			t.Error(got, err)
		}
	}
	_, err := other.Receive(background)
	if CodeOf(err).Name() != "ALOOP_ELAGGED" || other.Missed() != 1 {
		t.Error(err, other.Missed())
	}
	if got, err := other.TryReceive(); got != "b" || err != nil {
		t.Error(got, err)
	}
	_ = news.Close()
	if _, err := one.Receive(background); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	_, _ = other.Receive(background)
	if _, err := other.TryReceive(); err == nil {
		t.Error("more after the end")
	}
}

func TestWatch(t *testing.T) {
	loop := startLoop(t)
	watch := NewWatch(loop, 1)
	watcher := watch.Subscribe()
	if watcher.HasChanged() {
		t.Error("it has seen the first")
	}
	go func() { _ = watch.Set(2) }()
	if err := watcher.Changed(background); err != nil {
		t.Error(err)
	}
	if value, err := watcher.Value(); value != 2 || err != nil {
		t.Error(value, err)
	}
	if value, err := watch.Value(); value != 2 || err != nil {
		t.Error(value, err)
	}
	_ = watch.Close()
	if err := watcher.Changed(background); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := watch.Set(3); err == nil {
		t.Error("set after the end")
	}
}

func TestLimiters(t *testing.T) {
	err := Run(background, func(ctx context.Context) error {
		loop := LoopOf(ctx)
		rate := NewRateLimiter(loop, 2, 1)
		for i := 0; i < 5; i++ {
			if err := rate.Acquire(ctx, 1); err != nil {
				t.Error(err)
			}
		}
		if rate.TryAcquire(1) || loop.Time() != 2 {
			t.Error(loop.Time())
		}
		limit := NewLimiter(loop, 1)
		if err := limit.Acquire(ctx, 7); err != nil || !limit.Has(7) || limit.Total() != 1 {
			t.Error(err)
		}
		_, err := WaitFor[struct{}](limit.Acquiring(8), time.Second).Await(ctx)
		if !errors.Is(err, ETIMEDOUT) {
			t.Error(err)
		}
		_ = limit.SetTotal(2)
		if err := limit.Acquire(ctx, 8); err != nil {
			t.Error(err)
		}
		if err := limit.Release(9); !errors.Is(err, ENOTOWNER) {
			t.Error(err)
		}
		return nil
	}, VirtualClock())
	if err != nil {
		t.Error(err)
	}
}
