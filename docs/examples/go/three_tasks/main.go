// Three tasks that sleep for 2, 1 and 3 seconds, side by side: asyncio's first
// program. It takes 3 seconds, or none with ASYNCLOOP_CLOCK=virtual.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"libasyncloop.org/asyncloop"
)

func work(name, result string, delay time.Duration) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		fmt.Printf("%s: started\n", name)
		if err := asyncloop.Sleep(ctx, delay); err != nil {
			return "", err
		}
		fmt.Printf("%s: finished\n", name)
		return result, nil
	}
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	results, err := asyncloop.Gather[string](
		asyncloop.Go(ctx, loop, work("A", "a", 2*time.Second)),
		asyncloop.Go(ctx, loop, work("B", "b", 1*time.Second)),
		asyncloop.Go(ctx, loop, work("C", "c", 3*time.Second)),
	).Await(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Result: ['%s']\n", strings.Join(results, "', '"))
	return nil
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
