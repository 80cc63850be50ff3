// A thousand goroutines at a time, joined by a WaitGroup. On one P: more would only contend.
//
// SPDX-License-Identifier: MIT
package main

import (
	"runtime"
	"sync"
	"time"
)

func main() {
	const batch = 1000
	n := countArg()
	runtime.GOMAXPROCS(1)
	start := time.Now()
	for done := 0; done < n; done += batch {
		var all sync.WaitGroup
		all.Add(batch)
		for i := 0; i < batch; i++ {
			go all.Done()
		}
		all.Wait()
	}
	emit("spawn", "spawn + join", perOp(start, n), "ns")
}
