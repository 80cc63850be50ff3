// A shield takes the cancellation and leaves what is behind it alone: who awaits it
// is cancelled, the task runs to its end.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func simpleTask(ctx context.Context) (int, error) {
	return 1, asyncloop.Sleep(ctx, time.Second)
}

func state[T any](ctx context.Context, task *asyncloop.Task[T]) string {
	if !task.IsDone() {
		return "pending"
	}
	if _, err := task.Await(ctx); errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	return "finished"
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	task := asyncloop.Go(ctx, loop, simpleTask)
	shielded := asyncloop.Go(ctx, loop, func(ctx context.Context) (int, error) {
		return asyncloop.Shield[int](task).Await(ctx)
	})
	asyncloop.Go(ctx, loop, func(ctx context.Context) (done struct{}, err error) {
		if err = asyncloop.Sleep(ctx, 200*time.Millisecond); err != nil {
			return
		}
		cancelled := "False"
		if shielded.Cancel() {
			cancelled = "True"
		}
		fmt.Printf("cancelled: %s\n", cancelled)
		return
	})

	result, err := shielded.Await(ctx)
	if err == nil {
		fmt.Printf(">got: %d\n", result)
	} else if errors.Is(err, context.Canceled) {
		fmt.Println("shielded was cancelled")
	}
	if err = asyncloop.Sleep(ctx, time.Second); err != nil {
		return err
	}
	fmt.Printf("shielded: %s\n", state(ctx, shielded))
	fmt.Printf("task: %s\n", state(ctx, task))
	result, err = task.Await(ctx)
	if err == nil {
		fmt.Println(result)
	}
	return err
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
