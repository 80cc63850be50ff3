/*
 * model.c: runs the models: sync_sim [RUNS [SEED]], 10,000 from seed 1 unless
 * told otherwise. A run that finds something wrong names the seed with which
 * `sync_sim 1 SEED` shows it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

uint32_t any(uint32_t limit) {
    world.random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = world.random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % limit;
}

void claim(bool true_claim, const char *complaint) {
    if (!true_claim && world.complaint == NULL) world.complaint = complaint;
}

void add_actor(aloop_coro_fn fn, int32_t steps) {
    struct actor *a = &world.actors[world.count];
    *a = (struct actor){.number = world.count++, .steps = steps};
    a->task = aloop_create_task(fn, a);
}

int64_t await_somehow(aloop_future *operation, void **value) {
    switch (any(4)) {
    case 0: return aloop_await(aloop_wait_for(operation, any(4) * 0.001), value);
    default: return aloop_await(operation, value);
    }
}

int64_t dawdle(void) {
    int64_t status = 0;
    if (any(4) == 0) return aloop_await(aloop_sleep(any(4) * 0.001), NULL);
    for (uint32_t i = any(3); i > 0 && status >= 0; i--) status = aloop_await(aloop_sleep(0), NULL);
    return status;
}

bool goes_on(void) { return any(3) != 0; }

void wreak_havoc(int32_t turns) {
    while (turns-- > 0) {
        struct actor *victim = &world.actors[any((uint32_t)world.count)];
        if (any(2) == 0) aloop_task_cancel(victim->task, NULL);
        dawdle();
    }
}

void settle(void) { aloop_await(aloop_sleep(10), NULL); }

bool has_ended(int32_t i) { return aloop_future_done(world.actors[i].task) == 1; }

void expect_all_ended(void) {
    settle();
    for (int32_t i = 0; i < world.count; i++) {
        claim(has_ended(i), "an actor is stuck: a wake-up was lost");
    }
}

void drop_actors(void) {
    for (int32_t i = 0; i < world.count; i++) {
        aloop_task_cancel(world.actors[i].task, NULL);
    }
    settle();
    for (int32_t i = 0; i < world.count; i++) {
        aloop_future_result(world.actors[i].task, NULL); /* looked at */
        aloop_unref(world.actors[i].task);
    }
}

static const struct {
    const char *name;
    model_fn run;
} models[] = {{"lock", lock_model},           {"semaphore", semaphore_model},
              {"event", event_model},         {"condition", condition_model},
              {"barrier", barrier_model},     {"queue", queue_model},
              {"read-write lock", rwlock_model},
              {"channel", channel_model},     {"broadcast", broadcast_model},
              {"watch", watch_model},         {"capacity limiter", limiter_model},
              {"rate limiter", rate_model},   {"once cell", once_model},
              {"inlet", inlet_model}};
enum { MODELS = sizeof models / sizeof models[0] };

static int64_t run_model(void *model, void **value) {
    (void)value;
    (*(const model_fn *)model)();
    return 0;
}

static void ignore_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

static bool run(uint64_t seed) {
    memset(&world, 0, sizeof world);
    world.random = seed * 0x2545f4914f6cdd1du;
    const uint32_t which = any(MODELS);
    world.shuffled = any(2) == 0;
    aloop_loop_options *options = aloop_loop_options_new();
    aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL);
    if (world.shuffled) aloop_loop_options_set_seed(options, seed);
    aloop_loop *loop = NULL;
    int64_t status = aloop_loop_new(&loop, options);
    aloop_unref(options);
    if (status >= 0) {
        model_fn model = models[which].run;
        aloop_loop_set_exception_handler(loop, ignore_report, NULL, NULL);
        aloop_task *task = aloop_loop_create_task(loop, run_model, &model);
        status = aloop_loop_run_until_complete(loop, task, NULL);
        aloop_loop_close(loop);
        aloop_loop_unref(loop);
    }
    claim(status >= 0, "the program failed");
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        claim(aloop_debug_stats(i) == 0, "something was left behind");
    }
    if (world.complaint == NULL) return true;
    fprintf(stderr, "seed %llu, %s%s: %s\n", (unsigned long long)seed, models[which].name,
            world.shuffled ? ", shuffled" : "", world.complaint);
    return false;
}

int main(int argc, char **argv) {
    const uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int wrong = 0;
    for (uint64_t seed = first; seed < first + runs && wrong < 10; seed++) wrong += !run(seed);
    printf("%llu runs, %d wrong\n", (unsigned long long)runs, wrong);
    return runs == 0 || wrong > 0;
}
