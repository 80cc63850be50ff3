// A task group is left when all of its tasks are done. If one fails, the others are
// cancelled, and the group fails with all errors inside.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"libasyncloop.org/asyncloop"
)

type job struct {
	name  string
	delay time.Duration
	fails bool
}

func (j job) work(ctx context.Context) error {
	fmt.Printf("%s: started\n", j.name)
	if err := asyncloop.Sleep(ctx, j.delay); err != nil {
		fmt.Printf("%s: %s\n", j.name, asyncloop.CodeOf(err).Name())
		return err
	}
	if j.fails {
		return errors.New(j.name + " is broken")
	}
	fmt.Printf("%s: finished\n", j.name)
	return nil
}

func runGroup(ctx context.Context, jobs ...job) error {
	return asyncloop.WithGroup(ctx, func(ctx context.Context, group *asyncloop.Group) error {
		for _, j := range jobs {
			group.Go(j.work)
		}
		return nil
	})
}

func run(ctx context.Context) error {
	err := runGroup(ctx, job{"A", 2 * time.Second, false}, job{"B", time.Second, false})
	fmt.Printf("the first group: %s\n", asyncloop.CodeOf(err).Name())

	err = runGroup(ctx, job{"C", 2 * time.Second, false}, job{"D", time.Second, true})
	fmt.Printf("the second group: %s\n", asyncloop.CodeOf(err).Name())
	var group *asyncloop.Error
	if !errors.As(err, &group) {
		return err
	}
	for _, child := range group.Children {
		fmt.Printf("  %s\n", child)
	}
	return nil
}

func main() {
	if err := asyncloop.Run(context.Background(), run); err != nil {
		log.Fatal(err)
	}
}
