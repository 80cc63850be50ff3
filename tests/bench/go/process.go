// exec.Command of /bin/true, run by as many goroutines as there are to be children at a time.
//
// SPDX-License-Identifier: MIT
package main

import (
	"os/exec"
	"sync"
	"time"
)

func run(children, atATime int) float64 {
	var all sync.WaitGroup
	tokens := make(chan int, children)
	for i := 0; i < children; i++ {
		tokens <- i
	}
	close(tokens)
	start := time.Now()
	for i := 0; i < atATime; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for range tokens {
				check(exec.Command("/bin/true").Run())
			}
		}()
	}
	all.Wait()
	return float64(children) / time.Since(start).Seconds()
}

func main() {
	n := countArg()
	emit("process", "1 at a time", run(n, 1), "/s")
	emit("process", "16 at a time", run(n, 16), "/s")
	ballast := make([]byte, 1<<30)
	for i := range ballast {
		ballast[i] = 1
	}
	emit("process", "with 1 GiB resident", run(1+n/20, 1), "/s")
	if ballast[n] != 1 { // the collector keeps it until here
		panic("ballast")
	}
}
