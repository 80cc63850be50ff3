// libev's timers: a million watchers in one array. It waits in whole milliseconds, rounded up.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/late.h"

static struct ev_loop *loop;
static ev_timer *timers;
static size_t fired;
static late sample;

static void count_fired(struct ev_loop *l, ev_timer *timer, int what) {
    (void)l, (void)timer, (void)what;
    fired++;
}

static void arm(ev_timer *timer, double in) {
    ev_timer_set(timer, in, 0.);
    ev_timer_start(loop, timer);
}

static void init_all(size_t n) {
    timers = must(calloc(n, sizeof *timers));
    for (size_t i = 0; i < n; i++) ev_init(&timers[i], count_fired);
    ev_now_update(loop);
}

static double arm_cancel(size_t n) {
    init_all(n);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++)
        arm(&timers[i], 1 + (double)(random_next() % 59000000000u) / 1e9);
    for (size_t i = 0; i < n; i++) ev_timer_stop(loop, &timers[i]);
    double ns = (double)(now_ns() - start) / (double)n;
    free(timers);
    return ns;
}

static double arm_fire(size_t n) {
    init_all(n);
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < n; i++) arm(&timers[i], (double)(random_next() % 1000000000) / 1e9);
    sleep(1);  // every loop is late at times; here the last deadline has passed before the first
               // timer fires
    ev_run(loop, 0);
    double ns = (double)(cpu_ns() - start) / (double)n;
    if (fired != n) abort();
    free(timers);
    return ns;
}

static void arm_late(struct ev_loop *l, ev_timer *timer, int what) {
    (void)l, (void)what;
    if (sample.armed && !late_fired(&sample)) return;
    late_arm(&sample);
    ev_now_update(loop);
    arm(timer, k_late_s);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    ev_timer one;
    loop = EV_DEFAULT;
    emit("timer", "arm + cancel", arm_cancel(n), "ns");
    emit("timer", "arm + fire", arm_fire(n), "ns");
    sample = late_new(1 + n / 1000);
    ev_init(&one, arm_late);
    arm_late(loop, &one, 0);
    ev_run(loop, 0);
    late_emit(&sample, BENCH_PEER);
}
