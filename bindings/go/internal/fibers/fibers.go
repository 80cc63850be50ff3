// Package fibers runs stackful tasks of C for the tests, in the same loop as Go's.
package fibers

// #include <asyncloop.h>
//
// static int64_t left, rounds;
//
// static int64_t work(void *arg, void **value) {
//     (void)arg, (void)value;
//     int64_t status = 0;
//     for (int64_t i = 0; i < rounds && status >= 0; i++) {
//         volatile char stack[4096];
//         for (int j = 0; j < 4096; j++) stack[j] = (char)(i + j);
//         status = aloop_await(aloop_sleep((double)(i % 3) / 1e6), NULL);
//         if (stack[4095] != (char)(i + 4095)) __builtin_trap();
//     }
//     left--;
//     return status;
// }
//
// static int64_t start(int64_t n, int64_t times) {
//     rounds = times;
//     for (left = 0; left < n; left++) {
//         if (aloop_spawn(work, NULL) < 0) break;
//     }
//     return left;
// }
//
// static int64_t count(void) { return left; }
import "C"

// Start starts n tasks on the loop that runs in this thread; how many it could.
func Start(n, rounds int64) int64 { return int64(C.start(C.int64_t(n), C.int64_t(rounds))) }

// Left is how many have not ended; on the same thread.
func Left() int64 { return int64(C.count()) }
