// libev's way to run something in every round: an idle watcher. While one is active the loop does
// not sleep, but polls.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/bench.h"

static size_t left;

static void again(struct ev_loop *loop, ev_idle *watcher, int what) {
    (void)what;
    if (left > 0)
        left--;
    else
        ev_idle_stop(loop, watcher);
}

static double run(size_t watchers, size_t calls) {
    struct ev_loop *loop = EV_DEFAULT;
    ev_idle *all = must(calloc(watchers, sizeof *all));
    left = calls - watchers;
    for (size_t i = 0; i < watchers; i++) {
        ev_idle_init(&all[i], again);
        ev_idle_start(loop, &all[i]);
    }
    uint64_t start = now_ns();
    ev_run(loop, 0);
    double ns = (double)(now_ns() - start) / (double)calls;
    free(all);
    return ns;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    emit("callback", "among 1000", run(1000, calls), "ns");
    emit("callback", "alone", run(1, calls), "ns");
}
