// Gives up on what takes too long: the task is cancelled and its cleanup awaited
// before the timeout is reported.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func taskCoro(ctx context.Context) (done struct{}, err error) {
	delay := 1650 * time.Millisecond
	fmt.Printf(">task got %.2f\n", delay.Seconds())
	if err = asyncloop.Sleep(ctx, delay); err == nil {
		fmt.Println(">task done")
	}
	return
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	task := asyncloop.Go(ctx, loop, taskCoro)
	_, err := asyncloop.WaitFor[struct{}](task, 200*time.Millisecond).Await(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("Gave up waiting, task canceled")
	}

	// Anything that can be awaited can be limited.
	_, err = asyncloop.WaitFor[struct{}](loop.Sleep(time.Hour), time.Second).Await(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("timeout!")
		return nil
	}
	return err
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
