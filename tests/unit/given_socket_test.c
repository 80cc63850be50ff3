/*
 * Sockets that the program made, for connections and servers, and the file of a
 * Unix server's socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <unistd.h>

#include "serving.h"
#include "side.h"

static aloop_stream_options *given(int fd) {
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_descriptor(o, fd), 0);
    return o;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

/* A TCP socket that is bound to a port of this machine. */
static int bound(void) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static char path[64];

static int bound_to_path(void) {
    snprintf(path, sizeof path, "/tmp/aloop-given-%d", (int)getpid());
    unlink(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Connections --------------------------------------------------------------------------------- */

static void talk_over(aloop_future *made, struct peer *p) {
    assert_code(aloop_await(made, (void **)&p->stream), 0);
    assert_code(aloop_stream_write(p->stream, "to you", 6), 0);
    peer_gets(p, "to you");
    peer_sends(p, "and back");
    assert_reads(aloop_stream_readexactly(p->stream, 8), "and back");
}

static int64_t connections(void *arg, void **value) {
    (void)arg, (void)value;
    for (int of_unix = 0; of_unix < 2; of_unix++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        struct peer p = {NULL, pair[1]};
        aloop_stream_options *o = given(pair[0]);
        talk_over(of_unix ? aloop_open_unix_connection(NULL, o) : aloop_open_connection(NULL, 0, o),
                  &p);
        assert_int_equal(fcntl(pair[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        assert_code(aloop_stream_get_extra_info(p.stream, "fd", NULL, 0), pair[0]);
        assert_code(AWAIT(aloop_open_connection(NULL, 0, o)), ALOOP_EBUSY);
        assert_true(is_open(pair[0]));
        drop_peer(&p);
        let_run(2);
        assert_false(is_open(pair[0])); /* it was the stream's */
        aloop_unref(o);
    }
    return 0;
}

static void a_connection_takes_a_socket(void **state) {
    (void)state;
    in_task(connections);
}

/* Over TCP it has the names of both ends; one that is not connected says so. */
static int64_t names(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = serve(NULL, NULL, NULL);
    const int fd = plain_connection(port_of(server));
    char expected[32], text[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%d", (int)port_of(server));
    aloop_stream_options *o = given(fd);
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_connection(NULL, 0, o), (void **)&s), 0);
    assert_true(aloop_stream_get_extra_info(s, "peername", text, sizeof text) > 0);
    assert_string_equal(text, expected);
    assert_true(aloop_stream_get_extra_info(s, "sockname", text, sizeof text) > 0);
    aloop_stream_abort(s);
    aloop_unref(s);
    aloop_unref(o);
    const int lonely = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    o = given(lonely);
    assert_code(aloop_await(aloop_open_connection(NULL, 0, o), (void **)&s), 0);
    assert_code(aloop_stream_get_extra_info(s, "peername", text, sizeof text), ALOOP_ENOENT);
    assert_code(AWAIT(aloop_stream_read(s, 1)), -ENOTCONN);
    let_run(2);
    assert_false(is_open(lonely));
    aloop_unref(s);
    aloop_unref(o);
    end(server);
    return 0;
}

static void a_connection_has_its_names(void **state) {
    (void)state;
    in_task(names);
}

/* Servers ------------------------------------------------------------------------------------- */

static int64_t servers(void *arg, void **value) {
    (void)arg, (void)value;
    for (int listening = 0; listening < 2; listening++) {
        int served = 0;
        const int fd = bound();
        if (listening) assert_int_equal(listen(fd, 5), 0);
        aloop_stream_options *o = given(fd);
        aloop_server *server = NULL;
        assert_code(aloop_await(aloop_start_server(echo_lines, &served, NULL, 0, o),
                                (void **)&server), 0);
        aloop_unref(o);
        int32_t descriptor = -1;
        assert_code(aloop_server_sockets(server, &descriptor, 1), 1);
        assert_int_equal(descriptor, fd);
        aloop_stream *s = connect_to(server);
        aloop_stream_write(s, "a line\n", 7);
        assert_reads(aloop_stream_readline(s), "a line\n");
        aloop_stream_close(s);
        aloop_unref(s);
        end(server);
        assert_int_equal(served, 1);
        assert_false(is_open(fd));
    }
    return 0;
}

static void a_server_takes_a_socket(void **state) {
    (void)state;
    in_task(servers);
}

static int64_t protocols(void *arg, void **value) {
    (void)arg, (void)value;
    struct side client = {0}, accepted = {.echoes = true};
    aloop_protocol *p = make(false);
    aloop_server *server = NULL;
    aloop_stream *t = NULL;
    aloop_stream_options *o = given(bound_to_path());
    assert_code(aloop_await(aloop_create_unix_server(p, &accepted, NULL, o), (void **)&server), 0);
    aloop_unref(o);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    o = given(fd);
    assert_code(aloop_await(aloop_create_unix_connection(p, &client, NULL, o), (void **)&t), 0);
    aloop_unref(o);
    aloop_stream_write(t, "echo", 4);
    until(&client.size, 4);
    assert_string_equal(client.got, "echo");
    aloop_stream_close(t);
    until(&accepted.lost, 1);
    aloop_unref(t);
    end(server);
    aloop_unref(p);
    return 0;
}

static void protocols_take_sockets(void **state) {
    (void)state;
    in_task(protocols);
}

/* Refused ------------------------------------------------------------------------------------- */

#define assert_says(future, code, words) check_says((future), (code), (words), __LINE__)
static void check_says(aloop_future *f, int64_t code, const char *words, int line) {
    const int64_t got = AWAIT(f);
    if (got != code) print_error("line %d\n", line);
    assert_code(got, code);
    assert_string_equal(aloop_error_message(aloop_last_error()), words);
}

static int64_t refused(void *arg, void **value) {
    (void)arg, (void)value;
    assert_code(aloop_stream_options_set_descriptor(NULL, 0), ALOOP_EINVAL);
    const int stream = bound(), packets = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    aloop_stream_options *o = given(stream), *other = given(packets);
    assert_code(aloop_stream_options_set_descriptor(o, -1), ALOOP_EINVAL);
    const char *host = "host/port and a descriptor can not be specified at the same time";
    assert_says(aloop_open_connection("127.0.0.1", 0, o), ALOOP_EINVAL, host);
    assert_says(aloop_open_connection(NULL, 80, o), ALOOP_EINVAL, host);
    assert_says(aloop_start_server(NULL, NULL, "", 0, o), ALOOP_EINVAL, host);
    const char *both = "path and a descriptor can not be specified at the same time";
    assert_says(aloop_open_unix_connection("@a", o), ALOOP_EINVAL, both);
    assert_says(aloop_start_unix_server(NULL, NULL, "@a", o), ALOOP_EINVAL, both);
    const char *of_unix = "A UNIX Domain Stream Socket was expected";
    const char *of_streams = "A Stream Socket was expected";
    assert_says(aloop_open_unix_connection(NULL, o), ALOOP_EINVAL, of_unix);
    assert_says(aloop_start_unix_server(NULL, NULL, NULL, o), ALOOP_EINVAL, of_unix);
    assert_says(aloop_open_unix_connection(NULL, other), ALOOP_EINVAL, of_unix);
    assert_says(aloop_open_connection(NULL, 0, other), ALOOP_EINVAL, of_streams);
    assert_says(aloop_start_server(NULL, NULL, NULL, 0, other), ALOOP_EINVAL, of_streams);
    assert_code(aloop_stream_options_add_host(o, "127.0.0.1"), 0);
    assert_says(aloop_start_server(NULL, NULL, NULL, 0, o), ALOOP_EINVAL, host);
    assert_true(is_open(stream) && is_open(packets));
    aloop_unref(o);
    aloop_unref(other);
    close(packets);
    close(stream);
    return 0;
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    in_task(refused);
}

static int64_t unused(void *data) {
    (void)data;
    return 0;
}

/* It stays the program's where nothing came of it. */
static int64_t left_alone(void *arg, void **value) {
    (void)arg, (void)value;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    aloop_stream_options *o = given(pair[0]);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, NULL, 0, o)), -EINVAL); /* listen(2) */
    assert_true(is_open(pair[0]));
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_reader(loop, pair[0], unused, NULL, NULL), 0);
    assert_code(AWAIT(aloop_open_connection(NULL, 0, o)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, NULL, 0, o)), ALOOP_EBUSY);
    assert_true(is_open(pair[0]));
    assert_code(aloop_loop_remove_reader(loop, pair[0]), 1);
    close(pair[0]);
    assert_code(AWAIT(aloop_open_connection(NULL, 0, o)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, NULL, 0, o)), ALOOP_EBADF);
    aloop_unref(o);
    o = given(STDERR_FILENO);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_code(aloop_stream_options_set_descriptor(o, null), 0);
    assert_code(AWAIT(aloop_open_connection(NULL, 0, o)), -ENOTSOCK);
    assert_true(is_open(null));
    close(null);
    close(pair[1]);
    aloop_unref(o);
    return 0;
}

static void what_is_not_used_stays_open(void **state) {
    (void)state;
    in_task(left_alone);
}

/* Files --------------------------------------------------------------------------------------- */

static bool there(void) {
    struct stat info;
    return stat(path, &info) == 0;
}

/* A server that cannot listen on the program's socket, or is not wanted any more,
 * leaves it and its file. */
static int64_t file_left_alone(void *arg, void **value) {
    (void)arg, (void)value;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(bound_to_path());
    unlink(path);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    assert_int_equal(bind(pair[0], (struct sockaddr *)&at, sizeof at), 0);
    aloop_stream_options *o = given(pair[0]);
    assert_code(AWAIT(aloop_start_unix_server(NULL, NULL, NULL, o)), -EINVAL); /* listen(2) */
    let_run(2);
    assert_true(is_open(pair[0]));
    assert_true(there());
    aloop_unref(o);
    close(pair[0]);
    close(pair[1]);

    const int fd = bound_to_path();
    o = given(fd);
    aloop_task *starting = aloop_ensure_future(aloop_start_unix_server(NULL, NULL, NULL, o));
    let_run(1);
    assert_code(aloop_future_done(starting), 0);
    aloop_task_cancel(starting, NULL);
    assert_code(AWAIT(starting), ALOOP_ECANCELED);
    let_run(2);
    assert_true(is_open(fd));
    assert_true(there());
    aloop_server *server = NULL; /* which may have it then */
    assert_code(aloop_await(aloop_start_unix_server(NULL, NULL, NULL, o), (void **)&server), 0);
    aloop_unref(o);
    end(server);
    assert_false(is_open(fd));
    assert_false(there());
    return 0;
}

static void a_file_stays_without_its_server(void **state) {
    (void)state;
    in_task(file_left_alone);
}

static int64_t files(void *arg, void **value) {
    (void)arg, (void)value;
    assert_code(aloop_stream_options_set_cleanup_socket(NULL, 0), ALOOP_EINVAL);
    for (int cleanup = 0; cleanup < 2; cleanup++) {
        for (int with_path = 0; with_path < 2; with_path++) {
            const int fd = bound_to_path();
            aloop_stream_options *o = with_path ? aloop_stream_options_new() : given(fd);
            if (with_path) close(fd);
            if (!cleanup) assert_code(aloop_stream_options_set_cleanup_socket(o, 0), 0);
            aloop_server *server = NULL;
            assert_code(aloop_await(aloop_start_unix_server(NULL, NULL, with_path ? path : NULL, o),
                                    (void **)&server), 0);
            aloop_unref(o);
            assert_true(there());
            end(server);
            assert_int_equal(there(), !cleanup);
        }
    }
    unlink(path);
    /* A server of any sockets leaves the files to who bound them. */
    aloop_stream_options *o = given(bound_to_path());
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, NULL, 0, o), (void **)&server), 0);
    aloop_unref(o);
    end(server);
    assert_true(there());
    unlink(path);
    return 0;
}

static void the_file_goes_with_the_server(void **state) {
    (void)state;
    in_task(files);
}

SUITE(CASE(a_connection_takes_a_socket), CASE(a_connection_has_its_names),
      CASE(a_server_takes_a_socket), CASE(protocols_take_sockets),
      CASE(what_does_not_fit_is_refused), CASE(what_is_not_used_stays_open),
      CASE(a_file_stays_without_its_server),
      CASE(the_file_goes_with_the_server))
