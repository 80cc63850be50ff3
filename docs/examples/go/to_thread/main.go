// A function that blocks runs in a thread, and the loop goes on meanwhile.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func blockingTask() (done struct{}, err error) {
	fmt.Println("Task starting")
	time.Sleep(500 * time.Millisecond) // or anything else that blocks
	fmt.Println("Task done")
	return
}

func run(ctx context.Context) error {
	fmt.Println("Main running the blocking task")
	loop := asyncloop.LoopOf(ctx)
	task := asyncloop.Go(ctx, loop, func(ctx context.Context) (struct{}, error) {
		return asyncloop.ToThread(ctx, loop, blockingTask)
	})
	fmt.Println("Main doing other things")
	if err := asyncloop.Sleep(ctx, 0); err != nil { // lets the task start
		return err
	}
	_, err := task.Await(ctx)
	return err
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
