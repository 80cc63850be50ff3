/*
 * The way of a cancellation through what waits for each other: chains of every kind a
 * hundred thousand members long, from end to end and back; circles; forks that come
 * together again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>

enum { length = 100000 };

static aloop_future *plain(void) { return aloop_loop_create_future(aloop_get_running_loop()); }

static int64_t ignore(aloop_future *future, void *data) {
    (void)future, (void)data;
    return 0;
}

/* Chains ---------------------------------------------------------------------------------- */

struct member {
    ALOOP_CO_FRAME;
    aloop_future *next;
    aloop_cancel_scope *scope;
    int64_t status;
};

static int64_t await_next(aloop_task *task, void *frame, void **value) {
    struct member *m = frame;
    (void)value;
    ALOOP_CO_BEGIN(m);
    ALOOP_CO_AWAIT(task, m, m->next, m->status, NULL);
    ALOOP_CO_END(m);
    return m->status;
}

static int64_t await_in_scope(aloop_task *task, void *frame, void **value) {
    struct member *m = frame;
    (void)value;
    ALOOP_CO_BEGIN(m);
    assert_code(aloop_cancel_scope_enter(&m->scope, INFINITY, 0), 0);
    ALOOP_CO_AWAIT(task, m, m->next, m->status, NULL);
    m->status = aloop_cancel_scope_exit(m->scope, m->status);
    ALOOP_CO_END(m);
    return m->status;
}

static void free_member(void *frame) {
    struct member *m = frame;
    aloop_unref(m->scope);
    free(m);
}

/* What each task awaits in place of the next one (consumed). */
static aloop_future *itself(aloop_future *next) { return next; }
static aloop_future *shielded(aloop_future *next) { return aloop_shield(next); }
static aloop_future *gathered(aloop_future *next) { return aloop_gather(&next, 1, 0); }
static aloop_future *with_others(aloop_future *next) {
    return ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_sleep(INFINITY), next, plain());
}
/* An operation that a task of its own drives. */
static aloop_future *kept(aloop_future *next) {
    aloop_future *limited = aloop_wait_for(next, INFINITY);
    assert_code(aloop_future_add_done_callback(limited, ignore, NULL, NULL), 0);
    return limited;
}
static aloop_future *mixed(aloop_future *next) {
    static int turn;
    aloop_future *(*const all[])(aloop_future *) = {itself, gathered, kept, with_others};
    return all[turn++ % 4](next);
}

struct chain {
    aloop_future *(*join)(aloop_future *next);
    aloop_step_fn step;
    aloop_future *end;
    aloop_task *first;
    struct member *outermost;
};

static const struct chain kinds[] = {
    {.join = itself, .step = await_next},
    {.join = kept, .step = await_next},
    {.join = gathered, .step = await_next},
    {.join = with_others, .step = await_next},
    {.join = mixed, .step = await_next},
    {.join = shielded, .step = await_next},
    {.join = itself, .step = await_in_scope},
};
enum { n_kinds = sizeof kinds / sizeof kinds[0] };

static struct chain make_chain(const struct chain *kind) {
    struct chain c = *kind;
    c.end = plain();
    aloop_future *next = aloop_ref(c.end);
    for (int i = 0; i < length; i++) {
        c.outermost = calloc(1, sizeof *c.outermost);
        c.outermost->next = i > 0 ? c.join(next) : next;
        next = c.first = aloop_create_stackless_task(c.step, c.outermost, free_member);
    }
    let_run(3);
    return c;
}

static int64_t cancel_chains(void *unused, void **value) {
    (void)unused, (void)value;
    for (int i = 0; i < n_kinds; i++) {
        struct chain c = make_chain(&kinds[i]);
        assert_code(aloop_task_cancel(c.first, "far away"), 1);
        assert_code(aloop_task_cancelling(c.first), 1);
        assert_code(aloop_future_cancelled(c.end), c.join != shielded);
        assert_code(aloop_await(c.first, NULL), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "far away");
        if (c.join == shielded) assert_code(aloop_future_set_result(c.end, 0, NULL, NULL), 0);
        aloop_unref(c.end);
        aloop_await(aloop_sleep(1), NULL); /* the rest ends */
    }
    return 0;
}

static int64_t cancel_a_scope(void *unused, void **value) {
    (void)unused, (void)value;
    struct chain c = make_chain(&kinds[n_kinds - 1]);
    assert_code(aloop_cancel_scope_cancel(c.outermost->scope), 1);
    assert_code(aloop_task_cancelling(c.first), 0);
    assert_code(aloop_future_cancelled(c.end), 1);
    assert_code(aloop_await(c.first, NULL), 0); /* caught, where the scope is */
    aloop_unref(c.end);
    return 0;
}

static int64_t end_chains(void *unused, void **value) {
    (void)unused, (void)value;
    for (int i = 0; i < n_kinds; i++) {
        if (kinds[i].join == with_others || kinds[i].join == mixed) continue; /* do not end */
        for (int fails = 0; fails < 2; fails++) {
            struct chain c = make_chain(&kinds[i]);
            if (fails) {
                assert_code(aloop_future_set_error_code(c.end, -5), 0);
            } else {
                assert_code(aloop_future_set_result(c.end, 1, NULL, NULL), 0);
            }
            aloop_unref(c.end);
            assert_code(aloop_await(c.first, NULL), fails ? -5 : 1);
        }
    }
    return 0;
}

static int64_t leave_a_chain(void *kind, void **value) {
    (void)value;
    struct chain c = make_chain(kind);
    aloop_unref(c.first);
    aloop_unref(c.end);
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        in_task(name);                      \
    }
TASK_CASE(cancel_chains)
TASK_CASE(cancel_a_scope)
TASK_CASE(end_chains)

/* Nobody has it any more, and the loop ends. */
static void test_loops_close_over_chains(void **state) {
    (void)state;
    for (int i = 0; i < n_kinds; i++) {
        struct chain kind = kinds[i];
        struct reports reports;
        aloop_loop *loop = virtual_loop();
        capture_reports(loop, &reports);
        assert_code(run_on(loop, leave_a_chain, &kind), 0);
        close_loop(loop);
        assert_true(reports.count >= length); /* each was still pending */
    }
}

/* Circles --------------------------------------------------------------------------------- */

static aloop_future *met; /* what the tasks of a circle await */
static int late;          /* by how many iterations */

static int64_t await_met(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_ref(met), NULL);
}

static int64_t await_later(void *unused, void **value) {
    let_run(late);
    return await_met(unused, value);
}

static int64_t await_gathered(void *with, void **value) {
    (void)value;
    let_run(late);
    aloop_future *both[] = {aloop_ref(met), aloop_ref(with)};
    return aloop_await(aloop_gather(both, 2, ALOOP_RETURN_EXCEPTIONS), NULL);
}

/* `round` awaits `met`, in one of two ways, and `met` awaits round: an operation that
 * round, `beside` or a task of its own drives. Who is cancelled does not matter, all end. */
static int64_t cancel_circles(void *unused, void **value) {
    (void)unused, (void)value;
    for (int way = 0; way < 2 * 3 * 3; way++) {
        aloop_future *other = plain();
        late = way / 2 % 3 == 1;
        aloop_task *round = aloop_create_task(way % 2 == 0 ? await_later : await_gathered, other);
        met = aloop_wait_for(aloop_ref(round), INFINITY);
        if (way / 2 % 3 == 2) {
            assert_code(aloop_future_add_done_callback(met, ignore, NULL, NULL), 0);
        }
        aloop_task *beside = aloop_create_task(await_met, NULL);
        let_run(5);
        aloop_future *victims[] = {round, beside, met};
        assert_code(aloop_future_cancel(victims[way / 6], "round"), 1);
        assert_code(aloop_await(round, NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(beside, NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(aloop_ref(met), NULL), ALOOP_ECANCELED);
        aloop_unref(met);
        aloop_unref(other);
    }
    return 0;
}

/* A gather of a gather of a task that awaits the outer one, beside one that does not end. */
static int64_t cancel_nested_gathers(void *unused, void **value) {
    (void)unused, (void)value;
    for (int victim = 0; victim < 3; victim++) {
        aloop_future *other = plain();
        aloop_task *round = aloop_create_task(await_met, NULL);
        aloop_future *inner = ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_ref(round));
        met = ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_ref(inner), aloop_ref(other));
        let_run(2);
        aloop_future *victims[] = {round, inner, met};
        assert_code(aloop_future_cancel(victims[victim], "round"), 1);
        assert_code(aloop_await(round, NULL), ALOOP_ECANCELED);
        aloop_await(aloop_ref(inner), NULL);
        assert_code(aloop_future_done(inner), 1);
        aloop_await(aloop_ref(met), NULL);
        assert_code(aloop_future_done(met), 1);
        assert_code(aloop_future_cancelled(other), 1);
        aloop_unref(met);
        aloop_unref(inner);
        aloop_unref(other);
    }
    return 0;
}

TASK_CASE(cancel_circles)
TASK_CASE(cancel_nested_gathers)

/* Forks ----------------------------------------------------------------------------------- */

/* In each layer two tasks that await the gather of the two below. */
static aloop_task *fork_and_join(aloop_task **tasks, int layers) {
    aloop_future *below = NULL;
    for (int i = 0; i < layers; i++) {
        for (int k = 0; k < 2; k++) {
            struct member *m = calloc(1, sizeof *m);
            m->next = i == 0 ? aloop_sleep(INFINITY) : aloop_ref(below);
            tasks[2 * i + k] = aloop_create_stackless_task(await_next, m, free_member);
        }
        aloop_unref(below);
        below = ALOOP_GATHER(0, aloop_ref(tasks[2 * i]), aloop_ref(tasks[2 * i + 1]));
    }
    struct member *m = calloc(1, sizeof *m);
    m->next = below;
    return aloop_create_stackless_task(await_next, m, free_member);
}

/* As in asyncio whoever can be reached in several ways is asked as often; but a walk
 * ends, where asyncio's would last as long as there are ways: 2^60. */
static int64_t cancel_forks(void *unused, void **value) {
    (void)unused, (void)value;
    enum { few = 8, many = 60 };
    for (int layers = few; layers <= many; layers += many - few) {
        aloop_task *tasks[2 * many];
        aloop_task *top = fork_and_join(tasks, layers);
        let_run(2);
        assert_code(aloop_task_cancel(top, NULL), 1);
        for (int i = 0; i < 2 * layers; i++) {
            const int64_t asked = aloop_task_cancelling(tasks[i]);
            if (layers == few) assert_int_equal(asked, 1 << (few - 1 - i / 2));
            assert_true(asked >= 1);
        }
        assert_code(aloop_await(top, NULL), ALOOP_ECANCELED);
        aloop_await(aloop_sleep(1), NULL);
        for (int i = 0; i < 2 * layers; i++) {
            assert_code(aloop_future_cancelled(tasks[i]), 1);
            aloop_unref(tasks[i]);
        }
    }
    return 0;
}

TASK_CASE(cancel_forks)

SUITE(CASE(test_cancel_chains), CASE(test_cancel_a_scope), CASE(test_end_chains),
      CASE(test_loops_close_over_chains), CASE(test_cancel_circles),
      CASE(test_cancel_nested_gathers), CASE(test_cancel_forks))
