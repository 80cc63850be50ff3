package asyncloop

import (
	"context"
	"sync"
	"testing"

	"libasyncloop.org/asyncloop/internal/sys"
)

// What an awaited completion costs, by how it is delivered. Each operation is one
// sleep(0) that begins in C, and whose completion Go learns of.

// Completion records: one crossing brings many.
func BenchmarkCompletionRecords(b *testing.B) {
	loop := startLoop(b)
	var ids []uintptr
	var wg sync.WaitGroup
	wg.Add(b.N)
	b.ResetTimer()
	for done := 0; done < b.N; done += 1000 {
		n := b.N - done
		if n > 1000 {
			n = 1000
		}
		_ = loop.do(func() {
			token := sys.Register((*countdown)(&wg))
			for i := 0; i < n; i++ {
				sys.Loop_start(loop.p, sys.Sleep(0), uint64(token))
			}
			ids = append(ids, token)
		})
	}
	wg.Wait()
	for _, id := range ids {
		sys.Release(id)
	}
}

type countdown sync.WaitGroup

func (c *countdown) completed(*Loop, *sys.Completion) { (*sync.WaitGroup)(c).Done() }

// Plain callbacks: C calls Go for each.
func BenchmarkCallbacks(b *testing.B) {
	loop := startLoop(b)
	var ids []uintptr
	var wg sync.WaitGroup
	wg.Add(b.N)
	b.ResetTimer()
	for done := 0; done < b.N; done += 1000 {
		n := b.N - done
		if n > 1000 {
			n = 1000
		}
		_ = loop.do(func() {
			id := sys.Register(func(uintptr) int64 { wg.Done(); return 0 })
			for i := 0; i < n; i++ {
				sleep := sys.Ensure_future(sys.Sleep(0))
				sys.Future_add_done_callback(sleep, sys.DoneFn, id, 0)
				sys.Unref(sleep)
			}
			ids = append(ids, id)
		})
	}
	wg.Wait()
	for _, id := range ids {
		sys.Release(id)
	}
}

// A goroutine that awaits one after the other, and 64 of them.
func BenchmarkAwait1(b *testing.B)  { benchmarkAwait(b, 1) }
func BenchmarkAwait64(b *testing.B) { benchmarkAwait(b, 64) }

func benchmarkAwait(b *testing.B, goroutines int) {
	loop := startLoop(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		n := (b.N + g) / goroutines
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < n; i++ {
				if _, err := loop.Sleep(0).Await(background); err != nil {
					b.Error(err)
				}
			}
		}()
	}
	wg.Wait()
}

// A task that awaits one after the other: two switches of threads each.
func BenchmarkAwaitInATask(b *testing.B) {
	loop := startLoop(b)
	b.ResetTimer()
	_, _ = Go(background, loop, func(ctx context.Context) (int, error) {
		for i := 0; i < b.N; i++ {
			if err := Sleep(ctx, 0); err != nil {
				b.Error(err)
			}
		}
		return 0, nil
	}).Await(background)
}

// Posting a closure.
func BenchmarkPost(b *testing.B) {
	loop := startLoop(b)
	n := 0
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		_ = loop.Post(func() { n++ })
	}
	_ = loop.do(func() {})
}
