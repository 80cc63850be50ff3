/*
 * Readers and writers on descriptors, and the loop inside another one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "own_clock.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asyncloop/libevent.h>

struct pair {
    aloop_loop *loop;
    int ends[2];
    int called;
};

static struct pair new_pair(void) {
    struct pair p = {.loop = real_loop()};
    assert_int_equal(pipe2(p.ends, O_NONBLOCK | O_CLOEXEC), 0);
    return p;
}

static void end_pair(struct pair *p) {
    close_loop(p->loop);
    close(p->ends[0]);
    close(p->ends[1]);
}

static int64_t read_one(void *data) {
    struct pair *p = data;
    char c;
    assert_int_equal(read(p->ends[0], &c, 1), 1);
    p->called++;
    return 0;
}

static int64_t leave_unread(void *data) {
    ((struct pair *)data)->called++;
    return 0;
}

static void test_a_reader_runs_while_there_is_something(void **state) {
    (void)state;
    struct pair p = new_pair();
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], read_one, &p, NULL), 0);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    assert_int_equal(write(p.ends[1], "ab", 2), 2);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    assert_int_equal(p.called, 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1); /* level triggered */
    assert_int_equal(p.called, 2);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    assert_code(aloop_loop_remove_reader(p.loop, p.ends[0]), 1);
    assert_code(aloop_loop_remove_reader(p.loop, p.ends[0]), 0);
    assert_int_equal(write(p.ends[1], "c", 1), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    end_pair(&p);
}

static void test_a_writer_runs_while_there_is_room(void **state) {
    (void)state;
    struct pair p = new_pair();
    assert_code(aloop_loop_add_writer(p.loop, p.ends[1], leave_unread, &p, NULL), 0);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    static const char block[65536];
    while (write(p.ends[1], block, sizeof block) > 0) continue;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    assert_int_equal(p.called, 2);
    assert_code(aloop_loop_remove_writer(p.loop, p.ends[1]), 1);
    assert_code(aloop_loop_remove_writer(p.loop, p.ends[1]), 0);
    end_pair(&p);
}

static void test_a_second_reader_replaces_the_first(void **state) {
    (void)state;
    int freed = 0;
    struct pair p = new_pair();
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], count_call, &freed, count_free), 0);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], read_one, &p, NULL), 0);
    assert_int_equal(freed, 1);
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    assert_int_equal(p.called, 1);
    assert_int_equal(freed, 1);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], count_call, &freed, count_free), 0);
    end_pair(&p); /* the close frees the last one */
    assert_int_equal(freed, 2);
}

static int64_t remove_oneself(void *data) {
    struct pair *p = data;
    p->called++;
    assert_code(aloop_loop_remove_reader(p->loop, p->ends[0]), 1);
    assert_int_equal(p->called, 1); /* its destructor has not run yet */
    return 0;
}

static void freed_pair(void *data) { ((struct pair *)data)->called += 10; }

static void test_a_reader_may_remove_itself(void **state) {
    (void)state;
    struct pair p = new_pair();
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], remove_oneself, &p, freed_pair), 0);
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    assert_int_equal(p.called, 11);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    end_pair(&p);
}

static int64_t remove_the_other(void *data) {
    struct pair *p = data;
    p->called++;
    assert_code(aloop_loop_remove_writer(p->loop, p->ends[1]), 1);
    return aloop_loop_remove_reader(p->loop, p->ends[0]) == 1 ? 0 : -1;
}

static void test_removed_means_not_called_any_more(void **state) {
    (void)state;
    struct pair p = new_pair();
    /* Both are ready in one iteration; whichever comes first removes both. */
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], remove_the_other, &p, NULL), 0);
    assert_code(aloop_loop_add_writer(p.loop, p.ends[1], remove_the_other, &p, NULL), 0);
    assert_true(aloop_loop_run_once(p.loop, 1) >= 1);
    assert_int_equal(p.called, 1);
    end_pair(&p);
}

static void test_descriptors_that_cannot_be_watched(void **state) {
    (void)state;
    int freed = 0;
    struct pair p = new_pair();
    assert_code(aloop_loop_add_reader(p.loop, -1, count_call, &freed, count_free), ALOOP_EBADF);
    assert_code(aloop_loop_add_reader(p.loop, 999999, count_call, &freed, count_free), ALOOP_EBADF);
    assert_code(aloop_loop_add_writer(p.loop, -1, count_call, &freed, count_free), ALOOP_EBADF);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_add_writer(p.loop, p.ends[1], NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_remove_reader(p.loop, -1), 0);
    assert_code(aloop_loop_remove_writer(p.loop, 999999), 0);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_code(aloop_loop_add_reader(p.loop, file, count_call, &freed, count_free), -EPERM);
    close(file);
    assert_int_equal(freed, 0);
    end_pair(&p);
}

static int64_t fail_reading(void *data) {
    read_one(data);
    return aloop_raise(-5, "from a reader");
}

static void test_a_failing_reader_is_reported(void **state) {
    (void)state;
    struct reports reports;
    struct pair p = new_pair();
    capture_reports(p.loop, &reports);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], fail_reading, &p, NULL), 0);
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 1), 1);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].text, "from a reader");
    end_pair(&p);
}

static void test_the_virtual_clock_waits_for_descriptors(void **state) {
    (void)state;
    struct pair p = {.loop = virtual_loop()};
    int ran = 0;
    assert_int_equal(pipe2(p.ends, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], read_one, &p, NULL), 0);
    assert_true(aloop_loop_call_later(p.loop, 3600, count_call, &ran, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(p.loop, -1), 1);
    assert_int_equal(p.called, 1);
    assert_int_equal(ran, 0);
    assert_true(aloop_loop_time(p.loop) < 3600);
    assert_code(aloop_loop_remove_reader(p.loop, p.ends[0]), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, -1), 1);
    assert_int_equal(ran, 1);
    end_pair(&p);
}

/* Embedding ---------------------------------------------------------------------------- */

static int readable(int fd) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, 0);
}

static void test_the_backend_descriptor_tells_of_work(void **state) {
    (void)state;
    struct pair p = new_pair();
    const int64_t fd = aloop_loop_backend_fd(p.loop);
    assert_true(fd >= 0);
    assert_code(aloop_loop_add_reader(p.loop, p.ends[0], read_one, &p, NULL), 0);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    assert_int_equal(readable((int)fd), 0);
    assert_int_equal(write(p.ends[1], "a", 1), 1);
    assert_int_equal(readable((int)fd), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 1);
    assert_int_equal(readable((int)fd), 0);
    assert_int_equal(p.called, 1);
    end_pair(&p);
}

static int64_t post_here(void *data) {
    struct pair *p = data;
    return aloop_loop_call_soon_threadsafe(p->loop, leave_unread, p, NULL);
}

static void test_the_backend_descriptor_tells_of_posts(void **state) {
    (void)state;
    struct pair p = new_pair();
    const int64_t fd = aloop_loop_backend_fd(p.loop);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 0);
    assert_true(aloop_loop_backend_timeout(p.loop) < 0);
    assert_true(on_foreign_thread(post_here, &p) > 0);
    assert_int_equal(readable((int)fd), 1);
    assert_int_equal(aloop_loop_run_once(p.loop, 0), 1);
    assert_int_equal(p.called, 1);
    end_pair(&p);
}

static void test_the_event_base_is_libevents(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_non_null(aloop_loop_event_base(loop));
    assert_null(aloop_loop_event_base(NULL));
    close_loop(loop);
}

/* What became ready before a timer was due comes before it, however long a callback kept
 * the loop from looking, and whether or not it asked for the time. */
struct busy {
    struct pair *pair;
    int until_slow, after;
    char order[4];
};

static int64_t note_reader(void *data) {
    struct busy *b = data;
    char c;
    assert_int_equal(read(b->pair->ends[0], &c, 1), 1);
    strcat(b->order, "r");
    return 0;
}

static int64_t note_timer(void *data) {
    struct busy *b = data;
    strcat(b->order, "t");
    return 0;
}

static int64_t keep_busy(void *data) {
    struct busy *b = data;
    if (--b->until_slow == 0) {
        assert_int_equal(write(b->pair->ends[1], "x", 1), 1);
        pass_time(1);
        aloop_loop_time(b->pair->loop);
    }
    if (--b->after == 0) return aloop_loop_stop(b->pair->loop);
    return aloop_loop_call_soon(b->pair->loop, keep_busy, b, NULL) > 0 ? 0 : ALOOP_ENOMEM;
}

static void test_a_reader_comes_before_a_timer(void **state) {
    (void)state;
    stop_clock();
    struct pair p = new_pair();
    for (int i = 0; i < 16; i++) { /* the loop looks at some of the iterations by itself */
        struct busy b = {&p, 100 + i, 300, ""};
        assert_code(aloop_loop_add_reader(p.loop, p.ends[0], note_reader, &b, NULL), 0);
        assert_true(aloop_loop_call_later(p.loop, 0.5, note_timer, &b, NULL) > 0);
        assert_true(aloop_loop_call_soon(p.loop, keep_busy, &b, NULL) > 0);
        assert_code(aloop_loop_run_forever(p.loop), 0);
        assert_string_equal(b.order, "rt");
        assert_code(aloop_loop_remove_reader(p.loop, p.ends[0]), 1);
    }
    end_pair(&p);
    let_clock_go();
}

SUITE(CASE(test_a_reader_runs_while_there_is_something),
      CASE(test_a_writer_runs_while_there_is_room), CASE(test_a_second_reader_replaces_the_first),
      CASE(test_a_reader_may_remove_itself), CASE(test_removed_means_not_called_any_more),
      CASE(test_descriptors_that_cannot_be_watched), CASE(test_a_failing_reader_is_reported),
      CASE(test_the_virtual_clock_waits_for_descriptors),
      CASE(test_the_backend_descriptor_tells_of_work),
      CASE(test_the_backend_descriptor_tells_of_posts), CASE(test_the_event_base_is_libevents),
      CASE(test_a_reader_comes_before_a_timer))
