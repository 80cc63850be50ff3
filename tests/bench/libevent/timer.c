// libevent's timers: a million struct event in one array. The precision is that of a default base,
// and that of one made with EVENT_BASE_FLAG_PRECISE_TIMER.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>
#include <event2/event_struct.h>

#include "../common/late.h"

static struct event *timers;
static size_t fired;

static struct event_base *new_base(int flags) {
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | flags);
    struct event_base *base = must(event_base_new_with_config(config));
    event_config_free(config);
    return base;
}

static void count_fired(evutil_socket_t fd, short what, void *data) {
    (void)fd, (void)what, (void)data;
    fired++;
}

static void init_all(struct event_base *base, size_t n) {
    timers = must(calloc(n, sizeof *timers));
    for (size_t i = 0; i < n; i++) evtimer_assign(&timers[i], base, count_fired, NULL);
}

static void arm(struct event *timer, uint64_t us) {
    struct timeval in = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    evtimer_add(timer, &in);
}

static double arm_cancel(struct event_base *base, size_t n) {
    init_all(base, n);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) arm(&timers[i], 1000000 + random_next() % 59000000);
    for (size_t i = 0; i < n; i++) evtimer_del(&timers[i]);
    double ns = (double)(now_ns() - start) / (double)n;
    free(timers);
    return ns;
}

static double arm_fire(struct event_base *base, size_t n) {
    init_all(base, n);
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < n; i++) arm(&timers[i], random_next() % 1000000);
    sleep(1);  // every loop is late at times; here the last deadline has passed before the first
               // timer fires
    event_base_dispatch(base);
    double ns = (double)(cpu_ns() - start) / (double)n;
    if (fired != n) abort();
    free(timers);
    return ns;
}

static late sample;
static struct event one;

static void arm_late(evutil_socket_t fd, short what, void *data) {
    (void)fd, (void)what, (void)data;
    if (sample.armed && !late_fired(&sample)) return;
    late_arm(&sample);
    arm(&one, (uint64_t)(k_late_s * 1e6));
}

static void precision(const char *peer, int flags, size_t samples) {
    struct event_base *base = new_base(flags);
    sample = late_new(samples);
    evtimer_assign(&one, base, arm_late, NULL);
    arm_late(-1, 0, NULL);
    event_base_dispatch(base);
    late_emit(&sample, peer);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    struct event_base *base = new_base(0);
    emit("timer", "arm + cancel", arm_cancel(base, n), "ns");
    emit("timer", "arm + fire", arm_fire(base, n), "ns");
    precision(BENCH_PEER, 0, 1 + n / 1000);
    precision("libevent-precise", EVENT_BASE_FLAG_PRECISE_TIMER, 1 + n / 1000);
}
