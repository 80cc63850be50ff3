// What an armed uv_timer_t holds, in an array.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/bench.h"

static void fired(uv_timer_t *timer) { (void)timer; }

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uv_loop_t *loop = uv_default_loop();
    double before = resident_bytes();
    uv_timer_t *timers = must(malloc(n * sizeof *timers));
    for (size_t i = 0; i < n; i++) {
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], fired, 3600000 + i, 0);
    }
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
}
