// An event_base made, turned once and freed.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        struct event_base *base = must(event_base_new());
        event_base_loop(base, EVLOOP_NONBLOCK);
        event_base_free(base);
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
