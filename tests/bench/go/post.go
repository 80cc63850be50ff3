// A channel of functions is Go's way to post into another goroutine. For the wake-up, both sides
// keep a thread of their own: the runtime would else run them on one, and nobody would sleep.
//
// SPDX-License-Identifier: MIT
package main

import (
	"runtime"
	"time"
)

func flood(n int) float64 {
	inbox := make(chan func(), 1024)
	done := 0
	work := func() { done++ }
	start := time.Now()
	go func() {
		for i := 0; i < n; i++ {
			inbox <- work
		}
	}()
	for done < n {
		(<-inbox)()
	}
	return perOp(start, n)
}

func roundTrip(n int) float64 {
	ask, answer := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		pinThread(1)
		for i := range ask {
			answer <- i
		}
	}()
	runtime.LockOSThread()
	pinThread(0)
	start := time.Now()
	for i := 0; i < n; i++ {
		ask <- i
		<-answer
	}
	return perOp(start, n)
}

func main() {
	n := countArg()
	emit("post", "flood", flood(n), "ns")
	emit("post", "wake-up, round trip", roundTrip(1+n/100)/1000, "us")
}
