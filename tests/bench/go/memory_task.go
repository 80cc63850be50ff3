// What a goroutine holds that sleeps.
//
// SPDX-License-Identifier: MIT
package main

import "time"

func main() {
	n := countArg()
	before := residentBytes()
	for i := 0; i < n; i++ {
		go time.Sleep(time.Hour)
	}
	time.Sleep(2 * time.Second) // so that all of them sleep
	emit("memory", "sleeping task", (residentBytes()-before)/float64(n), "B")
}
