// Two goroutines over a channel: on one P, where neither waits for another processor; and from a
// second thread.
//
// SPDX-License-Identifier: MIT
package main

import (
	"runtime"
	"time"
)

func run(capacity, items int) float64 {
	queue := make(chan int, capacity)
	start := time.Now()
	go func() {
		for i := 0; i < items; i++ {
			queue <- i
		}
	}()
	for i := 0; i < items; i++ {
		<-queue
	}
	return perOp(start, items)
}

func main() {
	n := countArg()
	runtime.GOMAXPROCS(1)
	emit("queue", "capacity 1", run(1, n), "ns")
	emit("queue", "capacity 1024", run(1024, n), "ns")
	runtime.GOMAXPROCS(2)
	emit("queue", "from a thread", run(1024, n), "ns")
}
