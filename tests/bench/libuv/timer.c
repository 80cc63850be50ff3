// libuv's timers: a million handles in one array, as its own benchmark has them.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/late.h"

static uv_loop_t *loop;
static uv_timer_t *timers;
static size_t fired;
static late precision;

static void count_fired(uv_timer_t *timer) {
    (void)timer;
    fired++;
}

static void init_all(size_t n) {
    timers = must(calloc(n, sizeof *timers));
    for (size_t i = 0; i < n; i++) uv_timer_init(loop, &timers[i]);
}

static void close_all(size_t n) {
    for (size_t i = 0; i < n; i++) uv_close((uv_handle_t *)&timers[i], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    free(timers);
}

static double arm_cancel(size_t n) {
    init_all(n);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++)
        uv_timer_start(&timers[i], count_fired, 1000 + random_next() % 59000, 0);
    for (size_t i = 0; i < n; i++) uv_timer_stop(&timers[i]);
    double ns = (double)(now_ns() - start) / (double)n;
    close_all(n);
    return ns;
}

static double arm_fire(size_t n) {
    init_all(n);
    uv_update_time(loop);
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < n; i++) uv_timer_start(&timers[i], count_fired, random_next() % 1000, 0);
    sleep(1);  // every loop is late at times; here the last deadline has passed before the first
               // timer fires
    uv_run(loop, UV_RUN_DEFAULT);
    double ns = (double)(cpu_ns() - start) / (double)n;
    if (fired != n) abort();
    close_all(n);
    return ns;
}

// libuv counts in milliseconds, so a timer of 1.3 ms is one of 2.
static void arm_late(uv_timer_t *timer) {
    if (precision.armed && !late_fired(&precision)) return;
    late_arm(&precision);
    uv_update_time(loop);
    uv_timer_start(timer, arm_late, 2, 0);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uv_timer_t one;
    loop = uv_default_loop();
    emit("timer", "arm + cancel", arm_cancel(n), "ns");
    emit("timer", "arm + fire", arm_fire(n), "ns");
    precision = late_new(1 + n / 1000);
    uv_timer_init(loop, &one);
    arm_late(&one);
    uv_run(loop, UV_RUN_DEFAULT);
    late_emit(&precision, BENCH_PEER);
}
