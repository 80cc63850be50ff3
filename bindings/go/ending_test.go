package asyncloop

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

// cleanUp waits to be cancelled, and fails where it is again while it cleans up.
func cleanUp(ctx context.Context) error {
	if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		return errors.New("not cancelled")
	}
	for i := 0; i < 20; i++ {
		if err := Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// busy is always about to go on until it is cancelled; then it cleans up.
func busy(ctx context.Context) error {
	for Sleep(ctx, 0) == nil {
		runtime.Gosched() // to whom ends the context, where there is one processor
	}
	for i := 0; i < 20; i++ {
		if err := Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

type work = func(ctx context.Context) error

func started(ctx context.Context, fn work) *Task[int] {
	return Go(ctx, LoopOf(ctx), func(ctx context.Context) (int, error) {
		return 0, fn(ctx)
	})
}

// shapes are the ways in which one task may have another below it.
var shapes = map[string]func(ctx context.Context, fn work){
	"awaited": func(ctx context.Context, fn work) {
		_, _ = started(ctx, fn).Await(ctx)
	},
	"derived": func(ctx context.Context, fn work) {
		below, stop := context.WithCancel(ctx)
		defer stop()
		_, _ = started(below, fn).Await(below)
	},
	"gathered": func(ctx context.Context, fn work) {
		_, _ = Gather[int](started(ctx, fn), started(ctx, fn)).Await(ctx)
	},
	"in time": func(ctx context.Context, fn work) {
		_, _ = WaitFor[int](started(ctx, fn), time.Hour).Await(ctx)
	},
	"group": func(ctx context.Context, fn work) {
		_ = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(fn)
			return nil
		})
	},
	"block": func(ctx context.Context, fn work) {
		_ = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(fn)
			return Sleep(ctx, time.Hour)
		})
	},
	"derived block": func(ctx context.Context, fn work) {
		_ = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(fn)
			below, stop := context.WithCancel(ctx)
			defer stop()
			return Sleep(below, time.Hour)
		})
	},
	"busy block": func(ctx context.Context, fn work) {
		_ = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(fn)
			for {
				if err := Sleep(ctx, 0); err != nil {
					return err
				}
				runtime.Gosched()
			}
		})
	},
	"groups": func(ctx context.Context, fn work) {
		_ = WithGroup(ctx, func(ctx context.Context, g *Group) error {
			g.Go(func(ctx context.Context) error {
				return WithGroup(ctx, func(ctx context.Context, g *Group) error {
					g.Go(fn)
					g.Go(fn)
					return nil
				})
			})
			return nil
		})
	},
}

// One end of a context is one cancellation of every task that has it, whenever it comes.
func TestOneEndIsOneCancellation(t *testing.T) {
	for shape, below := range shapes {
		for kind, fn := range map[string]work{"cleanUp": cleanUp, "busy": busy} {
			times := 40
			if kind == "busy" { // which keeps the goroutine that ends the context waiting
				times = 8
			}
			for i := 0; i < times; i++ {
				ctx, cancel := context.WithCancel(background)
				ended := 0
				err := Run(ctx, func(ctx context.Context) error {
					var err error
					switch i % 4 {
					case 0: // at any time
						_, err = LoopOf(ctx).CallLater(0, func() { go cancel() })
					case 1: // while no task runs
						_, err = LoopOf(ctx).CallLater(0, cancel)
					case 2: // before any is made; then some never begin
						cancel()
					}
					below(ctx, func(ctx context.Context) error {
						if i%4 == 3 { // while this one runs
							cancel()
						}
						err := fn(ctx)
						ended++
						if err != nil {
							t.Error(shape, kind, i, err)
						}
						return err
					})
					return err
				})
				cancel()
				if err != nil || ended == 0 && i%4 != 2 {
					t.Fatal(shape, kind, i, err, ended)
				}
			}
		}
	}
}
