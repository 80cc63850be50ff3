// A task that would run for ever is cancelled: its await fails, it cleans up and
// returns the error. Another one refuses, and is not cancelled.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

func spin(ctx context.Context) (done struct{}, err error) {
	for err == nil {
		fmt.Println("spinning")
		err = asyncloop.Sleep(ctx, time.Second)
	}
	fmt.Printf("cleaning up: %s\n", err)
	return
}

func refuse(ctx context.Context) (string, error) {
	if err := asyncloop.Sleep(ctx, 10*time.Second); errors.Is(err, context.Canceled) {
		return "not now", nil
	}
	return "", nil
}

func run(ctx context.Context) error {
	loop := asyncloop.LoopOf(ctx)
	spinner := asyncloop.Go(ctx, loop, spin)
	stubborn := asyncloop.Go(ctx, loop, refuse)
	if err := asyncloop.Sleep(ctx, 2500*time.Millisecond); err != nil {
		return err
	}

	fmt.Println("cancel:", spinner.Cancel())
	stubborn.Cancel()
	_, err := spinner.Await(ctx)
	fmt.Println("spinner cancelled:", errors.Is(err, context.Canceled))
	fmt.Println("once more:", spinner.Cancel())

	answer, err := stubborn.Await(ctx)
	fmt.Printf("stubborn cancelled: %t, it says '%s'\n", errors.Is(err, context.Canceled), answer)
	return err
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
