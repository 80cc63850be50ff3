// What the Go programs share: the count, clocks, resident memory, and the one way to print a
// result.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func countArg() int {
	if len(os.Args) < 2 {
		fmt.Fprintf(os.Stderr, "usage: %s COUNT\n", os.Args[0])
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[1])
	check(err)
	return n
}

func emit(workload, metric string, value float64, unit string) {
	fmt.Printf("{\"workload\": %q, \"peer\": \"go\", \"metric\": %q, \"value\": %.6g, \"unit\": %q}\n",
		workload, metric, value, unit)
}

// Nanoseconds an operation, of n since start.
func perOp(start time.Time, n int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// Time all threads of this process spent on a processor.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func residentBytes() float64 {
	var all, resident int
	text, err := os.ReadFile("/proc/self/statm")
	check(err)
	_, err = fmt.Sscan(string(text), &all, &resident)
	check(err)
	return float64(resident * os.Getpagesize())
}

// Gives the calling thread one processor; to be used after runtime.LockOSThread.
func pinThread(processor uint) {
	mask := [16]uint64{1 << processor}
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask),
		uintptr(unsafe.Pointer(&mask)))
}
