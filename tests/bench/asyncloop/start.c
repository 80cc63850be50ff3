// start: a loop is made, turns once and is closed.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        aloop_loop *loop = new_loop();
        must_code(aloop_loop_run_once(loop, 0));
        close_loop(loop);
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
