// Goroutines that yield to each other by runtime.Gosched, on one P.
//
// SPDX-License-Identifier: MIT
package main

import (
	"runtime"
	"sync"
	"time"
)

func run(tasks, switches int) float64 {
	var all sync.WaitGroup
	all.Add(tasks)
	start := time.Now()
	for i := 0; i < tasks; i++ {
		go func() {
			for j := 0; j < switches/tasks; j++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return perOp(start, switches)
}

func main() {
	n := countArg()
	runtime.GOMAXPROCS(1)
	emit("switch", "2 tasks", run(2, n), "ns")
	emit("switch", "1000 tasks", run(1000, n), "ns")
}
