/*
 * timers_test.c: timers [RUNS [SEED]]: the timer wheel against a model, from a seed.
 *
 * Timers are armed and cancelled from outside and by each other, at distances from a
 * nanosecond to decades, into the past, at equal times. None may fire early, or twice, or
 * when it was cancelled; within an iteration they fire by deadline, then as they were
 * armed; all fire in the end, and each destructor runs once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"

enum { MOST = 30000, SPREADS = 9 };

struct timer {
    double when;
    int64_t order; /* of arming */
    aloop_handle handle;
    bool live;
    int freed;
};

static struct {
    aloop_loop *loop;
    uint64_t random;
    int spread;  /* how the deadlines lie; SPREADS: each in another way */
    int to_come; /* timers that may still be armed */
    struct timer timers[MOST];
    int count;
    int live;
    struct timer last; /* that fired, in iteration `at` */
    int64_t at;
    const char *complaint;
} run;

static uint32_t any(uint32_t below) {
    run.random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = run.random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

static void claim(bool true_claim, const char *complaint) {
    if (!true_claim && run.complaint == NULL) run.complaint = complaint;
}

static double draw_deadline(void) {
    const double now = aloop_loop_time(run.loop);
    switch (run.spread < SPREADS ? run.spread : (int)any(SPREADS)) {
    case 0: return now + any(64) * 1e-9;
    case 1: return now + any(5000) * 1e-6;
    case 2: return floor(now) + any(20); /* many equal, some past */
    case 3: return now + ldexp(1, (int)any(60)) * 1e-9;
    case 4: return now - any(1000);
    case 5: return now + any(1000000007) * 1e-3;
    case 6: return -(any(5) * 1e8);
    case 7: return ceil(now * 8 + any(16)) / 8;
    default: return now + any(4096) * 64e-9; /* the width of a slot */
    }
}

static int64_t fire(void *timer);

static void note_freed(void *timer) { ((struct timer *)timer)->freed++; }

static void arm(void) {
    if (run.to_come == 0) return;
    run.to_come--;
    struct timer *t = &run.timers[run.count];
    *t = (struct timer){.order = run.count++, .live = true};
    t->handle = aloop_loop_call_at(run.loop, draw_deadline(), fire, t, note_freed);
    claim((int64_t)t->handle > 0, "a timer cannot be armed");
    t->when = aloop_loop_handle_when(run.loop, t->handle); /* as the wheel has it, in ns */
    run.live++;
}

static void cancel_any(void) {
    if (run.count == 0) return;
    struct timer *t = &run.timers[any((uint32_t)run.count)];
    const int64_t expected = t->live ? 0 : ALOOP_ENOENT;
    const int64_t status = aloop_loop_cancel_handle(run.loop, t->handle);
    claim(status == expected, "a cancel was answered wrongly");
    if (t->live) {
        run.live--;
        claim(t->freed == 1, "what was cancelled was not freed");
    }
    t->live = false;
}

static int64_t fire(void *timer) {
    struct timer *t = timer;
    claim(t->live, "one fired that was cancelled or had fired");
    t->live = false;
    run.live--;
    const double now = aloop_loop_time(run.loop);
    claim(t->when <= now + 2e-9 + fabs(now) * 1e-15, "one fired early");
    if (aloop_loop_iteration(run.loop) == run.at) {
        const bool behind = t->when > run.last.when ||
                            (t->when == run.last.when && t->order > run.last.order);
        claim(behind, "two fired in the wrong order");
    }
    run.at = aloop_loop_iteration(run.loop);
    run.last = *t;
    for (uint32_t i = any(3); i > 0; i--) arm();
    if (any(4) == 0) {
        for (uint32_t i = any(6); i > 0; i--) cancel_any();
    }
    return 0;
}

static void turn(void) {
    const double before = aloop_loop_time(run.loop);
    aloop_loop_run_once(run.loop, any(5) == 0 ? any(100) * 1e-3 : -1);
    claim(aloop_loop_time(run.loop) >= before, "time went back");
    if (any(3) == 0) arm();
    if (any(3) == 0) cancel_any();
}

static bool run_one(uint64_t seed) {
    memset(&run, 0, sizeof run);
    run.random = seed;
    run.at = -1;
    run.spread = (int)any(SPREADS + 1);
    run.to_come = any(8) == 0 ? MOST : MOST / 20;
    aloop_loop_options *o = aloop_loop_options_new();
    aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL);
    if (aloop_loop_new(&run.loop, o) < 0) return false;
    aloop_unref(o);
    for (uint32_t i = 1 + any((uint32_t)run.to_come / 2); i > 0; i--) arm();
    int turns = 0;
    while (run.live > 0 && turns++ < 20 * MOST && run.complaint == NULL) turn();
    claim(run.live == 0, "some never fired");
    aloop_loop_close(run.loop);
    aloop_loop_unref(run.loop);
    for (int i = 0; i < run.count; i++) {
        claim(run.timers[i].freed == 1, "a destructor did not run once");
    }
    if (run.complaint == NULL) return true;
    fprintf(stderr, "seed %llu, spread %d: %s\n", (unsigned long long)seed, run.spread,
            run.complaint);
    return false;
}

int main(int argc, char **argv) { return run_seeds(argc, argv, 200, "runs", run_one); }
