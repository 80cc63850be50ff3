// libevent's ways to run something soon. event_active runs it in the same round, without a look at
// I/O or timers for as long as callbacks activate each other; a timer of zero seconds (peer
// `libevent-timer`) runs it in the next. The base has no locks, as one thread needs none.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>

#include "../common/bench.h"

static struct event **all;
static size_t left;

static void activate(evutil_socket_t fd, short what, void *index) {
    (void)fd, (void)what;
    if (left == 0) return;
    left--;
    event_active(all[(size_t)index], EV_TIMEOUT, 0);
}

static void arm(evutil_socket_t fd, short what, void *index) {
    const struct timeval zero = {0, 0};
    (void)fd, (void)what;
    if (left == 0) return;
    left--;
    event_add(all[(size_t)index], &zero);
}

static double run(struct event_base *base, event_callback_fn again, size_t events, size_t calls) {
    all = must(calloc(events, sizeof *all));
    left = calls;
    for (size_t i = 0; i < events; i++) all[i] = must(event_new(base, -1, 0, again, (void *)i));
    uint64_t start = now_ns();
    for (size_t i = 0; i < events; i++) again(-1, 0, (void *)i);
    event_base_dispatch(base);
    double ns = (double)(now_ns() - start) / (double)calls;
    for (size_t i = 0; i < events; i++) event_free(all[i]);
    free(all);
    return ns;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = must(event_base_new_with_config(config));
    emit("callback", "among 1000", run(base, activate, 1000, calls), "ns");
    emit("callback", "alone", run(base, activate, 1, calls), "ns");
    emit_as("libevent-timer", "callback", "among 1000", run(base, arm, 1000, calls), "ns");
    emit_as("libevent-timer", "callback", "alone", run(base, arm, 1, calls), "ns");
}
