// An ev_loop made, turned once and destroyed.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        struct ev_loop *loop = must(ev_loop_new(EVFLAG_AUTO));
        ev_run(loop, EVRUN_NOWAIT);
        ev_loop_destroy(loop);
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
