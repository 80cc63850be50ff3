// What an armed struct event holds, in an array.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>
#include <event2/event_struct.h>

#include "../common/bench.h"

static void fired(evutil_socket_t fd, short what, void *data) { (void)fd, (void)what, (void)data; }

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    struct event_base *base = must(event_base_new());
    double before = resident_bytes();
    struct event *timers = must(malloc(n * sizeof *timers));
    for (size_t i = 0; i < n; i++) {
        struct timeval in = {3600 + (time_t)i, 0};
        evtimer_assign(&timers[i], base, fired, NULL);
        evtimer_add(&timers[i], &in);
    }
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
}
