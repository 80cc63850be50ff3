/*
 * loop.h: what becomes of the memory of callbacks that other threads post, and that
 * each of them comes once whatever threads and loops end meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the library has of the heap. */
static int64_t blocks;

static void *counting_malloc(size_t size) {
    __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    return malloc(size);
}

static void *counting_realloc(void *block, size_t size) {
    if (block == NULL) return counting_malloc(size);
    return realloc(block, size);
}

static void counting_free(void *block) {
    if (block != NULL) __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
    free(block);
}

static int64_t blocks_now(void) { return __atomic_load_n(&blocks, __ATOMIC_RELAXED); }

/* Counts in an int of its own how often it ran, and how often it was dropped. */
struct told {
    int ran;
    int freed;
};

static int64_t run(void *told) {
    __atomic_add_fetch(&((struct told *)told)->ran, 1, __ATOMIC_RELAXED);
    return 0;
}

static void drop(void *told) {
    __atomic_add_fetch(&((struct told *)told)->freed, 1, __ATOMIC_RELAXED);
}

struct posting {
    aloop_loop *to;
    int64_t times;
    struct told told;
};

static void *post_all(void *data) {
    struct posting *p = data;
    for (int64_t i = 0; i < p->times; i++) {
        if (aloop_loop_call_soon_threadsafe(p->to, run, &p->told, drop) <= 0) abort();
    }
    return NULL;
}

static void on_a_thread(void *(*fn)(void *), void *data) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, data), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void run_until(aloop_loop *loop, const int *count, int64_t wanted) {
    while (__atomic_load_n(count, __ATOMIC_RELAXED) < wanted) {
        assert_true(aloop_loop_run_once(loop, 0) >= 0);
    }
}

static void test_a_burst_is_not_kept(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    aloop_loop *loop = real_loop();
    struct posting one = {loop, 1, {0, 0}}, burst = {loop, 300000, {0, 0}};
    on_a_thread(post_all, &one);
    run_until(loop, &one.told.freed, 1);
    const int64_t before = blocks_now();
    on_a_thread(post_all, &burst);
    assert_true(blocks_now() - before > 4000);
    run_until(loop, &burst.told.freed, burst.times);
    assert_int_equal(burst.told.ran, burst.times);
    assert_true(blocks_now() - before < 100);
    close_loop(loop);
    assert_int_equal(blocks_now(), at_first);
}

/* A loop that another thread runs. */
struct host {
    aloop_loop *loop;
    pthread_t thread;
};

static void *run_loop(void *loop) {
    if (aloop_loop_run_forever(loop) != 0) abort();
    return NULL;
}

static int64_t stop(void *loop) { return aloop_loop_stop(loop); }

static void start_host(struct host *h) {
    h->loop = real_loop();
    assert_int_equal(pthread_create(&h->thread, NULL, run_loop, h->loop), 0);
}

static void end_host(struct host *h) {
    assert_true(aloop_loop_call_soon_threadsafe(h->loop, stop, h->loop, NULL) > 0);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    close_loop(h->loop);
}

enum { k_loops = 2, k_threads = 4, k_rounds = 3000, k_short = 40 };

static struct host hosts[k_loops];
static struct told told[k_loops];

/* To the loops in turn, so that the calls of a page go to both of them. */
static void *post_around(void *times) {
    for (int i = 0; i < *(int *)times; i++) {
        const int at = i % k_loops;
        if (aloop_loop_call_soon_threadsafe(hosts[at].loop, run, &told[at], drop) <= 0) abort();
    }
    return NULL;
}

static void *start_short_threads(void *unused) {
    static int times = 10;
    for (int i = 0; i < k_short; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, post_around, &times) != 0) abort();
        pthread_join(thread, NULL);
    }
    return unused;
}

static void test_threads_and_loops_share_pages(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    int times = k_rounds;
    pthread_t threads[k_threads];
    for (int i = 0; i < k_loops; i++) start_host(&hosts[i]);
    for (int i = 0; i < k_threads; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_around, &times), 0);
    }
    on_a_thread(start_short_threads, NULL);
    for (int i = 0; i < k_threads; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < k_loops; i++) end_host(&hosts[i]);
    for (int i = 0; i < k_loops; i++) {
        assert_int_equal(told[i].ran, (k_threads * k_rounds + k_short * 10) / k_loops);
        assert_int_equal(told[i].freed, told[i].ran);
    }
    /* This thread posted as well, and has the rest of a page. */
    assert_true(blocks_now() - at_first <= 1);
}

/* Cancelling ---------------------------------------------------------------------------- */

enum { k_posted = 200 }; /* more than a page */

struct cancelling {
    aloop_loop *loop, *other;
    struct told told;
    int wrong;
};

static void *cancel_every_other(void *data) {
    struct cancelling *c = data;
    aloop_handle ids[k_posted];
    for (int i = 0; i < k_posted; i++) {
        const int64_t id = aloop_loop_call_soon_threadsafe(c->loop, run, &c->told, drop);
        ids[i] = (aloop_handle)id;
        c->wrong += id <= 0;
    }
    for (int i = 0; i < k_posted; i += 2) {
        c->wrong += aloop_loop_cancel_handle(c->loop, ids[i]) != 0;
        c->wrong += aloop_loop_cancel_handle(c->loop, ids[i]) != ALOOP_ENOENT;
        c->wrong += aloop_loop_cancel_handle(c->other, ids[i + 1]) != ALOOP_ENOENT;
    }
    while (c->told.freed < k_posted) c->wrong += aloop_loop_run_once(c->loop, 0) < 0;
    for (int i = 0; i < k_posted; i++) {
        c->wrong += aloop_loop_cancel_handle(c->loop, ids[i]) != ALOOP_ENOENT;
    }
    c->wrong += aloop_loop_close(c->other) != 0;
    c->wrong += aloop_loop_close(c->loop) != 0;
    return NULL;
}

static void *make_loops_and_cancel(void *data) {
    struct cancelling *c = data;
    c->loop = real_loop();
    c->other = real_loop();
    cancel_every_other(c);
    aloop_loop_unref(c->loop);
    aloop_loop_unref(c->other);
    return NULL;
}

static void test_a_posted_call_is_cancelled_by_its_handle(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    struct cancelling c = {.wrong = 0};
    on_a_thread(make_loops_and_cancel, &c);
    assert_int_equal(c.wrong, 0);
    assert_int_equal(c.told.ran, k_posted / 2);
    assert_int_equal(c.told.freed, k_posted);
    assert_int_equal(blocks_now(), at_first);
}

/* Ends ---------------------------------------------------------------------------------- */

/* What is not run is dropped with the loop, though its page is a thread's still. */
static void *post_and_close(void *data) {
    struct posting *p = data;
    p->to = real_loop();
    post_all(p);
    if (aloop_loop_run_once(p->to, 0) < 0) abort();
    post_all(p);
    if (aloop_loop_close(p->to) != 0) abort();
    if (aloop_loop_call_soon_threadsafe(p->to, run, &p->told, drop) != ALOOP_ESTALE) abort();
    aloop_loop_unref(p->to);
    return NULL;
}

static void test_the_close_drops_what_was_posted(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    for (int64_t times = 1; times < 200; times += 31) {
        struct posting p = {.times = times};
        on_a_thread(post_and_close, &p);
        assert_int_equal(p.told.ran, times);
        assert_int_equal(p.told.freed, 2 * times);
        assert_int_equal(blocks_now(), at_first);
    }
}

static pthread_key_t key;

static void post_at_the_end(void *posting) { post_all(posting); }

static void *end_with_a_post(void *posting) {
    post_all(posting);
    pthread_setspecific(key, posting);
    return NULL;
}

/* From a thread that has given back what it had at hand. */
static void test_a_thread_posts_as_it_ends(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    aloop_loop *loop = real_loop();
    struct posting p = {loop, 5, {0, 0}};
    assert_int_equal(pthread_key_create(&key, post_at_the_end), 0);
    on_a_thread(end_with_a_post, &p);
    run_until(loop, &p.told.freed, 10);
    assert_int_equal(p.told.ran, 10);
    assert_int_equal(pthread_key_delete(key), 0);
    close_loop(loop);
    assert_int_equal(blocks_now(), at_first);
}

static int post_in_the_child(struct posting *p, aloop_loop *inherited) {
    aloop_loop *own = real_loop();
    if (aloop_loop_after_fork(inherited) != 0) return 1;
    aloop_loop *both[] = {inherited, own};
    for (int i = 0; i < 2; i++) {
        p->to = both[i];
        p->told = (struct told){0, 0};
        post_all(p);
        while (p->told.freed < p->times) {
            if (aloop_loop_run_once(both[i], 0) < 0) return 2;
        }
        if (p->told.ran != p->times || aloop_loop_close(both[i]) != 0) return 3;
        aloop_loop_unref(both[i]);
    }
    return 0;
}

/* The thread that forks has a page of which some calls are under way. */
static void *fork_with_calls_under_way(void *data) {
    struct posting *p = data;
    aloop_loop *loop = p->to;
    post_all(p);
    if (aloop_loop_run_once(loop, 0) < 0) abort();
    post_all(p);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        _exit(post_in_the_child(p, loop));
    }
    int status = -1;
    if (waitpid(pid, &status, 0) != pid || status != 0) abort();
    post_all(p);
    return NULL;
}

static void test_a_forked_child_posts(void **state) {
    (void)state;
    const int64_t at_first = blocks_now();
    aloop_loop *loop = real_loop();
    struct posting p = {loop, 100, {0, 0}};
    assert_int_equal(aloop_loop_run_once(loop, 0), 0);
    on_a_thread(fork_with_calls_under_way, &p);
    close_loop(loop);
    assert_int_equal(blocks_now(), at_first);
}

/* From the loop's own thread ---------------------------------------------------------------- */

static char order[8];

static int64_t note(void *letter) {
    strncat(order, letter, 1);
    return 0;
}

static int64_t schedule_four(void *loop) {
    assert_true(aloop_loop_call_soon(loop, note, "a", NULL) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(loop, note, "b", NULL) > 0);
    assert_true(aloop_loop_call_soon(loop, note, "c", NULL) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(loop, note, "d", NULL) > 0);
    return 0;
}

static void test_a_callback_of_the_loop_posts_into_the_line(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    order[0] = '\0';
    assert_true(aloop_loop_call_soon(loop, schedule_four, loop, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_string_equal(order, "");
    assert_int_equal(aloop_loop_run_once(loop, 0), 4);
    assert_string_equal(order, "abcd");
    close_loop(loop);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(test_a_callback_of_the_loop_posts_into_the_line),
        CASE(test_a_burst_is_not_kept),
        CASE(test_threads_and_loops_share_pages),
        CASE(test_a_posted_call_is_cancelled_by_its_handle),
        CASE(test_the_close_drops_what_was_posted),
        CASE(test_a_thread_posts_as_it_ends),
        CASE(test_a_forked_child_posts),
    };
    prepare_suite();
    if (aloop_set_allocator(counting_malloc, counting_realloc, counting_free) != 0) return 1;
    return cmocka_run_group_tests(cases, NULL, NULL);
}
