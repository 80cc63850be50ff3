// timer: arming and cancelling, arming and firing (processor time: the wait does not count), and
// how late a timer of 1.3 ms fires.
//
// SPDX-License-Identifier: MIT
#include "../common/late.h"
#include "ours.h"

static aloop_loop *loop;
static size_t left;

static int64_t fired(void *unused) {
    (void)unused;
    if (--left == 0) aloop_loop_stop(loop);
    return 0;
}

static double arm_cancel(size_t n) {
    aloop_handle *timers = must(calloc(n, sizeof *timers));
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        double delay = (double)(1000000000 + random_next() % 59000000000u) / 1e9;
        timers[i] = (aloop_handle)must_code(aloop_loop_call_later(loop, delay, fired, NULL, NULL));
    }
    for (size_t i = 0; i < n; i++) must_code(aloop_loop_cancel_handle(loop, timers[i]));
    double ns = (double)(now_ns() - start) / (double)n;
    free(timers);
    return ns;
}

static double arm_fire(size_t n) {
    left = n;
    uint64_t start = cpu_ns();
    double base = aloop_loop_time(loop);
    for (size_t i = 0; i < n; i++) {
        double when = base + (double)(random_next() % 1000000000) / 1e9;
        must_code(aloop_loop_call_at(loop, when, fired, NULL, NULL));
    }
    sleep(1);  // as in the limit: the last deadline has passed before the first timer fires
    must_code(aloop_loop_run_forever(loop));
    return (double)(cpu_ns() - start) / (double)n;
}

static int64_t late_timer(void *data) {
    late *l = data;
    if (!late_fired(l)) return aloop_loop_stop(loop);
    late_arm(l);
    return must_code(aloop_loop_call_later(loop, k_late_s, late_timer, l, NULL));
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    loop = new_loop();
    emit("timer", "arm + cancel", arm_cancel(n), "ns");
    emit("timer", "arm + fire", arm_fire(n), "ns");
    late l = late_new(1 + n / 1000);
    late_arm(&l);
    must_code(aloop_loop_call_later(loop, k_late_s, late_timer, &l, NULL));
    must_code(aloop_loop_run_forever(loop));
    late_emit(&l, BENCH_PEER);
    close_loop(loop);
}
