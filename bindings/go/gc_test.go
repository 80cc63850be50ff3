package asyncloop

import (
	"context"
	"runtime"
	"testing"
	"time"

	"libasyncloop.org/asyncloop/internal/fibers"
)

// 100,000 futures come and go while the collector runs every few callbacks.
// TestMain then finds nothing left.
func TestFuturesUnderCollection(t *testing.T) {
	loop := startLoop(t)
	const batches, batch = 1000, 100
	seen := 0
	for i := 0; i < batches; i++ {
		var futures []*Future[int]
		_ = loop.do(func() {
			for j := 0; j < batch; j++ {
				future := NewFuture[int](loop)
				_ = future.AddDoneCallback(func(value int, err error) {
					if seen++; seen%50 == 0 {
						runtime.GC()
					}
				})
				futures = append(futures, future)
			}
			for j, future := range futures {
				_ = future.SetResult(j)
			}
		})
		if value, err := futures[batch-1].Await(background); value != batch-1 || err != nil {
			t.Fatal(value, err)
		}
	}
	if seen != batches*batch {
		t.Error(seen)
	}
}

// A future that nobody finishes goes when nobody has it, whoever wanted to be told.
func TestFuturesThatAreForgotten(t *testing.T) {
	loop := startLoop(t)
	values := func() int64 { return Stats()["go values"] }
	before := values()
	for i := 0; i < 10; i++ {
		future := NewFuture[int](loop)
		future.Done()
		if err := future.AddDoneCallback(func(int, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(hang); values() > before; {
		if time.Now().After(end) {
			t.Fatal(values(), "where there were", before)
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// Stackful tasks of C, callbacks into Go, Go tasks and the collector side by side.
func TestFibersBesideGo(t *testing.T) {
	loop := startLoop(t)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	const tasks, rounds = 20, 50
	left := int64(0)
	if err := loop.do(func() { left = fibers.Start(tasks, rounds) }); err != nil || left != tasks {
		t.Fatal(err, left)
	}
	callbacks := 0
	called := make(chan struct{})
	var again func()
	again = func() {
		deep(200)
		if callbacks++; callbacks == 2000 {
			close(called)
		} else if _, err := loop.CallLater(0, again); err != nil {
			t.Error(err)
		}
	}
	_ = loop.Post(again)
	var all []Awaitable[int]
	for i := 0; i < tasks; i++ {
		all = append(all, Go(background, loop, func(ctx context.Context) (int, error) {
			for j := 0; j < rounds; j++ {
				if err := Sleep(ctx, time.Microsecond); err != nil {
					return 0, err
				}
				deep(100)
			}
			return rounds, nil
		}))
	}
	if _, err := Gather(all...).Await(background); err != nil {
		t.Error(err)
	}
	<-called
	for left > 0 {
		if err := wait(background, loop.Sleep(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_ = loop.do(func() { left = fibers.Left() })
	}
	close(stop)
}

// deep makes the goroutine's stack grow, and garbage.
func deep(n int) []byte {
	var room [64]byte
	if n == 0 {
		return make([]byte, 128)
	}
	room[n%64] = 1
	return append(deep(n-1), room[:]...)[:1]
}

// Where each task makes the next with its own context, those that have ended go.
func TestTasksThatEachMakeTheNext(t *testing.T) {
	loop := startLoop(t)
	third, collected := make(chan struct{}), make(chan struct{})
	func() {
		mark := &special{"the first task's"}
		runtime.SetFinalizer(mark, func(*special) { close(collected) })
		Go(background, loop, func(ctx context.Context) (int, error) {
			Go(ctx, loop, func(ctx context.Context) (int, error) {
				Go(ctx, loop, func(ctx context.Context) (int, error) {
					close(third)
					return 0, NewEvent(loop).Wait(ctx)
				})
				return 0, nil
			})
			runtime.KeepAlive(mark)
			return 0, nil
		})
	}()
	<-third
	collectUntil(collected)
}
