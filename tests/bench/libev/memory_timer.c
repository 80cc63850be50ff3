// What an armed ev_timer holds, in an array.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/bench.h"

static void fired(struct ev_loop *loop, ev_timer *timer, int what) {
    (void)loop, (void)timer, (void)what;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    struct ev_loop *loop = EV_DEFAULT;
    double before = resident_bytes();
    ev_timer *timers = must(malloc(n * sizeof *timers));
    for (size_t i = 0; i < n; i++) {
        ev_timer_init(&timers[i], fired, 3600. + (double)i, 0.);
        ev_timer_start(loop, &timers[i]);
    }
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
}
