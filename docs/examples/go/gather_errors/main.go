// What gather makes of failures: the first one ends it, and the others go on; with
// GatherAll failures are results; and cancelling a gather cancels all.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func good(name string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if err := asyncloop.Sleep(ctx, 2*time.Second); err != nil {
			fmt.Printf("%s: %s\n", name, err)
			return "", err
		}
		fmt.Printf("%s: finished\n", name)
		return name, nil
	}
}

// Any error will do: it arrives as it is where Go awaits the task.
func bad(name string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if err := asyncloop.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
		return "", errors.New(name + " is out of order")
	}
}

func firstError(ctx context.Context, loop *asyncloop.Loop) error {
	_, err := asyncloop.Gather[string](
		asyncloop.Go(ctx, loop, good("A")), asyncloop.Go(ctx, loop, bad("B"))).Await(ctx)
	fmt.Printf("gather failed: %s\n", err)
	return asyncloop.Sleep(ctx, 2*time.Second) // A is still at work
}

func errorsAsResults(ctx context.Context, loop *asyncloop.Loop) error {
	results, err := asyncloop.GatherAll[string](
		asyncloop.Go(ctx, loop, good("C")), asyncloop.Go(ctx, loop, bad("D"))).Await(ctx)
	for i, result := range results {
		if result.Err != nil {
			fmt.Printf("%d: %s\n", i, result.Err)
		} else {
			fmt.Printf("%d: %s\n", i, result.Value)
		}
	}
	return err
}

func cancelledGather(ctx context.Context, loop *asyncloop.Loop) error {
	e, f := asyncloop.Go(ctx, loop, good("E")), asyncloop.Go(ctx, loop, good("F"))
	all := asyncloop.Go(ctx, loop, func(ctx context.Context) ([]string, error) {
		return asyncloop.Gather[string](e, f).Await(ctx)
	})
	if err := asyncloop.Sleep(ctx, time.Second); err != nil {
		return err
	}
	cancelled := 0
	if all.Cancel() {
		cancelled = 1
	}
	fmt.Printf("cancelling: %d\n", cancelled)
	_, err := all.Await(ctx)
	fmt.Printf("gather: %s\n", asyncloop.CodeOf(err).Name())
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	if err := firstError(ctx, loop); err != nil {
		return err
	}
	if err := errorsAsResults(ctx, loop); err != nil {
		return err
	}
	return cancelledGather(ctx, loop)
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
