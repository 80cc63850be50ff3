package asyncloop

import (
	"context"
	"testing"
)

// A gathering of nothing has an outcome as any has, among others and alone.
func TestGatherOfNothing(t *testing.T) {
	loop := startLoop(t)
	one := func() Op[[]int] {
		return Gather[int](InThread(loop, func() (int, error) { return 1, nil }))
	}
	none := Gather[int]()
	for i, what := range [][]Awaitable[[]int]{
		{none, one()}, {one(), none}, {none, none}, {none}, {},
	} {
		ones := 0
		values, err := Gather(what...).Await(background)
		for _, value := range values {
			ones += len(value)
		}
		if err != nil || len(values) != len(what) || ones != 1 && i < 2 {
			t.Error(i, values, err)
		}
		seen := 0
		err = AsCompleted(background, func(i int, value []int, err error) bool {
			seen++
			return err == nil
		}, what...)
		if err != nil || seen != len(what) {
			t.Error(i, seen, err)
		}
	}
	err := Run(background, func(ctx context.Context) error {
		values, err := WaitFor[[]int](Gather[int](), NoTimeout).Await(ctx)
		if len(values) != 0 {
			t.Error(values)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
