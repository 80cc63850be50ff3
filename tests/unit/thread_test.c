/*
 * What other threads may do to a loop and its objects, and a fork.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_for(long nanoseconds) {
    const struct timespec pause = {0, nanoseconds};
    nanosleep(&pause, NULL);
}

/* Posting from other threads ---------------------------------------------------------------------
 */

enum { posters = 4, posts = 5000 };

struct poster {
    aloop_loop *loop;
    int next[posters]; /* that each thread is to post; on the loop's thread */
    int freed;
    int left;
};

struct post {
    struct poster *to;
    int thread;
    int number;
};

static int64_t receive(void *data) {
    struct post *p = data;
    assert_int_equal(p->to->next[p->thread], p->number);
    p->to->next[p->thread]++;
    if (--p->to->left == 0) return aloop_loop_stop(p->to->loop);
    return 0;
}

static void free_post(void *data) {
    struct post *p = data;
    p->to->freed++;
    free(p);
}

struct poster_thread {
    struct poster *to;
    int number;
};

static void *post_all(void *data) {
    struct poster_thread *self = data;
    for (int i = 0; i < posts; i++) {
        struct post *p = malloc(sizeof *p);
        *p = (struct post){self->to, self->number, i};
        if (aloop_loop_call_soon_threadsafe(self->to->loop, receive, p, free_post) <= 0) abort();
        if (i % 100 == 0) {
            pause_for(50000); /* so that the loop sleeps at times */
        }
    }
    return NULL;
}

static void test_posts_arrive_once_and_in_order(void **state) {
    (void)state;
    struct poster to = {.loop = real_loop(), .left = posters * posts};
    pthread_t threads[posters];
    struct poster_thread selves[posters];
    for (int i = 0; i < posters; i++) {
        selves[i] = (struct poster_thread){&to, i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &selves[i]), 0);
    }
    assert_code(aloop_loop_run_forever(to.loop), 0);
    for (int i = 0; i < posters; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(to.next[i], posts);
    }
    assert_int_equal(to.freed, posters * posts);
    close_loop(to.loop);
}

static void *stop_soon(void *loop) {
    pause_for(5000000);
    if (aloop_loop_stop(loop) != 0) abort();
    return NULL;
}

static void test_stop_from_another_thread_wakes(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, loop), 0);
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_loop(loop);
}

static void *post_until_closed(void *data) {
    struct poster *to = data;
    for (;;) {
        const int64_t id =
            aloop_loop_call_soon_threadsafe(to->loop, count_call, &to->left, count_free);
        if (id == ALOOP_ESTALE) break;
        if (id <= 0) abort();
    }
    return NULL;
}

static void test_posting_races_with_the_close(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct poster to = {.loop = real_loop()};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, post_until_closed, &to), 0);
        for (int i = 0; i < round; i++) assert_true(aloop_loop_run_once(to.loop, 0) >= 0);
        assert_code(aloop_loop_close(to.loop), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        aloop_loop_unref(to.loop);
    }
}

/* References from other threads
 * -------------------------------------------------------------------- */

static void *drop_later(void *future) {
    pause_for(3000000);
    aloop_unref(future);
    return NULL;
}

/* A finished future whose value counts its destruction. */
static aloop_future *counted(aloop_loop *loop, int *freed) {
    aloop_future *future = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_result(future, 0, freed, count_free), 0);
    return future;
}

static void test_a_drop_reaches_a_sleeping_loop(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = real_loop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drop_later, counted(loop, &freed)), 0);
    /* No timer: what ends the sleep is the drop. */
    while (freed == 0) assert_true(aloop_loop_run_once(loop, -1) >= 0);
    assert_int_equal(freed, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_loop(loop);
}

static void test_a_drop_after_the_close_frees_on_its_thread(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = real_loop();
    aloop_future *future = counted(loop, &freed);
    close_loop(loop);
    assert_int_equal(freed, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drop_later, future), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(freed, 1);
}

static void test_objects_outlive_the_loop(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = real_loop();
    aloop_future *future = counted(loop, &freed);
    aloop_future *pending = aloop_loop_create_future(loop);
    aloop_loop_unref(loop);                            /* the last reference: it closes */
    assert_code(aloop_future_result(future, NULL), 0); /* outcomes stay readable */
    assert_code(aloop_future_done(pending), 0);
    assert_code(aloop_future_cancel(pending, NULL), ALOOP_ESTALE);
    assert_code(aloop_future_set_result(pending, 0, NULL, NULL), ALOOP_ESTALE);
    assert_ptr_equal(aloop_ref(future), future);
    aloop_unref(future);
    assert_int_equal(freed, 0);
    aloop_unref(future);
    assert_int_equal(freed, 1);
    aloop_unref(pending);
}

static int64_t take_and_drop(void *future) {
    aloop_unref(aloop_ref(future));
    return 0;
}

/* The object waits for the loop to look at another thread's drop when the
 * last reference goes, in a destructor that the close runs. */
static void test_a_drop_during_the_close(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = real_loop();
    aloop_future *future = counted(loop, &freed);
    on_foreign_thread(take_and_drop, future);
    assert_true(aloop_loop_call_soon_threadsafe(loop, count_call, future, aloop_unref) > 0);
    close_loop(loop);
    assert_int_equal(freed, 1);
}

enum { shared_objects = 200 };

struct sharing {
    aloop_future *objects[shared_objects];
    int freed[shared_objects];
};

/* What a finalizer thread does: takes and drops, in its own time. */
static void *use_and_drop(void *data) {
    struct sharing *s = data;
    for (int i = 0; i < shared_objects; i++) {
        for (int k = 0; k < 10; k++) aloop_unref(aloop_ref(s->objects[i]));
        aloop_unref(s->objects[i]);
    }
    return NULL;
}

/* Three threads and the loop's own share each object; the loop closes in the
 * middle of it at another moment in each round. */
static void test_drops_race_with_the_close(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        aloop_loop *loop = real_loop();
        struct sharing s = {.freed = {0}};
        for (int i = 0; i < shared_objects; i++) {
            s.objects[i] = counted(loop, &s.freed[i]);
            for (int k = 0; k < 2; k++) aloop_ref(s.objects[i]);
            /* The third thread's; in some rounds the loop itself keeps none. */
            if (round % 2 == 0) aloop_ref(s.objects[i]);
        }
        pthread_t threads[3];
        for (int k = 0; k < 3; k++) {
            assert_int_equal(pthread_create(&threads[k], NULL, use_and_drop, &s), 0);
        }
        if (round % 2 == 0) {
            for (int i = 0; i < shared_objects; i++) aloop_unref(s.objects[i]);
        }
        for (int i = 0; i < round / 4; i++) assert_true(aloop_loop_run_once(loop, 0) >= 0);
        assert_code(aloop_loop_close(loop), 0);
        for (int k = 0; k < 3; k++) assert_int_equal(pthread_join(threads[k], NULL), 0);
        aloop_loop_unref(loop);
        for (int i = 0; i < shared_objects; i++) assert_int_equal(s.freed[i], 1);
    }
}

/* Tasks of several loops
 * ----------------------------------------------------------------------------------------- */

enum { tasks_each = 100 };

static int64_t list_from_outside(void *loop) {
    return aloop_all_tasks(loop) == NULL && aloop_current_task(loop) == NULL ? 1 : 0;
}

static int64_t count_own_tasks(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_task_group *group = NULL;
    if (aloop_task_group_enter(&group) < 0) abort();
    for (int i = 0; i < tasks_each; i++) {
        if (aloop_task_group_spawn(group, sleep_for_ever, NULL) < 0) abort();
    }
    aloop_results *all = aloop_all_tasks(loop);
    if (aloop_results_count(all) != tasks_each + 1) abort();
    for (int i = 0; i <= tasks_each; i++) {
        aloop_future *task = aloop_results_future(all, i);
        if (aloop_future_loop(task) != loop || aloop_future_done(task) != 0) abort();
    }
    aloop_unref(all);
    if (on_foreign_thread(list_from_outside, loop) != 1) abort();
    if (aloop_task_group_cancel(group) < 0) abort();
    return aloop_task_group_exit(group, 0);
}

static void *run_own_loop(void *status) {
    *(int64_t *)status = aloop_run(count_own_tasks, NULL, NULL);
    return NULL;
}

/* Each thread sees the tasks of its loop, and no other thread may list them. */
static void test_each_thread_has_its_tasks(void **state) {
    (void)state;
    enum { n = 6 };
    pthread_t threads[n];
    int64_t status[n];
    for (int i = 0; i < n; i++) {
        status[i] = -1;
        assert_int_equal(pthread_create(&threads[i], NULL, run_own_loop, &status[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_code(status[i], 0);
    }
}

/* Fork
 * --------------------------------------------------------------------------------------------- */

static int in_child(aloop_loop *loop) {
    int unused = 0;
    if (aloop_loop_call_soon(loop, count_call, &unused, NULL) != ALOOP_ECHILD) return 1;
    if (aloop_loop_run_once(loop, 0) != ALOOP_ECHILD) return 2;
    if (aloop_loop_run_forever(loop) != ALOOP_ECHILD) return 3;
    if (aloop_loop_stop(loop) != ALOOP_ECHILD) return 4;
    if (aloop_loop_close(loop) != ALOOP_ECHILD) return 5;
    if (aloop_loop_after_fork(loop) != 0) return 6;
    if (aloop_loop_run_once(loop, 0) != 0) return 7;
    if (aloop_loop_call_later(loop, 0.001, count_call, &unused, NULL) <= 0) return 8;
    if (aloop_loop_run_once(loop, 1) != 1 || unused != 1) return 9;
    int64_t answer = 5;
    if (run_on(loop, return_status, &answer) != 5) return 10;
    if (aloop_loop_close(loop) != 0) return 11;
    return 0;
}

static void test_a_forked_child_renews_the_loop(void **state) {
    (void)state;
    int ran = 0;
    aloop_loop *loop = real_loop();
    struct reports reports;
    capture_reports(loop, &reports);
    assert_true(aloop_loop_call_soon(loop, count_call, &ran, NULL) > 0);
    aloop_unref(aloop_loop_create_task(loop, sleep_for_ever, NULL));
    const pid_t child = fork();
    if (child == 0) _exit(in_child(loop));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 2);
    assert_int_equal(ran, 1);
    assert_code(aloop_loop_after_fork(loop), 0);
    close_loop(loop);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "Task was destroyed but it is pending!");
}

SUITE(CASE(test_posts_arrive_once_and_in_order), CASE(test_stop_from_another_thread_wakes),
      CASE(test_posting_races_with_the_close), CASE(test_a_drop_reaches_a_sleeping_loop),
      CASE(test_a_drop_after_the_close_frees_on_its_thread), CASE(test_objects_outlive_the_loop),
      CASE(test_a_drop_during_the_close), CASE(test_drops_race_with_the_close),
      CASE(test_each_thread_has_its_tasks),
      CASE(test_a_forked_child_renews_the_loop))
