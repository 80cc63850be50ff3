/*
 * Watching a path for changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

static void touch(const char *name) {
    const int fd = open(in_directory(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static aloop_file_watch *watch(const char *path) {
    aloop_file_watch *w = NULL;
    assert_code(aloop_file_watch_new(&w, path), 0);
    return w;
}

static void expect(aloop_file_watch *w, int64_t kind, const char *name, const char *old_name) {
    aloop_file_event *e = NULL;
    assert_code(aloop_await(aloop_file_watch_next(w), (void **)&e), kind);
    assert_int_equal(aloop_file_event_kind(e), kind);
    assert_string_equal(aloop_file_event_name(e), name);
    assert_string_equal(aloop_file_event_old_name(e), old_name);
    aloop_unref(e);
}

static void nothing_more(aloop_file_watch *w) {
    assert_code(AWAIT(aloop_wait_for(aloop_file_watch_next(w), 0.01)), ALOOP_ETIMEDOUT);
}

static int64_t changes(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_file_watch *w = watch(directory);
    nothing_more(w);
    touch("a");
    expect(w, ALOOP_FILE_CREATED, "a", "");
    const int fd = open(in_directory("a"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    expect(w, ALOOP_FILE_MODIFIED, "a", "");
    assert_int_equal(chmod(in_directory("a"), 0644), 0);
    expect(w, ALOOP_FILE_ATTRIBUTES, "a", "");
    assert_int_equal(rename(in_directory("a"), in_directory("b")), 0);
    expect(w, ALOOP_FILE_MOVED, "b", "a");
    assert_int_equal(mkdir(in_directory("sub"), 0700), 0);
    aloop_file_event *e = NULL;
    assert_code(aloop_await(aloop_file_watch_next(w), (void **)&e), ALOOP_FILE_CREATED);
    assert_int_equal(aloop_file_event_is_directory(e), 1);
    aloop_unref(e);
    assert_int_equal(rename(in_directory("b"), in_directory("sub/b")), 0);
    expect(w, ALOOP_FILE_MOVED, "", "b"); /* away */
    assert_int_equal(rename(in_directory("sub/b"), in_directory("c")), 0);
    expect(w, ALOOP_FILE_MOVED, "c", ""); /* from elsewhere */
    assert_int_equal(unlink(in_directory("c")), 0);
    expect(w, ALOOP_FILE_DELETED, "c", "");
    assert_int_equal(rmdir(in_directory("sub")), 0);
    expect(w, ALOOP_FILE_DELETED, "sub", "");
    nothing_more(w);
    /* Two at once, in pairs that must not be mixed up. */
    touch("x");
    touch("y");
    expect(w, ALOOP_FILE_CREATED, "x", "");
    expect(w, ALOOP_FILE_CREATED, "y", "");
    assert_int_equal(rename(in_directory("x"), in_directory("x2")), 0);
    assert_int_equal(rename(in_directory("y"), in_directory("y2")), 0);
    expect(w, ALOOP_FILE_MOVED, "x2", "x");
    expect(w, ALOOP_FILE_MOVED, "y2", "y");
    /* One that waits. */
    aloop_future *next = aloop_ensure_future(aloop_file_watch_next(w));
    let_run(2);
    assert_int_equal(aloop_future_done(next), 0);
    touch("late");
    assert_code(AWAIT(next), ALOOP_FILE_CREATED);
    assert_code(aloop_file_watch_close(w), 0);
    aloop_unref(w);
    return 0;
}

static void test_changes(void **state) {
    (void)state;
    in_task(changes);
}

/* A file itself, and its end. */
static int64_t single(void *arg, void **value) {
    (void)arg, (void)value;
    touch("f");
    aloop_file_watch *w = watch(in_directory("f"));
    const int fd = open(in_directory("f"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    expect(w, ALOOP_FILE_MODIFIED, "", "");
    assert_int_equal(rename(in_directory("f"), in_directory("g")), 0);
    expect(w, ALOOP_FILE_MOVED, "", "");
    assert_int_equal(unlink(in_directory("g")), 0);
    expect(w, ALOOP_FILE_ATTRIBUTES, "", ""); /* one link less */
    expect(w, ALOOP_FILE_DELETED, "", "");
    assert_code(AWAIT(aloop_file_watch_next(w)), ALOOP_ESTOPITERATION);
    assert_code(AWAIT(aloop_file_watch_next(w)), ALOOP_ESTOPITERATION);
    aloop_unref(w);
    return 0;
}

static void test_a_file_and_its_end(void **state) {
    (void)state;
    in_task(single);
}

/* More than one read of the buffer, moves at its edges among them. */
static int64_t many(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_file_watch *w = watch(directory);
    enum { N = 300 };
    char name[2][200];
    for (int i = 0; i < N; i++) {
        snprintf(name[0], sizeof name[0], "%0*d", 1 + i % 150, i);
        snprintf(name[1], sizeof name[1], "m%0*d", 1 + i % 150, i);
        touch(name[0]);
        assert_int_equal(rename(in_directory(name[0]), in_directory(name[1])), 0);
    }
    for (int i = 0; i < N; i++) {
        snprintf(name[0], sizeof name[0], "%0*d", 1 + i % 150, i);
        snprintf(name[1], sizeof name[1], "m%0*d", 1 + i % 150, i);
        expect(w, ALOOP_FILE_CREATED, name[0], "");
        expect(w, ALOOP_FILE_MOVED, name[1], name[0]);
    }
    nothing_more(w);
    aloop_unref(w);
    return 0;
}

static void test_many(void **state) {
    (void)state;
    in_task(many);
}

/* What the kernel's queue does not hold shows as one overflow. */
static int64_t overflow(void *arg, void **value) {
    (void)arg, (void)value;
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    assert_non_null(f);
    int most = 0;
    assert_int_equal(fscanf(f, "%d", &most), 1);
    fclose(f);
    aloop_file_watch *w = watch(directory);
    for (int i = 0; i < most / 2 + 10; i++) { /* two events each, none like the one before */
        touch(i % 2 == 0 ? "a" : "b");
        assert_int_equal(unlink(in_directory(i % 2 == 0 ? "a" : "b")), 0);
    }
    int64_t seen = 0, kind;
    while ((kind = AWAIT(aloop_file_watch_next(w))) != ALOOP_FILE_OVERFLOW) {
        assert_true(kind == ALOOP_FILE_CREATED || kind == ALOOP_FILE_DELETED);
        seen++;
    }
    assert_int_equal(seen, most);
    nothing_more(w);
    touch("after");
    expect(w, ALOOP_FILE_CREATED, "after", "");
    aloop_unref(w);
    return 0;
}

static void test_overflow(void **state) {
    (void)state;
    in_task(overflow);
}

/* Who takes a flood of events one after the other lets others run in between. */
static int64_t flood(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    touch("a");
    aloop_file_watch *w = watch(directory);
    for (int i = 0; i < 600; i++) { /* equal ones in a row would be one */
        assert_int_equal(chmod(in_directory("a"), 0600), 0);
        touch("b");
        assert_int_equal(unlink(in_directory("b")), 0);
    }
    const int64_t begun = aloop_loop_iteration(loop);
    for (int i = 0; i < 600; i++) {
        expect(w, ALOOP_FILE_ATTRIBUTES, "a", "");
        expect(w, ALOOP_FILE_CREATED, "b", "");
        expect(w, ALOOP_FILE_DELETED, "b", "");
    }
    assert_true(aloop_loop_iteration(loop) - begun >= 6);
    assert_code(aloop_file_watch_close(w), 0);
    aloop_unref(w);
    assert_int_equal(unlink(in_directory("a")), 0);
    return 0;
}

static void test_flood(void **state) {
    (void)state;
    in_task(flood);
}

static int64_t closing(void *arg, void **value) {
    (void)value;
    aloop_file_watch *w = watch(directory);
    aloop_future *next = aloop_ensure_future(aloop_file_watch_next(w));
    aloop_future *second = aloop_ensure_future(aloop_file_watch_next(w));
    let_run(2);
    assert_code(AWAIT(second), ALOOP_EBUSY);
    assert_code(aloop_file_watch_close(w), 0);
    assert_code(aloop_file_watch_close(w), 0);
    assert_code(AWAIT(next), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_file_watch_next(w)), ALOOP_ESTALE);
    aloop_unref(w);
    /* Cancelled, it loses nothing. */
    w = watch(directory);
    aloop_task *gives_up = aloop_ensure_future(aloop_file_watch_next(w));
    let_run(2);
    touch("kept");
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    expect(w, ALOOP_FILE_CREATED, "kept", "");
    aloop_unref(w);
    *(aloop_file_watch **)arg = watch(directory);
    return 0;
}

static void test_closing(void **state) {
    (void)state;
    aloop_file_watch *left = NULL;
    assert_code(run_virtual(closing, &left, NULL), 0);
    assert_code(aloop_file_watch_close(left), ALOOP_ESTALE);
    aloop_unref(left);
}

static int64_t close_elsewhere(void *w) { return aloop_file_watch_close(w); }

static int64_t bad_calls(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_file_watch *w = NULL;
    assert_code(aloop_file_watch_new(&w, in_directory("none")), ALOOP_ENOENT);
    assert_code(aloop_file_watch_new(&w, NULL), ALOOP_EINVAL);
    assert_code(aloop_file_watch_new(NULL, directory), ALOOP_EINVAL);
    aloop_file_watch *const wrong[] = {NULL, (aloop_file_watch *)aloop_get_running_loop()};
    for (int i = 0; i < 2; i++) {
        assert_failed(aloop_file_watch_next(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_file_watch_close(wrong[i]), ALOOP_EINVAL);
        const aloop_file_event *e = (aloop_file_event *)wrong[i];
        assert_code(aloop_file_event_kind(e), ALOOP_EINVAL);
        assert_code(aloop_file_event_is_directory(e), ALOOP_EINVAL);
        assert_string_equal(aloop_file_event_name(e), "");
        assert_string_equal(aloop_file_event_old_name(e), "");
    }
    w = watch(directory);
    assert_code(on_foreign_thread(close_elsewhere, w), ALOOP_EWRONGTHREAD);
    aloop_unref(w);
    return 0;
}

static void test_bad_calls(void **state) {
    (void)state;
    aloop_file_watch *w = NULL;
    assert_code(aloop_file_watch_new(&w, directory), ALOOP_ENORUNNINGLOOP);
    in_task(bad_calls);
}

#define WATCH_CASE(name) cmocka_unit_test_setup_teardown(name, with_directory, without_directory)

int main(void) {
    const struct CMUnitTest cases[] = {
        WATCH_CASE(test_changes),  WATCH_CASE(test_a_file_and_its_end), WATCH_CASE(test_many),
        WATCH_CASE(test_overflow), WATCH_CASE(test_closing),            WATCH_CASE(test_bad_calls),
        WATCH_CASE(test_flood),
    };
    prepare_suite();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
