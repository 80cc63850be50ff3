// Twenty jobs in a queue, three workers, join, cancel: asyncio's program for
// queues. A job is a time to sleep. It takes about four seconds, or none with
// ASYNCLOOP_CLOCK=virtual. With a number as the argument: the same jobs each time.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strconv"
	"time"

	"libasyncloop.org/asyncloop"
)

// work takes jobs until it is cancelled.
func work(
	name string, queue *asyncloop.Queue[time.Duration],
) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (done struct{}, err error) {
		for {
			job, err := queue.Get(ctx)
			if err == nil {
				err = asyncloop.Sleep(ctx, job)
			}
			if err != nil {
				return done, err
			}
			if err = queue.TaskDone(); err != nil {
				return done, err
			}
			fmt.Printf("%s has slept for %.2f seconds\n", name, job.Seconds())
		}
	}
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	queue := asyncloop.NewQueue[time.Duration](loop, 0)
	total := time.Duration(0)
	for i := 0; i < 20; i++ {
		job := time.Duration((0.05 + 0.95*rand.Float64()) * float64(time.Second))
		total += job
		if err := queue.PutNowait(job); err != nil {
			return err
		}
	}

	var workers []asyncloop.Awaitable[struct{}]
	cancel := func() {}
	for i := 0; i < 3; i++ {
		task := asyncloop.Go(ctx, loop, work(fmt.Sprintf("worker-%d", i), queue))
		workers = append(workers, task)
		before := cancel
		cancel = func() { before(); task.Cancel() }
	}

	// Wait until every job is done.
	started := loop.Time()
	if err := queue.Join(ctx); err != nil {
		return err
	}
	slept := loop.Time() - started
	cancel()
	if _, err := asyncloop.GatherAll(workers...).Await(ctx); err != nil {
		return err
	}

	fmt.Println("====")
	fmt.Printf("3 workers slept in parallel for %.2f seconds\n", slept)
	fmt.Printf("total expected sleep time: %.2f seconds\n", total.Seconds())
	return nil
}

func main() {
	seed := time.Now().UnixNano()
	if len(os.Args) > 1 {
		seed, _ = strconv.ParseInt(os.Args[1], 10, 64)
	}
	rand.Seed(seed)
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
