// Two tasks side by side: 4 and 2 seconds take 4. Starting a task schedules it; by
// the time it is awaited it may long be done.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func delayPrint(delay time.Duration, name string) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (done struct{}, err error) {
		fmt.Printf(">>> start %s\n", name)
		if err = asyncloop.Sleep(ctx, delay); err != nil {
			return
		}
		fmt.Printf("<<< end   %s\n", name)
		return
	}
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	start := loop.Time()
	fmt.Println("Start")
	task1 := asyncloop.Go(ctx, loop, delayPrint(4*time.Second, "task1"))
	task2 := asyncloop.Go(ctx, loop, delayPrint(2*time.Second, "task2"))

	if err := asyncloop.Sleep(ctx, time.Second); err != nil {
		return err
	}
	fmt.Println("All tasks are started")

	if _, err := task1.Await(ctx); err != nil {
		return err
	}
	if _, err := task2.Await(ctx); err != nil {
		return err
	}
	fmt.Printf("End   after %.1f s\n", loop.Time()-start)
	return nil
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
