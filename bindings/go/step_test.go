package asyncloop

import (
	"context"
	"testing"
	"time"
)

// Between two awaits of a task nothing else runs, whatever it calls and whoever asks the
// loop for something meanwhile.
func TestStepsAreWhole(t *testing.T) {
	loop := startLoop(t)
	queue := NewQueue[int](loop, 0)
	begun, asked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(asked)
		<-begun
		_ = queue.PutNowait(1)
	}()
	_, err := Go(background, loop, func(ctx context.Context) (int, error) {
		count := 0
		_ = loop.Post(func() { count = -1000 }) // a race, too, if that ran beside this
		close(begun)
		for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
			count++
			if n := queue.Len(); n != 0 {
				t.Error("another goroutine's", n)
				break
			}
		}
		if count < 0 {
			t.Error("a callback ran within a step")
		}
		return 0, nil
	}).Await(background)
	<-asked
	if n := queue.Len(); err != nil || n != 1 {
		t.Error(err, n)
	}
}

// So does no eager task that another goroutine begins.
func TestStepsAreWholeForEagerTasks(t *testing.T) {
	loop := startLoop(t, EagerTasks(true))
	gate := NewEvent(loop)
	begun := make(chan struct{})
	running := false
	one := Go(background, loop, func(ctx context.Context) (int, error) {
		if err := gate.Wait(ctx); err != nil {
			return 0, err
		}
		running = true
		close(begun)
		time.Sleep(20 * time.Millisecond) // for the other to come, if it does
		running = false
		return 1, Sleep(ctx, 0)
	})
	if err := gate.Set(); err != nil {
		t.Fatal(err)
	}
	<-begun
	two := Go(background, loop, func(ctx context.Context) (int, error) {
		if running {
			t.Error("two tasks run at a time")
		}
		return 2, Sleep(ctx, 0)
	})
	values, err := WaitFor[[]int](Gather[int](one, two), hang).Await(background)
	if err != nil || values[0] != 1 || values[1] != 2 {
		t.Error(values, err)
	}
}
