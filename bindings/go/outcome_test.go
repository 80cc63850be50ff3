package asyncloop

import (
	"context"
	"errors"
	"testing"
)

// What was set before the loop was through is told, however late.
func TestOutcomesOfTheLoopsLastMoment(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	future, never := NewFuture[int](loop), NewFuture[int](loop)
	done := future.Done()
	type outcome struct {
		value int
		err   error
	}
	told := make(chan outcome, 2)
	begun := make(chan struct{}, 2)
	for _, one := range []Awaitable[int]{future, Shield[int](future)} {
		one := one
		go func() {
			begin := one.op().begin
			value, err := Op[int]{
				loop:    loop,
				begin:   func() (uintptr, int64) { begun <- struct{}{}; return begin() },
				outcome: one.op().outcome,
			}.Await(background)
			told <- outcome{value, err}
		}()
	}
	<-begun
	<-begun
	set := make(chan error, 1)
	_ = loop.Post(func() { // so that it comes when the loop runs no more
		loop.stop()
		_ = loop.Post(func() { set <- future.SetResult(7) })
	})
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if err := <-set; err != nil {
		t.Fatal(err)
	}
	<-done
	for i := 0; i < 2; i++ {
		if what := <-told; what.value != 7 || what.err != nil {
			t.Error(what)
		}
	}
	if !future.IsDone() || never.IsDone() {
		t.Error(future.IsDone(), never.IsDone())
	}
	if _, err := never.Await(background); !errors.Is(err, ESTALE) {
		t.Error(err)
	}
}

// An outcome outlives the loop.
func TestOutcomesAfterTheLoopsEnd(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	mine := &special{"its own"}
	good := Go(background, loop, func(context.Context) (int, error) { return 7, nil })
	bad := Go(background, loop, func(context.Context) (int, error) { return 0, mine })
	left := Go(background, loop, func(ctx context.Context) (int, error) {
		return 0, NewEvent(loop).Wait(ctx)
	})
	for _, task := range []*Task[int]{good, bad} {
		_, _ = task.Await(background)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	for i := 0; i < 2; i++ {
		if value, err := good.Await(background); value != 7 || err != nil {
			t.Error(value, err)
		}
		if _, err := bad.Await(background); err != error(mine) {
			t.Error(err)
		}
		if _, err := left.Await(background); !errors.Is(err, ECANCELED) {
			t.Error(err)
		}
	}
	late := Go(background, loop, func(context.Context) (int, error) { return 1, nil })
	for _, task := range []*Task[int]{good, bad, left, late} {
		if !task.IsDone() {
			t.Error("not done")
		}
	}
	if _, err := late.Await(background); !errors.Is(err, ESTALE) {
		t.Error(err)
	}
}
