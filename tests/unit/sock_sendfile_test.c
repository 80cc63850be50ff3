/*
 * Operations on plain sockets: sending files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "socks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t files(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    const int file = new_file("0123456789");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 2, 3)), 3);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 5);
    expect_bytes(aloop_sock_recv(p.b, 100), "234");
    assert_code(AWAIT(aloop_sock_sendfile_native(p.a, file, 0, -1)), 10);
    expect_bytes(aloop_sock_recv(p.b, 100), "0123456789");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 8, 100)), 2);
    expect_bytes(aloop_sock_recv(p.b, 100), "89");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 100, 1)), 0);
    close(file);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, 999, 0, 1)), ALOOP_EBADF);
    /* Not a file of pages: by reading. */
    const int device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const int source = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    const int64_t sent = AWAIT(aloop_sock_sendfile(p.a, source, 0, -1));
    assert_true(sent > 0);
    assert_code(AWAIT(aloop_sock_recv(p.b, 100)), sent);
    close(source);
    close(device);
    struct pair other = new_pair(SOCK_STREAM);
    assert_code(AWAIT(aloop_sock_sendfile_native(p.a, other.a, 0, 1)), ALOOP_ENOSENDFILE);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, other.a, 0, 1)), -ESPIPE);
    close_pair(other);
    close_pair(p);
    p = new_pair(SOCK_DGRAM);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, 0, 0, 1)), ALOOP_EINVAL);
    close_pair(p);
    return 0;
}

static void test_files(void **state) {
    (void)state;
    in_task(files);
}

static int64_t big_file(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    const int64_t n = 3 * 1024 * 1024;
    const int file = new_file("");
    assert_int_equal(ftruncate(file, n), 0);
    aloop_future *sends = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    int64_t got = 0;
    while (got < n) {
        const int64_t some = AWAIT(aloop_sock_recv(p.b, 65536));
        assert_true(some > 0);
        got += some;
    }
    assert_code(AWAIT(sends), n);
    assert_int_equal(lseek(file, 0, SEEK_CUR), n);
    /* Given up half way: the position tells how far it got. */
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    let_run(3);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    const int64_t at = lseek(file, 0, SEEK_CUR);
    assert_true(at > 0 && at < n);
    drain(p.b);
    gives_up = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    let_run(2);
    close(p.b);
    assert_code(AWAIT(gives_up), ALOOP_EPIPE);
    close(file);
    close(p.a);
    return 0;
}

static void test_big_file(void **state) {
    (void)state;
    in_task(big_file);
}

SUITE(CASE(test_files), CASE(test_big_file))
