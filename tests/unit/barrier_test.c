/*
 * sync.h: barriers.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

/* Barrier: 1.8, sixth statement -------------------------------------------------------------- */

static int64_t barrier_numbers_by_arrival(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    assert_code(aloop_barrier_parties(barrier), 3);
    begin_trace();
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    let_run(1);
    assert_code(aloop_barrier_n_waiting(barrier), 2);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2); /* the last goes on first */
    note("main");
    assert_code(aloop_barrier_n_waiting(barrier), 0); /* draining */
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 1);
    assert_trace("main@1 a:0@2 b:1@2 ");
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_unref(barrier);
    return 0;
}

/* Nobody waits: a reset changes nothing; an abort lasts until the next reset. */
static int64_t barrier_changed_while_empty(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(2);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    assert_code(aloop_await(aloop_barrier_abort(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 1);
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    note("main");
    assert_trace("main@0 ");
    aloop_unref(barrier);
    return 0;
}

/* asyncio's test_barrier: the barrier itself cannot be awaited, and does not notice. */
static int64_t barrier_is_no_awaitable(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(2);
    assert_code(aloop_await((aloop_future *)barrier, NULL), ALOOP_EINVAL);
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    struct actor a = {"a", barrier, 1};
    aloop_task *task = go(barrier_waiter, &a);
    let_run(1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 1);
    assert_code(ended(task), 0);
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_of_one(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(1);
    begin_trace();
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 0);
        assert_code(aloop_barrier_n_waiting(barrier), 0);
        assert_code(aloop_barrier_broken(barrier), 0);
    }
    note("main");
    assert_trace("main@0 ");
    aloop_unref(barrier);
    return 0;
}

/* Newcomers wait while it drains; each round has its own indices. */
static int64_t barrier_blocks_while_draining(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(2);
    begin_trace();
    struct actor a = {"a", barrier, 2}, b = {"b", barrier, 2};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 1);
    assert_trace("b:1@1 a:0@2 b:1@3 a:0@4 ");
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_reset(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1}, c = {"c", barrier, 1};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0);
    note("reset");
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_task *late = go(barrier_waiter, &c); /* waits for the reset to be over */
    assert_code(ended(tasks[0]), ALOOP_EBROKENBARRIER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Abort or reset of barrier");
    assert_code(ended(tasks[1]), ALOOP_EBROKENBARRIER);
    let_run(3);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    assert_trace("reset@0 a:EBROKENBARRIER@1 b:EBROKENBARRIER@1 ");
    struct actor d = {"d", barrier, 1};
    aloop_task *again = go(barrier_waiter, &d);
    let_run(1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2);
    assert_code(ended(late), 0);
    assert_code(ended(again), 1);
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0); /* with nobody inside */
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_abort(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1};
    aloop_task *task = go(barrier_waiter, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_abort(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), ALOOP_EBROKENBARRIER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Barrier aborted");
    note("main");
    assert_code(ended(task), ALOOP_EBROKENBARRIER);
    assert_trace("main@0 a:EBROKENBARRIER@1 ");
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    a.n = 1;
    task = go(barrier_waiter, &a);
    assert_code(aloop_task_cancel(task, NULL), 1); /* before it began */
    assert_code(ended(task), ALOOP_ECANCELED);
    aloop_unref(barrier);
    return 0;
}

/* A cancelled waiter leaves, and the barrier is whole. */
static int64_t barrier_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1}, c = {"c", barrier, 1};
    aloop_task *first = go(barrier_waiter, &a), *second = go(barrier_waiter, &b);
    let_run(1);
    begin_trace();
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_task *third = go(barrier_waiter, &c);
    let_run(1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2);
    /* b holds index 1 and c took 1 as well: what asyncio does, too. */
    assert_code(ended(second), 1);
    assert_code(ended(third), 1);
    assert_trace("a:ECANCELED@1 b:1@4 c:1@4 ");
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_unref(barrier);
    return 0;
}

static void test_barrier(void **state) {
    (void)state;
    in_task(barrier_numbers_by_arrival);
    in_task(barrier_is_no_awaitable);
    in_task(barrier_of_one);
    in_task(barrier_changed_while_empty);
    in_task(barrier_blocks_while_draining);
    in_task(barrier_reset);
    in_task(barrier_abort);
    in_task(barrier_waiter_cancelled);
}

/* CPython's own programs for barriers (test_locks.py): five tasks that meet ------------------- */

enum { N = 5 };

static aloop_barrier *meeting, *second;
static int64_t count, results1, results2, results3, state;

static int64_t meet(aloop_barrier *barrier) {
    return aloop_await(aloop_barrier_wait(barrier), NULL);
}

static int64_t reset(aloop_barrier *barrier) {
    return aloop_await(aloop_barrier_reset(barrier), NULL);
}

/* Runs n tasks of fn to their end; those of asyncio's would raise. */
static void gather(aloop_coro_fn fn, int n) {
    aloop_task *tasks[N];
    for (int i = 0; i < n; i++) tasks[i] = aloop_create_task(fn, NULL);
    for (int i = 0; i < n; i++) assert_true(ended(tasks[i]) >= 0);
}

static int64_t begin_program(void) {
    count = results1 = results2 = results3 = state = 0;
    meeting = new_barrier(N);
    second = NULL;
    return 0;
}

static int64_t end_program(int64_t broken) {
    assert_code(aloop_barrier_n_waiting(meeting), 0);
    assert_code(aloop_barrier_broken(meeting), broken);
    aloop_unref(meeting);
    aloop_unref(second);
    return 0;
}

static int64_t meets_once(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t index = meet(meeting);
    results1 |= 1 << index; /* each index once */
    results2 += aloop_barrier_n_waiting(meeting);
    return index;
}

static int64_t barrier_filled_task_by_task(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    aloop_task *tasks[N];
    for (int i = 0; i < N; i++) {
        assert_code(aloop_barrier_n_waiting(meeting), i);
        tasks[i] = aloop_create_task(meets_once, NULL);
        let_run(1);
    }
    for (int i = 0; i < N; i++) assert_code(ended(tasks[i]), i);
    assert_int_equal(results1, (1 << N) - 1);
    assert_int_equal(results2, 0); /* draining is not waiting */
    return end_program(0);
}

static int64_t meets_twice(void *arg, void **value) {
    (void)arg, (void)value;
    assert_true(meet(meeting) >= 0);
    results1++;
    assert_int_equal(results2, 0);
    const int64_t index = meet(meeting);
    assert_int_equal(results1, N); /* all of the first round before one of the second */
    results2++;
    results3 |= 1 << index;
    return index;
}

static int64_t barrier_met_twice(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    gather(meets_twice, N);
    assert_int_equal(results2, N);
    assert_int_equal(results3, (1 << N) - 1); /* each index once */
    return end_program(0);
}

/* Who leaves looks whether the barrier is being left: a newcomer stands outside. */
static int64_t leaves_looking(void *arg, void **value) {
    (void)arg, (void)value;
    assert_true(meet(meeting) >= 0);
    results1 = results1 * 10 +
               aloop_barrier_statistic(meeting, ALOOP_BARRIER_STAT_WAITING_OUTSIDE);
    return 0;
}

static int64_t barrier_left_by_each(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    aloop_task *tasks[N];
    for (int i = 0; i < N; i++) tasks[i] = aloop_create_task(leaves_looking, NULL);
    struct actor late = {"late", meeting, 1};
    aloop_task *newcomer = go(barrier_waiter, &late);
    for (int i = 0; i < N; i++) assert_code(ended(tasks[i]), 0);
    /* The first left before there was a newcomer; the last one ended it. */
    assert_int_equal(results1, 1110);
    let_run(1);
    assert_code(aloop_barrier_n_waiting(meeting), 1); /* it is in by now */
    cancel(newcomer);
    assert_code(ended(newcomer), ALOOP_ECANCELED);
    return end_program(0);
}

static int64_t meets_again_while_draining(void *arg, void **value) {
    (void)arg, (void)value;
    assert_true(meet(meeting) >= 0);
    if (state < 2) {
        state++;
        return meet(meeting);
    }
    assert_true(meet(second) >= 0);
    results1++;
    return meet(meeting);
}

static int64_t barrier_blocks_newcomers(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    second = new_barrier(N - 2);
    gather(meets_again_while_draining, N);
    assert_int_equal(results1, N - 2);
    return end_program(0);
}

static int64_t counts_broken(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t status = meet(meeting);
    results1 += status == ALOOP_EBROKENBARRIER;
    if (status >= 0 && ++count == N - N / 2) return reset(meeting); /* N / 2 are still inside */
    return 0;
}

static int64_t barrier_reset_half_drained(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    gather(counts_broken, N);
    assert_int_equal(results1, N / 2);
    return end_program(0);
}

static int64_t resets_among_blocked(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t status = meet(meeting);
    if (status == ALOOP_EBROKENBARRIER) {
        results1++;
        return meet(meeting);
    }
    if (++count > N / 2) {
        assert_code(reset(meeting), 0);
        return meet(meeting);
    }
    status = meet(meeting);
    results2 += status == ALOOP_EBROKENBARRIER;
    return 0;
}

static int64_t barrier_reset_half_blocked(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    gather(resets_among_blocked, N);
    assert_int_equal(results1, N / 2);
    assert_int_equal(results2, 0);
    return end_program(0);
}

static int64_t meets_after_broken(void *arg, void **value) {
    (void)arg, (void)value;
    results1 += meet(meeting) == ALOOP_EBROKENBARRIER;
    const int64_t status = meet(meeting);
    results2++;
    return status;
}

static int64_t resets_it(void *arg, void **value) {
    (void)arg, (void)value;
    return reset(meeting);
}

static int64_t barrier_reset_and_waited_again(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    aloop_task *tasks[N];
    for (int i = 0; i < N - 1; i++) tasks[i] = aloop_create_task(meets_after_broken, NULL);
    tasks[N - 1] = aloop_create_task(resets_it, NULL);
    let_run(1);
    assert_true(meet(meeting) >= 0);
    for (int i = 0; i < N; i++) assert_true(ended(tasks[i]) >= 0);
    assert_int_equal(results1, N - 1);
    assert_int_equal(results2, N - 1);
    return end_program(0);
}

static int64_t resets_when_drained(void *arg, void **value) {
    (void)arg, (void)value;
    assert_true(meet(meeting) >= 0);
    if (++count == N) {
        assert_code(reset(meeting), 0);
        assert_true(meet(meeting) >= 0);
    } else if (meet(meeting) >= 0) {
        results1++;
    } else {
        results2++;
    }
    const int64_t status = meet(meeting);
    results3++;
    return status;
}

static int64_t barrier_reset_after_draining(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    gather(resets_when_drained, N);
    assert_int_equal(results1, N - 1);
    assert_int_equal(results2, 0);
    assert_int_equal(results3, N);
    return end_program(0);
}

static int64_t aborts_among_blocked(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t status = meet(meeting);
    if (status == ALOOP_EBROKENBARRIER) {
        results1++;
    } else if (++count > N / 2) {
        return aloop_await(aloop_barrier_abort(meeting), NULL);
    } else {
        status = meet(meeting);
        results2 += status == ALOOP_EBROKENBARRIER;
    }
    return 0;
}

static int64_t barrier_abort_half_blocked(void *arg, void **value) {
    (void)arg, (void)value;
    begin_program();
    gather(aborts_among_blocked, N);
    assert_int_equal(results1, N / 2);
    assert_int_equal(results2, N - N / 2 - 1);
    return end_program(1);
}

static int64_t one_gives_up(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t index = meet(meeting);
    if (index == N / 2) {
        assert_code(aloop_await(aloop_barrier_abort(meeting), NULL), 0);
    } else if (index < 0 || meet(meeting) < 0) {
        results2++;
    } else {
        results1++;
    }
    if (second == NULL) return 0;
    /* Meet elsewhere, mend the barrier, and go on with it. */
    if (meet(second) == N / 2) assert_code(reset(meeting), 0);
    assert_true(meet(second) >= 0);
    assert_true(meet(meeting) >= 0);
    results3++;
    return 0;
}

static int64_t barrier_abort_by_one_who_gives_up(void *arg, void **value) {
    (void)arg, (void)value;
    for (int mended = 0; mended < 2; mended++) {
        begin_program();
        if (mended) second = new_barrier(N);
        gather(one_gives_up, N);
        assert_int_equal(results1, 0);
        assert_int_equal(results2, N - 1);
        assert_int_equal(results3, mended ? N : 0);
        end_program(!mended);
    }
    return 0;
}

static void test_cpythons_programs(void **unused) {
    (void)unused;
    in_task(barrier_filled_task_by_task);
    in_task(barrier_met_twice);
    in_task(barrier_left_by_each);
    in_task(barrier_blocks_newcomers);
    in_task(barrier_reset_half_drained);
    in_task(barrier_reset_half_blocked);
    in_task(barrier_reset_and_waited_again);
    in_task(barrier_reset_after_draining);
    in_task(barrier_abort_half_blocked);
    in_task(barrier_abort_by_one_who_gives_up);
}

/* Loops and threads --------------------------------------------------------------------------- */

static int64_t waits_a_while(void *barrier, void **value) {
    (void)value;
    return aloop_await(aloop_wait_for(aloop_barrier_wait(barrier), 0.5), NULL);
}

static int64_t resets_and_aborts(void *barrier, void **value) {
    (void)value;
    const int64_t status = reset(barrier);
    assert_code(aloop_await(aloop_barrier_abort(barrier), NULL), status);
    return status;
}

static int64_t mends_it(void *barrier, void **value) {
    (void)value;
    return reset(barrier);
}

static int64_t waits_on_a_thread(void *barrier) {
    return run_virtual(waits_a_while, barrier, NULL);
}

static int64_t changes_on_a_thread(void *barrier) {
    return run_virtual(resets_and_aborts, barrier, NULL);
}

static int64_t asks_on_a_thread(void *barrier) {
    assert_code(aloop_barrier_parties(barrier), 2); /* never changes */
    assert_code(aloop_barrier_broken(barrier), ALOOP_EWRONGTHREAD);
    assert_code(aloop_barrier_statistic(barrier, 0), ALOOP_EWRONGTHREAD);
    return aloop_barrier_n_waiting(barrier);
}

static int64_t leaves_a_waiter(void *waiter, void **value) {
    (void)value;
    aloop_unref(go(barrier_waiter, waiter));
    let_run(1);
    return aloop_barrier_n_waiting(((struct actor *)waiter)->on);
}

/* The first loop whose task waits has it for good; nobody else gets in. */
static void test_belongs_to_one_loop(void **unused) {
    (void)unused;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct reports reports;
    capture_reports(one, &reports);
    aloop_barrier *barrier = new_barrier(2);
    assert_code(run_on(two, resets_and_aborts, barrier), 0); /* no blocking, no binding */
    assert_code(run_on(one, mends_it, barrier), 0);
    assert_code(run_on(one, waits_a_while, barrier), ALOOP_ETIMEDOUT);
    struct actor waiter = {"left behind", barrier, 1};
    assert_code(run_on(one, leaves_a_waiter, &waiter), 1);
    assert_code(on_foreign_thread(asks_on_a_thread, barrier), ALOOP_EWRONGTHREAD);
    assert_code(on_foreign_thread(waits_on_a_thread, barrier), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(changes_on_a_thread, barrier), ALOOP_EWRONGLOOP);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    close_loop(one); /* and whoever waits there leaves */
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    assert_code(run_on(two, waits_a_while, barrier), ALOOP_EWRONGLOOP);
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    close_loop(two);
    aloop_unref(barrier);
}

static int64_t enters_and_ends(aloop_task *task, void *barrier, void **value) {
    (void)value;
    aloop_suspend(task, aloop_barrier_wait(barrier));
    return 0; /* where ALOOP_PENDING should be: the wait is dropped */
}

/* A wait that is dropped leaves, and lets in those who wait for that. */
static int64_t barrier_wait_dropped(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(2);
    aloop_task *dropped = aloop_create_stackless_task(enters_and_ends, barrier, NULL);
    assert_code(ended(dropped), 0);
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    struct actor a = {"a", barrier, 1};
    aloop_task *task = go(barrier_waiter, &a);
    let_run(1);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    assert_code(meet(barrier), 1);
    assert_code(ended(task), 0);
    aloop_unref(barrier);
    return 0;
}

static void test_dropped(void **unused) {
    (void)unused;
    in_task(barrier_wait_dropped);
}

SUITE(CASE(test_barrier), CASE(test_cpythons_programs), CASE(test_belongs_to_one_loop),
      CASE(test_dropped))
