/*
 * Datagrams over Unix sockets: paths and names, and receivers that are full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datagrams.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t unix_datagrams(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64], name[64];
    snprintf(path, sizeof path, "/tmp/aloop-datagram-%d", (int)getpid());
    snprintf(name, sizeof name, "@aloop-datagram-%d", (int)getpid());
    aloop_datagram *server = on_path(path, NULL);
    finish(server); /* leaves its file */
    struct stat what;
    assert_int_equal(stat(path, &what), 0);
    server = on_path(path, NULL); /* which is in nobody's way */
    aloop_datagram *client = on_path(name, path);
    send_text(client, "over a path", NULL);
    aloop_address *from = receive_text(server, "over a path");
    char text[ALOOP_ADDRESS_TEXT];
    aloop_address_format(from, text, sizeof text);
    assert_string_equal(text, name);
    send_text(server, "back", from);
    expect_text(client, "back");
    aloop_unref(from);
    finish(client);
    /* An unnamed sender. */
    client = on_path(NULL, path);
    send_text(client, "who", NULL);
    from = receive_text(server, "who");
    aloop_address_format(from, text, sizeof text);
    assert_string_equal(text, "");
    aloop_unref(from);
    finish(client);
    /* Without any address, only a family. */
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_family(o, AF_UNIX), 0);
    client = create(o);
    aloop_address *to = NULL;
    assert_code(aloop_address_new_unix(&to, path), 0);
    send_text(client, "no peer", to);
    expect_text(server, "no peer");
    aloop_unref(to);
    finish(client);
    finish(server);
    unlink(path);
    /* A file that is no socket is left alone. */
    FILE *file = fopen(path, "w");
    fclose(file);
    o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_path(o, path), 0);
    assert_code(AWAIT(aloop_create_datagram_endpoint(o)), -EADDRINUSE);
    aloop_unref(o);
    unlink(path);
    return 0;
}

static void test_unix_datagrams(void **state) {
    (void)state;
    in_task(unix_datagrams);
}

static int64_t send_one_more(void *endpoint, void **value) {
    (void)value;
    return AWAIT(aloop_datagram_sendto(endpoint, "more", 4, NULL));
}

/* A Unix receiver's queue is full: datagrams are queued, then senders wait. */
static int64_t back_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-pressure-%d", (int)getpid());
    aloop_datagram *server = on_path(name, NULL), *client = on_path(NULL, name);
    assert_code(aloop_datagram_set_write_buffer_limits(client, 64, 24), 0);
    static char block[16];
    int sent = 0;
    while (aloop_datagram_sendto_nowait(client, block, sizeof block, NULL) == 0) sent++;
    assert_true(sent > 0);
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 16 + 8);
    assert_code(AWAIT(aloop_datagram_drain(client)), 0);
    assert_code(AWAIT(aloop_datagram_sendto(client, block, 16, NULL)), 16); /* 48 wait */
    assert_code(AWAIT(aloop_datagram_sendto(client, block, 8, NULL)), 8);   /* 64: the mark */
    assert_code(AWAIT(aloop_datagram_drain(client)), 0);
    assert_code(AWAIT(aloop_datagram_sendto(client, NULL, 0, NULL)), 0); /* 72 */
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 72);
    aloop_task *blocked = aloop_create_task(send_one_more, client);
    aloop_task *given_up = aloop_create_task(send_one_more, client);
    aloop_task *drained = aloop_ensure_future(aloop_datagram_drain(client));
    let_run(3);
    assert_int_equal(aloop_future_done(blocked), 0);
    aloop_task_cancel(given_up, NULL);
    assert_code(AWAIT(given_up), ALOOP_ECANCELED);
    int64_t got = 0;
    while (!aloop_future_done(blocked) || !aloop_future_done(drained)) {
        assert_true(AWAIT(aloop_datagram_recvfrom(server)) >= 0);
        got++;
        let_run(2);
    }
    assert_code(AWAIT(blocked), 4);
    assert_code(AWAIT(drained), 0);
    for (; got < sent + 5; got++) assert_true(AWAIT(aloop_datagram_recvfrom(server)) >= 0);
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 0);
    assert_int_equal(stat_of(client, ALOOP_DATAGRAM_STAT_SENT), sent + 5);
    /* A batch is sent as far as there is room, and the rest when there is more. */
    aloop_buf all[40];
    for (int i = 0; i < 40; i++) all[i] = (aloop_buf){block, sizeof block};
    aloop_task *many = aloop_ensure_future(aloop_datagram_sendmany(client, all, NULL, 40));
    let_run(3);
    assert_int_equal(aloop_future_done(many), 0);
    for (int i = 0; i < 40; i++) assert_code(AWAIT(aloop_datagram_recvfrom(server)), 16);
    assert_code(AWAIT(many), 40);
    /* Closing sends what is queued. */
    for (sent = 0; aloop_datagram_get_write_buffer_size(client) == 0; sent++) {
        assert_true(aloop_datagram_sendto_nowait(client, block, sizeof block, NULL) >= 0);
    }
    assert_code(aloop_datagram_close(client), 0);
    let_run(3);
    for (int i = 0; i < sent; i++) assert_code(AWAIT(aloop_datagram_recvfrom(server)), 16);
    assert_code(AWAIT(aloop_datagram_wait_closed(client)), 0);
    aloop_unref(client);
    finish(server);
    return 0;
}

static void test_back_pressure(void **state) {
    (void)state;
    in_task(back_pressure);
}

/* Full of another one's datagrams: the kernel would never wake an unconnected
 * sender. */
static int64_t foreign_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-foreign-%d", (int)getpid());
    aloop_datagram *server = on_path(name, NULL), *first = on_path(NULL, name);
    int filled = 0;
    while (aloop_datagram_sendto_nowait(first, "x", 1, NULL) == 0) filled++;
    assert_code(aloop_datagram_abort(first), 0);
    aloop_unref(first);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_family(o, AF_UNIX), 0);
    aloop_datagram *second = create(o);
    aloop_address *to = NULL;
    assert_code(aloop_address_new_unix(&to, name), 0);
    assert_int_equal(aloop_datagram_sendto_nowait(second, "late", 4, to), 4 + 8);
    aloop_unref(to);
    for (int i = 0; i < filled; i++) expect_text(server, "x");
    expect_text(server, "late");
    finish(second);
    finish(server);
    return 0;
}

static void test_foreign_pressure(void **state) {
    (void)state;
    in_task(foreign_pressure);
}

/* One that waits in the queue is refused: who comes next is told. */
static int64_t queued_refused(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-queued-%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        aloop_datagram *server = on_path(name, NULL), *client = on_path(NULL, name);
        while (aloop_datagram_sendto_nowait(client, "x", 1, NULL) == 0) continue;
        assert_int_equal(aloop_datagram_get_write_buffer_size(client), 1 + 8);
        aloop_future *waits = i == 0 ? aloop_ensure_future(aloop_datagram_recvfrom(client)) : NULL;
        assert_code(aloop_datagram_abort(server), 0);
        assert_code(AWAIT(aloop_datagram_wait_closed(server)), 0);
        aloop_unref(server);
        for (int n = 0; n < 100 && aloop_datagram_get_write_buffer_size(client) > 0; n++) {
            let_run(1);
        }
        if (waits == NULL) waits = aloop_datagram_sendto(client, "y", 1, NULL);
        const int64_t code = AWAIT(waits);
        assert_true(code == ALOOP_ECONNREFUSED || code == ALOOP_ECONNRESET);
        assert_int_equal(stat_of(client, ALOOP_DATAGRAM_STAT_SEND_ERRORS), 1);
        finish(client);
    }
    return 0;
}

static void test_a_queued_one_is_refused(void **state) {
    (void)state;
    in_task(queued_refused);
}

SUITE(CASE(test_unix_datagrams), CASE(test_back_pressure), CASE(test_foreign_pressure),
      CASE(test_a_queued_one_is_refused))
