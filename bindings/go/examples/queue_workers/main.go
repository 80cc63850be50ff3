// Twenty jobs in a queue, three workers, join, cancel: asyncio's program for
// queues. A job is a time to sleep. It takes about four seconds, or none with
// ASYNCLOOP_CLOCK=virtual.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"libasyncloop.org/asyncloop"
)

const (
	jobs    = 20
	workers = 3
)

// work takes jobs until it is cancelled.
func work(ctx context.Context, name string, queue *asyncloop.Queue[time.Duration]) error {
	for {
		job, err := queue.Get(ctx)
		if err != nil {
			return err
		}
		if err := asyncloop.Sleep(ctx, job); err != nil {
			return err
		}
		if err := queue.TaskDone(); err != nil {
			return err
		}
		fmt.Printf("%s has slept for %.2f seconds\n", name, job.Seconds())
	}
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	queue := asyncloop.NewQueue[time.Duration](loop, 0)
	total := time.Duration(0)
	for i := 0; i < jobs; i++ {
		job := time.Duration(5+i*37%100) * 10 * time.Millisecond
		total += job
		if err := queue.PutNowait(job); err != nil {
			return err
		}
	}
	var all []asyncloop.Awaitable[struct{}]
	var tasks []*asyncloop.Task[struct{}]
	for i := 0; i < workers; i++ {
		name := fmt.Sprintf("worker-%d", i)
		task := asyncloop.GoNamed(ctx, loop, name, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, work(ctx, name, queue)
		})
		tasks = append(tasks, task)
		all = append(all, task)
	}
	began := loop.Time()
	if err := queue.Join(ctx); err != nil {
		return err
	}
	took := loop.Time() - began
	for _, task := range tasks {
		task.Cancel()
	}
	if _, err := asyncloop.GatherAll(all...).Await(ctx); err != nil {
		return err
	}
	fmt.Printf("%d workers slept in parallel for %.2f seconds\n", workers, took)
	fmt.Printf("total expected sleep time: %.2f seconds\n", total.Seconds())
	return nil
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
