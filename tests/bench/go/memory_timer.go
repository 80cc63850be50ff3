// What a timer of time.AfterFunc holds.
//
// SPDX-License-Identifier: MIT
package main

import "time"

func main() {
	n := countArg()
	before := residentBytes()
	timers := make([]*time.Timer, n)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour, func() {})
	}
	emit("memory", "timer", (residentBytes()-before)/float64(n), "B")
	timers[n-1].Stop() // the collector keeps them until here
}
