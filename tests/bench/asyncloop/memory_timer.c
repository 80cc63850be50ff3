// memory: an armed timer.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static int64_t never(void *unused) {
    (void)unused;
    return 0;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    aloop_loop *loop = new_loop();
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++)
        must_code(aloop_loop_call_later(loop, 3600 + (double)i, never, NULL, NULL));
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
    close_loop(loop);
}
