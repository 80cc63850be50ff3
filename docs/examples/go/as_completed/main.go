// Results as they come: the first that is done is the first to be shown, whatever
// the order in which they were started.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func work(name string, delay time.Duration, result string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		fmt.Printf("%s: started\n", name)
		if err := asyncloop.Sleep(ctx, delay); err != nil {
			return "", err
		}
		fmt.Printf("%s: finished\n", name)
		return result, nil
	}
}

func run(ctx context.Context) (err error) {
	loop := asyncloop.LoopOf(ctx)
	ended := asyncloop.AsCompleted[string](ctx, func(_ int, result string, failure error) bool {
		if err = failure; err == nil {
			fmt.Println(result)
		}
		return err == nil
	},
		asyncloop.Go(ctx, loop, work("C", 3*time.Second, "c")),
		asyncloop.Go(ctx, loop, work("B", 1*time.Second, "b")),
		asyncloop.Go(ctx, loop, work("A", 2*time.Second, "a")))
	if err == nil {
		err = ended
	}
	return err
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
