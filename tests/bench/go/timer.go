// time.AfterFunc, a million times. Go cannot be kept from firing timers as they become due, so it
// fires them within their second; its processor time is what counts, as for all.
//
// SPDX-License-Identifier: MIT
package main

import (
	"math/rand"
	"sort"
	"sync"
	"time"
)

func armCancel(n int) float64 {
	timers := make([]*time.Timer, n)
	start := time.Now()
	for i := range timers {
		timers[i] = time.AfterFunc(time.Second+time.Duration(rand.Int63n(59e9)), func() {})
	}
	for _, timer := range timers {
		timer.Stop()
	}
	return perOp(start, n)
}

func armFire(n int) float64 {
	var fired sync.WaitGroup
	fired.Add(n)
	start := cpuTime()
	for i := 0; i < n; i++ {
		time.AfterFunc(time.Duration(rand.Int63n(1e9)), fired.Done)
	}
	fired.Wait()
	return float64(cpuTime()-start) / float64(n)
}

func precision(samples int) {
	elapsed := make([]float64, samples)
	for i := range elapsed {
		armed := time.Now()
		<-time.NewTimer(1300 * time.Microsecond).C
		elapsed[i] = float64(time.Since(armed)) / 1e6
	}
	sort.Float64s(elapsed)
	emit("timer", "1.3 ms, earliest", elapsed[0], "ms")
	emit("timer", "1.3 ms, p50", elapsed[samples/2], "ms")
	emit("timer", "1.3 ms, p99", elapsed[samples*99/100], "ms")
}

func main() {
	n := countArg()
	emit("timer", "arm + cancel", armCancel(n), "ns")
	emit("timer", "arm + fire", armFire(n), "ns")
	precision(1 + n/1000)
}
