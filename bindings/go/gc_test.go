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
	var again func()
	again = func() {
		callbacks++
		deep(200)
		if callbacks < 2000 {
			_, _ = loop.CallLater(0, again)
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ended := false
		_ = loop.do(func() { ended = callbacks == 2000 && fibers.Left() == 0 })
		if ended {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	if callbacks != 2000 || fibers.Left() != 0 {
		t.Error(callbacks, fibers.Left())
	}
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
