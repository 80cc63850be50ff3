/*
 * Files: open ones and whole ones, in order, cancelled, and left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

static void put(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void contains(const char *path, const char *text) {
    char got[256] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, text);
}

static aloop_file *open_file(const char *path, int32_t flags) {
    aloop_file *f = NULL;
    assert_code(aloop_await(aloop_file_open(path, flags, 0644), (void **)&f), 0);
    return f;
}

static void expect_bytes(aloop_future *f, const char *text) {
    aloop_bytes *b = NULL;
    assert_code(aloop_await(f, (void **)&b), (int64_t)strlen(text));
    assert_string_equal((const char *)aloop_bytes_data(b), text);
    aloop_bytes_unref(b);
}

static int64_t open_files(void *arg, void **value) {
    (void)arg, (void)value;
    const char *path = in_directory("a");
    aloop_file *f = open_file(path, O_RDWR | O_CREAT);
    const int64_t fd = aloop_file_descriptor(f);
    assert_true(fd >= 0 && (fcntl((int)fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_code(AWAIT(aloop_file_write(f, "hello world", 11)), 11);
    assert_code(AWAIT(aloop_file_write(f, NULL, 0)), 0);
    assert_code(AWAIT(aloop_file_pwrite(f, "W", 1, 6)), 1);
    assert_code(AWAIT(aloop_file_seek(f, 0, SEEK_CUR)), 11);
    expect_bytes(aloop_file_read(f, 100), "");
    assert_code(AWAIT(aloop_file_seek(f, 0, SEEK_SET)), 0);
    expect_bytes(aloop_file_read(f, 5), "hello");
    expect_bytes(aloop_file_pread(f, 5, 6), "World");
    expect_bytes(aloop_file_read(f, 100), " World");
    assert_code(AWAIT(aloop_file_truncate(f, 5)), 0);
    aloop_file_stat *s = NULL;
    assert_code(aloop_await(aloop_file_fstat(f), (void **)&s), 0);
    assert_int_equal(aloop_file_stat_size(s), 5);
    assert_true(S_ISREG(aloop_file_stat_mode(s)));
    aloop_unref(s);
    assert_code(AWAIT(aloop_file_fdatasync(f)), 0);
    assert_code(AWAIT(aloop_file_fsync(f)), 0);
    assert_code(AWAIT(aloop_file_seek(f, -100, SEEK_SET)), ALOOP_EINVAL);
    char text[192];
    snprintf(text, sizeof text, "seek in '%s': Invalid argument", path);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_code(AWAIT(aloop_file_close(f)), 0);
    assert_code(AWAIT(aloop_file_close(f)), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_file_read(f, 1)), ALOOP_ESTALE);
    assert_code(aloop_file_descriptor(f), ALOOP_ESTALE);
    aloop_unref(f);
    contains(path, "hello");
    f = open_file(path, O_RDONLY);
    assert_code(AWAIT(aloop_file_write(f, "x", 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_file_pwrite(f, "x", 1, 0)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_file_truncate(f, 0)), ALOOP_EINVAL);
    aloop_unref(f); /* closes it */
    f = open_file(path, O_WRONLY | O_APPEND);
    assert_code(AWAIT(aloop_file_write(f, "!", 1)), 1);
    assert_code(AWAIT(aloop_file_read(f, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_file_pread(f, 1, 0)), ALOOP_EBADF);
    aloop_unref(f);
    contains(path, "hello!");
    return 0;
}

static void test_open_files(void **state) {
    (void)state;
    in_task(open_files);
}

/* Asked for more than anybody has, they give what there is. */
static int64_t greedy(void *arg, void **value) {
    (void)arg, (void)value;
    const size_t much = (size_t)1 << 60, at_once = 16 * 1024 * 1024;
    aloop_file *f = open_file(in_directory("few"), O_RDWR | O_CREAT);
    assert_code(AWAIT(aloop_file_write(f, "a few bytes", 11)), 11);
    assert_code(AWAIT(aloop_file_seek(f, 2, SEEK_SET)), 2);
    expect_bytes(aloop_file_pread(f, much, 6), "bytes");
    expect_bytes(aloop_file_pread(f, much, 100), "");
    expect_bytes(aloop_file_read(f, much), "few bytes");
    expect_bytes(aloop_file_read(f, much), "");
    const int64_t big = (int64_t)at_once + 5;
    assert_code(AWAIT(aloop_file_truncate(f, big)), 0);
    assert_code(AWAIT(aloop_file_pread(f, much, 0)), big);
    assert_code(AWAIT(aloop_file_pread(f, at_once + 1, 2)), (int64_t)at_once + 1);
    aloop_unref(f);
    f = open_file("/dev/zero", O_RDONLY);
    assert_code(AWAIT(aloop_file_read(f, much)), (int64_t)at_once);
    aloop_unref(f);
    return 0;
}

static void test_greedy(void **state) {
    (void)state;
    in_task(greedy);
}

static int64_t failing_opens(void *arg, void **value) {
    (void)arg, (void)value;
    const char *none = in_directory("none");
    assert_code(AWAIT(aloop_file_open(none, O_RDONLY, 0)), ALOOP_ENOENT);
    char text[192];
    snprintf(text, sizeof text, "open '%s': No such file, handle or entry", none);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    const char *fifo = in_directory("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_code(AWAIT(aloop_file_open(fifo, O_RDONLY, 0)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_file_open(fifo, O_WRONLY, 0)), -ENXIO);
    assert_code(AWAIT(aloop_read_file(fifo, -1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_file_open(directory, O_WRONLY, 0)), -EISDIR);
    assert_code(AWAIT(aloop_file_open(fifo, O_CREAT | O_EXCL, 0)), ALOOP_EEXIST);
    aloop_file *f = open_file("/dev/zero", O_RDONLY);
    assert_code(AWAIT(aloop_file_read(f, 3)), 3);
    aloop_unref(f);
    f = open_file(directory, O_RDONLY);
    assert_code(AWAIT(aloop_file_read(f, 3)), -EISDIR);
    assert_code(AWAIT(aloop_file_fsync(f)), 0);
    aloop_unref(f);
    f = open_file("/dev/full", O_WRONLY);
    assert_code(AWAIT(aloop_file_write(f, "x", 1)), -ENOSPC);
    aloop_unref(f);
    return 0;
}

static void test_failing_opens(void **state) {
    (void)state;
    in_task(failing_opens);
}

/* Calls on one file run in the order in which they were made, also when nobody
 * awaits them, and the close behind them. */
static int64_t in_order(void *arg, void **value) {
    (void)arg, (void)value;
    const char *path = in_directory("a");
    aloop_file *f = open_file(path, O_RDWR | O_CREAT);
    char expected[128] = "";
    aloop_future *all[20];
    for (int i = 0; i < 20; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d,", i);
        strcat(expected, text);
        all[i] = aloop_file_write(f, text, strlen(text)); /* copied */
    }
    aloop_future *closed = aloop_file_close(f);
    assert_failed(aloop_file_write(f, "late", 4), ALOOP_ESTALE);
    aloop_unref(f);
    assert_code(AWAIT(closed), 0);
    for (int i = 0; i < 20; i++) {
        assert_code(aloop_future_done(all[i]), 1);
        aloop_unref(all[i]);
    }
    contains(path, expected);
    /* Several files at once. */
    aloop_future *many[32];
    for (int i = 0; i < 32; i++) {
        char name[16];
        snprintf(name, sizeof name, "many-%d", i);
        many[i] = aloop_write_file(in_directory(name), name, strlen(name));
    }
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_gather(many, 32, 0), (void **)&results), 32);
    aloop_unref(results);
    contains(in_directory("many-31"), "many-31");
    return 0;
}

static void test_in_order(void **state) {
    (void)state;
    in_task(in_order);
}

/* What has begun is finished, what has not never is, and the file goes on. */
static int64_t cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    const char *path = in_directory("a");
    aloop_file *f = open_file(path, O_RDWR | O_CREAT);
    const size_t n = 8 * 1024 * 1024;
    char *big = calloc(1, n);
    aloop_future *first = aloop_file_write(f, big, n); /* takes a while */
    free(big);
    aloop_future *second = aloop_file_write(f, "second", 6);
    aloop_future *third = aloop_file_write(f, "third", 5);
    assert_int_equal(aloop_future_cancel(second, NULL), 1);
    assert_int_equal(aloop_future_cancel(first, NULL), 1);
    assert_code(AWAIT(first), ALOOP_ECANCELED);
    assert_code(AWAIT(second), ALOOP_ECANCELED);
    assert_code(AWAIT(third), 5);
    aloop_future *closed = aloop_file_close(f);
    assert_int_equal(aloop_future_cancel(closed, NULL), 1); /* it is closed all the same */
    assert_code(AWAIT(closed), ALOOP_ECANCELED);
    assert_code(aloop_file_descriptor(f), ALOOP_ESTALE);
    aloop_unref(f);
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    assert_true(s.st_size == (off_t)n + 5 || s.st_size == 5); /* withdrawn in time */
    aloop_future *open = aloop_file_open(path, O_RDONLY, 0);
    assert_int_equal(aloop_future_cancel(open, NULL), 1);
    assert_code(AWAIT(open), ALOOP_ECANCELED);
    assert_code(AWAIT(aloop_wait_for(aloop_read_file(path, -1), 0)), ALOOP_ETIMEDOUT);
    aloop_unref(aloop_file_open(path, O_RDONLY, 0)); /* nobody takes the file */
    return 0;
}

static void test_cancelled(void **state) {
    (void)state;
    in_task(cancelled);
}

static int64_t whole_files(void *arg, void **value) {
    (void)arg, (void)value;
    const char *path = in_directory("a");
    assert_code(AWAIT(aloop_write_file(path, "one", 3)), 3);
    expect_bytes(aloop_read_file(path, -1), "one");
    expect_bytes(aloop_read_file(path, 3), "one");
    assert_code(AWAIT(aloop_read_file(path, 2)), -EFBIG);
    assert_int_equal(chmod(path, 0640), 0);
    assert_code(AWAIT(aloop_write_file(path, "two, longer", 11)), 11);
    contains(path, "two, longer");
    aloop_file_stat *s = NULL;
    assert_code(aloop_await(aloop_stat_file(path, 1), (void **)&s), 0);
    assert_int_equal(aloop_file_stat_mode(s) & 0777, 0640); /* was kept */
    struct stat truth;
    assert_int_equal(stat(path, &truth), 0);
    assert_int_equal(aloop_file_stat_size(s), 11);
    assert_int_equal(aloop_file_stat_inode(s), truth.st_ino);
    assert_int_equal(aloop_file_stat_links(s), 1);
    assert_int_equal(aloop_file_stat_uid(s), truth.st_uid);
    assert_int_equal(aloop_file_stat_gid(s), truth.st_gid);
    assert_true(aloop_file_stat_mtime(s) - (double)truth.st_mtime < 1);
    assert_true(aloop_file_stat_atime(s) > 0 && aloop_file_stat_ctime(s) > 0);
    aloop_unref(s);
    const char *link = in_directory("link");
    assert_int_equal(symlink(path, link), 0);
    assert_code(aloop_await(aloop_stat_file(link, 0), (void **)&s), 0);
    assert_true(S_ISLNK(aloop_file_stat_mode(s)));
    aloop_unref(s);
    assert_code(AWAIT(aloop_write_file(in_directory("empty"), NULL, 0)), 0);
    expect_bytes(aloop_read_file(in_directory("empty"), 0), "");
    aloop_bytes *b = NULL; /* of a size that the system does not say */
    assert_true(aloop_await(aloop_read_file("/proc/self/maps", -1), (void **)&b) > 4096);
    aloop_bytes_unref(b);
    assert_code(AWAIT(aloop_read_file("/proc/self/maps", 100)), -EFBIG);
    assert_code(AWAIT(aloop_read_file(in_directory("none"), -1)), ALOOP_ENOENT);
    assert_code(AWAIT(aloop_read_file(directory, -1)), -EISDIR);
    assert_code(AWAIT(aloop_stat_file(in_directory("none"), 1)), ALOOP_ENOENT);
    assert_code(AWAIT(aloop_write_file(in_directory("no/dir"), "x", 1)), ALOOP_ENOENT);
    const int64_t onto = AWAIT(aloop_write_file(directory, "x", 1)); /* over a directory */
    assert_true(onto == -EISDIR || onto == -ENOTEMPTY);
    return 0;
}

static void test_whole_files(void **state) {
    (void)state;
    in_task(whole_files);
}

static int64_t listing(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_file_names *names = NULL;
    assert_code(aloop_await(aloop_list_directory(directory), (void **)&names), 0);
    assert_int_equal(aloop_file_names_count(names), 0);
    aloop_unref(names);
    for (int i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "f%d", i);
        put(in_directory(name), "");
    }
    assert_code(aloop_await(aloop_list_directory(directory), (void **)&names), 40);
    int64_t sum = 0;
    for (int64_t i = 0; i < 40; i++) sum += atoi(aloop_file_names_at(names, i) + 1);
    assert_int_equal(sum, 39 * 40 / 2);
    assert_null(aloop_file_names_at(names, 40));
    assert_null(aloop_file_names_at(names, -1));
    aloop_unref(names);
    assert_code(AWAIT(aloop_list_directory(in_directory("none"))), ALOOP_ENOENT);
    assert_code(AWAIT(aloop_list_directory(in_directory("f1"))), -ENOTDIR);
    /* Nothing was left beside the files that were written whole. */
    assert_code(AWAIT(aloop_write_file(in_directory("f1"), "x", 1)), 1);
    assert_code(AWAIT(aloop_list_directory(directory)), 40);
    return 0;
}

static void test_listing(void **state) {
    (void)state;
    in_task(listing);
}

/* The loop closes while calls run and wait. */
static int64_t leave(void *arg, void **value) {
    (void)value;
    aloop_file *f = open_file(in_directory("a"), O_RDWR | O_CREAT);
    for (int i = 0; i < 10; i++) aloop_unref(aloop_file_write(f, "0123456789", 10));
    aloop_unref(aloop_file_close(f));
    aloop_unref(f);
    *(aloop_file **)arg = open_file(in_directory("b"), O_RDWR | O_CREAT);
    return 0;
}

static void test_left_behind(void **state) {
    (void)state;
    aloop_file *left = NULL;
    assert_code(run_virtual(leave, &left, NULL), 0);
    assert_code(aloop_file_descriptor(left), ALOOP_ESTALE);
    assert_null(aloop_file_read(left, 1));
    aloop_unref(left);
}

static int64_t reports_it(void *arg, void **value) {
    (void)value;
    capture_reports(aloop_get_running_loop(), arg);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* that is another report */
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    aloop_unref(open_file(in_directory("a"), O_RDWR | O_CREAT));
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    return 0;
}

static void test_unclosed(void **state) {
    (void)state;
    struct reports reports;
    assert_code(run_virtual(reports_it, &reports, NULL), 0);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "unclosed file");
}

static int64_t use_elsewhere(void *file) { return aloop_file_descriptor(file); }

static int64_t bad_calls(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_file *f = open_file(in_directory("a"), O_RDWR | O_CREAT);
    aloop_file *const wrong[] = {NULL, (aloop_file *)aloop_get_running_loop()};
    for (int i = 0; i < 2; i++) {
        aloop_file *w = wrong[i];
        assert_failed(aloop_file_read(w, 1), ALOOP_EINVAL);
        assert_failed(aloop_file_pread(w, 1, 0), ALOOP_EINVAL);
        assert_failed(aloop_file_write(w, "x", 1), ALOOP_EINVAL);
        assert_failed(aloop_file_pwrite(w, "x", 1, 0), ALOOP_EINVAL);
        assert_failed(aloop_file_seek(w, 0, 0), ALOOP_EINVAL);
        assert_failed(aloop_file_fstat(w), ALOOP_EINVAL);
        assert_failed(aloop_file_fsync(w), ALOOP_EINVAL);
        assert_failed(aloop_file_fdatasync(w), ALOOP_EINVAL);
        assert_failed(aloop_file_truncate(w, 0), ALOOP_EINVAL);
        assert_failed(aloop_file_close(w), ALOOP_EINVAL);
        assert_code(aloop_file_descriptor(w), ALOOP_EINVAL);
        const aloop_file_stat *s = (aloop_file_stat *)w;
        assert_code(aloop_file_stat_size(s), ALOOP_EINVAL);
        assert_code(aloop_file_stat_mode(s), ALOOP_EINVAL);
        assert_code(aloop_file_stat_inode(s), ALOOP_EINVAL);
        assert_code(aloop_file_stat_links(s), ALOOP_EINVAL);
        assert_code(aloop_file_stat_uid(s), ALOOP_EINVAL);
        assert_code(aloop_file_stat_gid(s), ALOOP_EINVAL);
        assert_true(aloop_file_stat_mtime(s) == 0 && aloop_file_stat_atime(s) == 0);
        assert_true(aloop_file_stat_ctime(s) == 0);
        assert_code(aloop_file_names_count((aloop_file_names *)w), ALOOP_EINVAL);
        assert_null(aloop_file_names_at((aloop_file_names *)w, 0));
    }
    assert_failed(aloop_file_open(NULL, 0, 0), ALOOP_EINVAL);
    assert_failed(aloop_file_read(f, SIZE_MAX), ALOOP_EINVAL);
    assert_failed(aloop_file_pread(f, 1, -1), ALOOP_EINVAL);
    assert_failed(aloop_file_write(f, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_file_pwrite(f, "x", 1, -1), ALOOP_EINVAL);
    assert_failed(aloop_file_truncate(f, -1), ALOOP_EINVAL);
    assert_failed(aloop_read_file(NULL, -1), ALOOP_EINVAL);
    assert_failed(aloop_write_file(NULL, "x", 1), ALOOP_EINVAL);
    assert_failed(aloop_write_file("/x", NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_stat_file(NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_list_directory(NULL), ALOOP_EINVAL);
    assert_code(on_foreign_thread(use_elsewhere, f), ALOOP_EWRONGTHREAD);
    assert_code(AWAIT(aloop_file_close(f)), 0);
    aloop_unref(f);
    return 0;
}

static void test_bad_calls(void **state) {
    (void)state;
    in_task(bad_calls);
    assert_null(aloop_file_open("/dev/null", O_RDONLY, 0)); /* no loop */
    assert_null(aloop_read_file("/dev/null", -1));
}

#define FILE_CASE(name) cmocka_unit_test_setup_teardown(name, with_directory, without_directory)

int main(void) {
    const struct CMUnitTest cases[] = {
        FILE_CASE(test_open_files), FILE_CASE(test_greedy), FILE_CASE(test_failing_opens),
        FILE_CASE(test_in_order), FILE_CASE(test_cancelled), FILE_CASE(test_whole_files),
        FILE_CASE(test_listing), FILE_CASE(test_left_behind), FILE_CASE(test_unclosed),
        FILE_CASE(test_bad_calls),
    };
    prepare_suite();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
