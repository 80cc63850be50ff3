/*
 * knots_test.c: knots [RUNS [SEED]]: whatever waits for whatever, one cancellation each
 * ends every task.
 *
 * Six tasks await each other, and what is made of each other: gathers, shields, limits,
 * waits, under timeouts and in scopes, so that circles are the rule. Some are cancelled at
 * random. Then each is cancelled once and gives up: on the virtual clock, where nothing
 * else is going on, all of them must end, and nothing may be left.
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

enum { TASKS = 6, SHARED = 8, TURNS = 60 };

static struct {
    aloop_loop *loop;
    uint64_t random;
    bool ending; /* nobody goes on after a failure */
    aloop_task *tasks[TASKS];
    aloop_future *shared[SHARED]; /* some NULL */
} run;

static uint32_t any(uint32_t below) {
    run.random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = run.random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

static double soon(void) { return any(4) * 0.01; }

static int64_t ignore(aloop_future *future, void *data) {
    (void)future, (void)data;
    return 0;
}

/* A reference to a task or shared future, more often than to one of its own. */
static aloop_future *known(void) {
    const uint32_t i = any(TASKS + SHARED + 4);
    aloop_future *one = NULL;
    if (i < TASKS + SHARED) one = i < TASKS ? run.tasks[i] : run.shared[i - TASKS];
    if (one != NULL) return aloop_ref(one);
    if (any(2)) return aloop_loop_create_future(run.loop);
    return aloop_sleep(any(2) ? INFINITY : soon());
}

static aloop_future *something(int depth);

static aloop_future *gathered(int depth) {
    aloop_future *parts[3];
    const uint32_t n = 1 + any(3);
    for (uint32_t i = 0; i < n; i++) parts[i] = something(depth);
    return aloop_gather(parts, n, any(2) ? ALOOP_RETURN_EXCEPTIONS : 0);
}

static aloop_future *waited_for(int depth) {
    aloop_future *one = aloop_ensure_future(something(depth));
    return aloop_wait(&one, 1, any(2) ? -1 : soon(), ALOOP_ALL_COMPLETED);
}

/* With a task of its own that drives it, if it is an operation. */
static aloop_future *observed(int depth) {
    aloop_future *f = something(depth);
    aloop_future_add_done_callback(f, ignore, NULL, NULL);
    return f;
}

static aloop_future *something(int depth) {
    if (depth == 0) return known();
    switch (any(8)) {
    case 0: return aloop_wait_for(something(depth - 1), any(3) ? INFINITY : soon());
    case 1: return gathered(depth - 1);
    case 2: return aloop_shield(something(depth - 1));
    case 3: {
        aloop_future *two[] = {something(depth - 1), something(depth - 1)};
        return aloop_select(two, 2);
    }
    case 4: return observed(depth - 1);
    case 5: return waited_for(depth - 1);
    default: return known();
    }
}

static void share_something(void) {
    aloop_future **place = &run.shared[any(SHARED)];
    aloop_future *made = something((int)any(3));
    aloop_unref(*place);
    *place = made;
}

static int64_t await_something(void) {
    aloop_timeout *timeout = NULL;
    aloop_cancel_scope *scope = NULL;
    if (any(10) == 0) aloop_timeout_enter(&timeout, soon());
    if (any(10) == 0) aloop_cancel_scope_enter(&scope, soon(), any(2) == 0);
    int64_t status = aloop_await(something((int)any(4)), NULL);
    if (scope != NULL) status = aloop_cancel_scope_exit(scope, status);
    if (timeout != NULL) status = aloop_timeout_exit(timeout, status);
    aloop_unref(scope);
    aloop_unref(timeout);
    return status;
}

static int64_t wait_around(void *unused, void **value) {
    (void)unused, (void)value;
    for (int i = 0; i < 5 && !run.ending; i++) {
        if (any(10) == 0) share_something();
        const int64_t status = await_something();
        if (status < 0 && (run.ending || any(2))) return status;
    }
    return 0;
}

static void ignore_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

static int unfinished(void) {
    int n = 0;
    for (int i = 0; i < TASKS; i++) n += aloop_future_done(run.tasks[i]) != 1;
    return n;
}

static void tie(void) {
    for (int i = 0; i < TASKS; i++) {
        run.tasks[i] = aloop_loop_create_task(run.loop, wait_around, NULL);
    }
    for (int i = 0; i < TURNS; i++) {
        aloop_loop_run_once(run.loop, 0.01);
        const uint32_t victim = any(2 * (TASKS + SHARED));
        if (victim < TASKS) aloop_task_cancel(run.tasks[victim], NULL);
        else if (victim < TASKS + SHARED) aloop_future_cancel(run.shared[victim - TASKS], "stop");
    }
}

static void untie(void) {
    run.ending = true;
    for (int i = 0; i < TASKS; i++) aloop_task_cancel(run.tasks[i], NULL);
    for (int i = 0; i < 10 * TURNS && unfinished() > 0; i++) aloop_loop_run_once(run.loop, 0.01);
}

static bool run_one(uint64_t seed) {
    memset(&run, 0, sizeof run);
    run.random = seed;
    aloop_loop_options *o = aloop_loop_options_new();
    aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL);
    const int64_t status = aloop_loop_new(&run.loop, o);
    aloop_unref(o);
    if (status < 0) return false;
    aloop_loop_set_exception_handler(run.loop, ignore_report, NULL, NULL);
    tie();
    untie();
    const int stuck = unfinished();
    for (int i = 0; i < SHARED; i++) aloop_unref(run.shared[i]);
    for (int i = 0; i < TASKS; i++) aloop_unref(run.tasks[i]);
    aloop_loop_close(run.loop);
    aloop_loop_unref(run.loop);
    bool all_gone = true;
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        all_gone = all_gone && aloop_debug_stats(i) == 0;
    }
    if (stuck == 0 && all_gone) return true;
    fprintf(stderr, "seed %llu: %d tasks do not end%s\n", (unsigned long long)seed, stuck,
            all_gone ? "" : ", something is left");
    return false;
}

int main(int argc, char **argv) { return run_seeds(argc, argv, 1000, "knots", run_one); }
