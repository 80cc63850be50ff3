/*
 * short_way_test.c: short_way [RUNS [SEED]]: an await that need not wait takes a shorter
 * way than others, which nobody may notice.
 *
 * A program of six tasks and what they share comes from a seed. It runs twice: as it is,
 * and with another reference to each future that is awaited, which keeps it off the short
 * way. What the two say, each line with iteration and time, must be the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"

enum { TASKS = 6, LOCKS = 2, QUEUES = 3, TURNS = 400, DEEPEST = 3 };

struct player {
    int number;
    uint64_t random;
    int depth; /* of blocks in each other */
};

/* What a run says. */
struct text {
    char *bytes;
    size_t length, room;
};

static struct {
    aloop_loop *loop;
    bool held; /* another reference to each future */
    struct text said;
    struct player players[TASKS];
    aloop_task *tasks[TASKS];
    aloop_lock *locks[LOCKS];
    aloop_semaphore *semaphores[LOCKS];
    aloop_event *events[LOCKS];
    aloop_queue *queues[QUEUES];
    long items; /* that exist */
} run;

static uint32_t draw(uint64_t *random, uint32_t below) {
    *random += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}

static uint32_t any(struct player *p, uint32_t below) { return draw(&p->random, below); }

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "%s\n", what);
    exit(2);
}

static void say(const char *format, ...) {
    struct text *t = &run.said;
    if (t->room - t->length < 512) {
        t->room = t->room * 2 + 8192;
        t->bytes = realloc(t->bytes, t->room);
        must(t->bytes != NULL, "out of memory");
    }
    t->length += (size_t)snprintf(t->bytes + t->length, 100, "%lld %.3f ",
                                  (long long)aloop_loop_iteration(run.loop),
                                  aloop_loop_time(run.loop));
    va_list args;
    va_start(args, format);
    t->length += (size_t)vsnprintf(t->bytes + t->length, 300, format, args);
    va_end(args);
    t->bytes[t->length++] = '\n';
}

static int64_t await(aloop_future *f, void **value) {
    if (!run.held) return aloop_await(f, value);
    aloop_ref(f);
    const int64_t status = aloop_await(f, value);
    aloop_unref(f);
    return status;
}

static void free_item(void *item) {
    run.items--;
    free(item);
}

static int *new_item(struct player *p) {
    int *item = malloc(sizeof *item);
    must(item != NULL, "out of memory");
    *item = (int)any(p, 50);
    run.items++;
    return item;
}

static int64_t compare_items(const void *a, const void *b, void *data) {
    (void)data;
    return *(const int *)a - *(const int *)b;
}

/* -0.01 to 0.02 seconds. */
static double some_time(struct player *p) { return ((int)any(p, 4) - 1) * 0.01; }

/* What a player does in a turn; each says how it went ----------------------------------------- */

static int64_t take_lock(struct player *p) {
    const uint32_t i = any(p, LOCKS);
    void *value = p;
    const int64_t status = await(aloop_lock_acquire(run.locks[i]), any(p, 4) ? &value : NULL);
    say("%d takes lock %u: %lld%s", p->number, i, (long long)status, value == NULL ? " NULL" : "");
    return status;
}

static int64_t give_lock(struct player *p) {
    const uint32_t i = any(p, LOCKS);
    say("%d gives lock %u: %lld", p->number, i, (long long)aloop_lock_release(run.locks[i]));
    return 0;
}

static int64_t take_semaphore(struct player *p) {
    const uint32_t i = any(p, LOCKS);
    const int64_t status = await(aloop_semaphore_acquire(run.semaphores[i]), NULL);
    say("%d takes semaphore %u: %lld", p->number, i, (long long)status);
    return status;
}

static int64_t give_semaphore(struct player *p) {
    const int64_t status = aloop_semaphore_release(run.semaphores[any(p, LOCKS)]);
    say("%d gives a semaphore: %lld", p->number, (long long)status);
    return 0;
}

static int64_t await_event(struct player *p) {
    const int64_t status = await(aloop_event_wait(run.events[any(p, LOCKS)]), NULL);
    say("%d saw an event: %lld", p->number, (long long)status);
    return status;
}

static int64_t change_event(struct player *p) {
    aloop_event *e = run.events[any(p, LOCKS)];
    const int64_t status = any(p, 2) ? aloop_event_set(e) : aloop_event_clear(e);
    say("%d changes an event: %lld", p->number, (long long)status);
    return 0;
}

static int64_t put(struct player *p) {
    const uint32_t i = any(p, QUEUES);
    const int64_t status = await(aloop_queue_put(run.queues[i], new_item(p)), NULL);
    say("%d puts into %u: %lld, %lld in it", p->number, i, (long long)status,
        (long long)aloop_queue_qsize(run.queues[i]));
    return status;
}

static int64_t get(struct player *p) {
    const uint32_t i = any(p, QUEUES);
    const bool wants_it = any(p, 4) != 0;
    void *item = NULL;
    const int64_t status = await(aloop_queue_get(run.queues[i]), wants_it ? &item : NULL);
    say("%d gets from %u: %lld, %d", p->number, i, (long long)status, item ? *(int *)item : -1);
    if (item != NULL) free_item(item);
    return status;
}

static int64_t put_or_get_now(struct player *p) {
    aloop_queue *q = run.queues[any(p, QUEUES)];
    void *item = NULL;
    int64_t status;
    if (any(p, 2)) {
        status = aloop_queue_get_nowait(q, &item);
    } else {
        item = new_item(p);
        status = aloop_queue_put_nowait(q, item);
        if (status >= 0) item = NULL;
    }
    if (item != NULL) free_item(item);
    say("%d does not wait: %lld", p->number, (long long)status);
    return 0;
}

static int64_t finish_item(struct player *p) {
    aloop_queue *q = run.queues[any(p, QUEUES)];
    if (any(p, 12) == 0) {
        const int64_t status = aloop_queue_shutdown(q, (int32_t)any(p, 2));
        say("%d shuts down: %lld", p->number, (long long)status);
    } else {
        say("%d is done: %lld", p->number, (long long)aloop_queue_task_done(q));
    }
    return 0;
}

static int64_t sleep_some(struct player *p) {
    const int64_t status = await(aloop_sleep(some_time(p)), NULL);
    say("%d slept: %lld", p->number, (long long)status);
    return status;
}

static int64_t cancel_one(struct player *p) {
    const uint32_t i = any(p, TASKS);
    const int64_t status = aloop_task_cancel(run.tasks[i], any(p, 2) ? "stop it" : NULL);
    say("%d cancels %u: %lld", p->number, i, (long long)status);
    return 0;
}

static int64_t take_back(struct player *p) {
    say("%d: %lld left", p->number, (long long)aloop_task_uncancel(aloop_current_task(NULL)));
    return 0;
}

static int64_t look_at_error(struct player *p) {
    aloop_error *e = aloop_last_error();
    say("%d: the last was %s", p->number, e != NULL ? aloop_error_message(e) : "none");
    return 0;
}

static int64_t play_some(struct player *p);

static int64_t play_under_timeout(struct player *p) {
    if (p->depth == DEEPEST) return 0;
    aloop_timeout *t = NULL;
    must(aloop_timeout_enter(&t, some_time(p)) == 0, "no timeout");
    const int64_t inside = play_some(p);
    const int64_t status = aloop_timeout_exit(t, inside);
    say("%d leaves a timeout: %lld, %lld, expired %lld", p->number, (long long)inside,
        (long long)status, (long long)aloop_timeout_expired(t));
    aloop_unref(t);
    return status;
}

static int64_t play_in_scope(struct player *p) {
    if (p->depth == DEEPEST) return 0;
    aloop_cancel_scope *s = NULL;
    const double limit = some_time(p);
    must(aloop_cancel_scope_enter(&s, limit, any(p, 4) == 0) == 0, "no scope");
    const int64_t inside = play_some(p);
    const int64_t status = aloop_cancel_scope_exit(s, inside);
    say("%d leaves a scope: %lld, %lld, caught %lld", p->number, (long long)inside,
        (long long)status, (long long)aloop_cancel_scope_cancelled_caught(s));
    aloop_unref(s);
    return status;
}

static int64_t wait_for_one(struct player *p) {
    const bool of_queue = any(p, 2);
    aloop_future *f = of_queue ? aloop_queue_get(run.queues[any(p, QUEUES)])
                               : aloop_lock_acquire(run.locks[any(p, LOCKS)]);
    void *value = NULL;
    const int64_t status = await(aloop_wait_for(f, some_time(p)), &value);
    if (of_queue && status >= 0) free_item(value);
    say("%d waited for one: %lld", p->number, (long long)status);
    return status;
}

static int64_t wait_behind_shield(struct player *p) {
    aloop_future *f = any(p, 2) ? aloop_event_wait(run.events[any(p, LOCKS)])
                                : aloop_lock_acquire(run.locks[any(p, LOCKS)]);
    const int64_t status = await(aloop_shield(f), NULL);
    say("%d was shielded: %lld", p->number, (long long)status);
    return status;
}

static int64_t wait_for_two(struct player *p) {
    aloop_future *two[] = {aloop_queue_get(run.queues[any(p, QUEUES)]),
                           aloop_semaphore_acquire(run.semaphores[any(p, LOCKS)])};
    void *list = NULL;
    const bool both = any(p, 2);
    const int64_t status = await(both ? aloop_gather(two, 2, 0) : aloop_select(two, 2), &list);
    aloop_unref(list);
    say("%d waited for %s: %lld", p->number, both ? "both" : "either", (long long)status);
    return status;
}

/* The frequent ones are named more than once. */
static int64_t (*const turns[])(struct player *) = {
    take_lock,      take_lock,     give_lock,          give_lock,     take_semaphore,
    give_semaphore, await_event,   change_event,       change_event,  put,
    put,            put,           get,                get,           get,
    put_or_get_now, finish_item,   sleep_some,         cancel_one,    take_back,
    look_at_error,  wait_for_one,  play_under_timeout, play_in_scope, wait_behind_shield,
    wait_for_two};
enum { KINDS = sizeof turns / sizeof turns[0] };

/* Some turns, until one fails and the player gives up. */
static int64_t play_some(struct player *p) {
    int64_t status = 0;
    p->depth++;
    for (uint32_t i = 1 + any(p, 6); i > 0; i--) {
        status = turns[any(p, KINDS)](p);
        if (status >= 0 || any(p, 3) == 0) {
            status = 0;
        } else {
            break;
        }
    }
    p->depth--;
    return status;
}

static int64_t play(void *player, void **value) {
    struct player *p = player;
    int64_t status = 0;
    (void)value;
    say("%d begins", p->number);
    for (int i = 0; i < 4 && status >= 0; i++) status = play_some(p);
    say("%d ends: %lld, %lld requests", p->number, (long long)status,
        (long long)aloop_task_cancelling(aloop_current_task(NULL)));
    return status;
}

/* Runs ---------------------------------------------------------------------------------------- */

static void note_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)data;
    say("reported: %s, %lld", aloop_exception_context_message(context),
        (long long)aloop_exception_context_code(context));
}

static void make_loop(uint64_t *random) {
    aloop_loop_options *o = aloop_loop_options_new();
    aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL);
    aloop_loop_options_set_eager_tasks(o, draw(random, 4) == 0);
    aloop_loop_options_set_debug(o, draw(random, 4) == 0);
    must(aloop_loop_new(&run.loop, o) == 0, "no loop");
    aloop_unref(o);
    aloop_loop_set_slow_callback_duration(run.loop, 1e6); /* a busy machine is no difference */
    aloop_loop_set_exception_handler(run.loop, note_report, NULL, NULL);
}

static void make_shared(uint64_t *random) {
    bool ok = true;
    for (int i = 0; i < LOCKS; i++) {
        ok = ok && aloop_lock_new(&run.locks[i]) == 0 && aloop_event_new(&run.events[i]) == 0 &&
             aloop_semaphore_new(&run.semaphores[i], 1 + i) == 0;
    }
    for (int i = 0; i < QUEUES; i++) { /* first in first out, last in first out, by priority */
        aloop_queue_options *o = aloop_queue_options_new();
        aloop_queue_options_set_maxsize(o, draw(random, 3));
        aloop_queue_options_set_kind(o, i);
        aloop_queue_options_set_item_free(o, free_item);
        if (i == 2) aloop_queue_options_set_compare(o, compare_items, NULL, NULL);
        ok = ok && aloop_queue_new(&run.queues[i], o) == 0;
        aloop_unref(o);
    }
    must(ok, "nothing to share");
}

static bool all_ended(void) {
    for (int i = 0; i < TASKS; i++) {
        if (aloop_future_done(run.tasks[i]) != 1) return false;
    }
    return true;
}

static void end_run(void) {
    for (int i = 0; i < LOCKS; i++) {
        say("lock %d: %lld", i, (long long)aloop_lock_locked(run.locks[i]));
    }
    for (int i = 0; i < QUEUES; i++) {
        say("queue %d: %lld", i, (long long)aloop_queue_qsize(run.queues[i]));
    }
    for (int i = 0; i < TASKS; i++) aloop_unref(run.tasks[i]);
    aloop_loop_close(run.loop);
    for (int i = 0; i < LOCKS; i++) {
        aloop_unref(run.locks[i]);
        aloop_unref(run.semaphores[i]);
        aloop_unref(run.events[i]);
    }
    for (int i = 0; i < QUEUES; i++) aloop_unref(run.queues[i]);
    aloop_loop_unref(run.loop);
    bool all_gone = run.items == 0;
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        all_gone = all_gone && aloop_debug_stats(i) == 0;
    }
    must(all_gone, "something was left behind");
}

/* The caller's text. */
static char *play_all(uint64_t seed, bool held) {
    memset(&run, 0, sizeof run);
    run.held = held;
    uint64_t random = seed;
    make_loop(&random);
    make_shared(&random);
    for (int i = 0; i < TASKS; i++) {
        run.players[i] = (struct player){.number = i, .random = draw(&random, UINT32_MAX)};
    }
    for (int i = 0; i < TASKS; i++) {
        run.tasks[i] = aloop_loop_create_task(run.loop, play, &run.players[i]);
    }
    for (int i = 0; i < TURNS && !all_ended(); i++) {
        if (aloop_loop_backend_timeout(run.loop) < 0) break; /* all wait for each other */
        aloop_loop_run_once(run.loop, 0.5);
    }
    for (int i = 0; i < TURNS * TASKS && !all_ended(); i++) {
        aloop_task_cancel(run.tasks[i % TASKS], NULL);
        aloop_loop_run_once(run.loop, 0);
    }
    must(all_ended(), "a task does not end");
    end_run();
    run.said.bytes[run.said.length] = '\0';
    return run.said.bytes;
}

static void show_difference(const char *a, const char *b) {
    while (*a != '\0') {
        const size_t n = strcspn(a, "\n") + 1;
        if (strncmp(a, b, n) != 0) break;
        a += n;
        b += n;
    }
    fprintf(stderr, "  short: %.*s\n  long:  %.*s\n", (int)strcspn(a, "\n"), a,
            (int)strcspn(b, "\n"), b);
}

static bool run_one(uint64_t seed) {
    char *quickly = play_all(seed, false);
    char *slowly = play_all(seed, true);
    const bool same = strcmp(quickly, slowly) == 0;
    if (!same) {
        fprintf(stderr, "seed %llu:\n", (unsigned long long)seed);
        show_difference(quickly, slowly);
    }
    free(quickly);
    free(slowly);
    return same;
}

int main(int argc, char **argv) { return run_seeds(argc, argv, 1000, "programs", run_one); }
