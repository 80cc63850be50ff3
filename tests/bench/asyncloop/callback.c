// callback: callbacks that schedule themselves again, among 1,000 and alone.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static size_t left, running;

static int64_t again(void *loop) {
    if (left > 0) {
        left--;
        must_code(aloop_loop_call_soon(loop, again, loop, NULL));
    } else if (--running == 0) {
        aloop_loop_stop(loop);
    }
    return 0;
}

static double run(size_t callbacks, size_t calls) {
    aloop_loop *loop = new_loop();
    running = callbacks;
    left = calls - callbacks;
    for (size_t i = 0; i < callbacks; i++) must_code(aloop_loop_call_soon(loop, again, loop, NULL));
    uint64_t start = now_ns();
    must_code(aloop_loop_run_forever(loop));
    double ns = (double)(now_ns() - start) / (double)calls;
    close_loop(loop);
    return ns;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    emit("callback", "among 1000", run(1000, calls), "ns");
    emit("callback", "alone", run(1, calls), "ns");
}
