/*
 * The callback level of datagram endpoints.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

static aloop_contextvar *place;

/* What the protocol was told, in order, as words. */
struct log {
    char text[512];
    char where[16]; /* the context's value in the last call */
    int freed;
    int received;
    aloop_datagram *close_in_call;
    int64_t answer; /* of datagram_received */
};

static void note(struct log *log, const char *word) {
    const char *value = place != NULL ? aloop_contextvar_get(place) : NULL;
    snprintf(log->where, sizeof log->where, "%s", value != NULL ? value : "");
    if (log->text[0] != '\0') strcat(log->text, " ");
    strcat(log->text, word);
}

static int64_t made(aloop_datagram *endpoint, void *data) {
    assert_non_null(endpoint);
    note(data, "made");
    return 0;
}

static int64_t received(aloop_datagram *endpoint, aloop_packet *packet, void *data) {
    struct log *log = data;
    log->received++;
    note(log, (const char *)aloop_packet_data(packet));
    assert_int_equal(aloop_datagram_is_closing(endpoint), 0);
    if (log->close_in_call != NULL) aloop_datagram_close(log->close_in_call);
    if (log->answer < 0) return aloop_raise(log->answer, "from the protocol");
    return 0;
}

static int64_t failed(aloop_datagram *endpoint, aloop_error *error, void *data) {
    (void)endpoint;
    note(data, aloop_errname(aloop_error_code(error)));
    return 0;
}

static int64_t paused(aloop_datagram *endpoint, void *data) {
    (void)endpoint;
    note(data, "pause");
    return 0;
}

static int64_t resumed(aloop_datagram *endpoint, void *data) {
    (void)endpoint;
    note(data, "resume");
    return 0;
}

static int64_t lost(aloop_datagram *endpoint, int64_t status, aloop_error *error, void *data) {
    (void)endpoint;
    assert_code(status, 0);
    assert_null(error);
    note(data, "lost");
    return 0;
}

static void log_freed(void *log) { ((struct log *)log)->freed++; }

static aloop_datagram_options *with_log(struct log *log) {
    aloop_datagram_protocol *all = aloop_datagram_protocol_new();
    assert_code(aloop_datagram_protocol_set_connection_made(all, made), 0);
    assert_code(aloop_datagram_protocol_set_datagram_received(all, received), 0);
    assert_code(aloop_datagram_protocol_set_error_received(all, failed), 0);
    assert_code(aloop_datagram_protocol_set_pause_writing(all, paused), 0);
    assert_code(aloop_datagram_protocol_set_resume_writing(all, resumed), 0);
    assert_code(aloop_datagram_protocol_set_connection_lost(all, lost), 0);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_protocol(o, all, log, log_freed), 0);
    aloop_unref(all); /* it was copied */
    return o;
}

static aloop_datagram *create(aloop_datagram_options *o) {
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    return d;
}

static aloop_datagram *on_loopback(struct log *log) {
    aloop_datagram_options *o = with_log(log);
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1", 0), 0);
    return create(o);
}

/* Ends it and drops it. */
static void end(aloop_datagram *d) {
    aloop_datagram_abort(d);
    aloop_unref(d);
    let_run(3);
}

/* One bound to a path, which is read by hand, and one with the log and that as its
 * peer. */
struct ends {
    aloop_datagram *server, *client;
};

static struct ends over_a_path(struct log *log) {
    char name[64];
    snprintf(name, sizeof name, "@aloop-protocol-%d", (int)getpid());
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_path(o, name), 0);
    struct ends ends = {.server = create(o)};
    o = with_log(log);
    assert_code(aloop_datagram_options_set_remote_path(o, name), 0);
    ends.client = create(o);
    return ends;
}

static void send_text(aloop_datagram *from, const char *text, aloop_address *to) {
    assert_int_equal(aloop_datagram_sendto_nowait(from, text, strlen(text), to), 0);
}

static int64_t in_order(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    aloop_datagram *d = on_loopback(&log);
    aloop_address *self = aloop_datagram_local_address(d);
    send_text(d, "one", self); /* is there before connection_made was called */
    assert_string_equal(log.text, "");
    send_text(d, "two", self);
    let_run(3);
    assert_string_equal(log.text, "made one two");
    assert_code(AWAIT(aloop_datagram_recvfrom(d)), ALOOP_EINVALIDSTATE);
    assert_code(AWAIT(aloop_datagram_recvmany(d, 1)), ALOOP_EINVALIDSTATE);
    send_text(d, "three", self);
    assert_code(aloop_datagram_close(d), 0);
    assert_code(AWAIT(aloop_datagram_wait_closed(d)), 0);
    let_run(2);
    assert_string_equal(log.text, "made one two lost");
    assert_int_equal(log.freed, 0);
    aloop_unref(self);
    aloop_unref(d);
    let_run(1); /* the destructor runs on the loop's own stack */
    assert_int_equal(log.freed, 1);
    return 0;
}

static void test_in_order(void **state) {
    (void)state;
    in_task(in_order);
}

/* It lives without a reference until it is closed. */
static int64_t alone(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    aloop_datagram *d = on_loopback(&log);
    aloop_address *at = aloop_datagram_local_address(d);
    log.close_in_call = d;
    aloop_unref(d);
    struct log other = {0};
    aloop_datagram *sender = on_loopback(&other);
    send_text(sender, "last", at);
    send_text(sender, "too late", at);
    for (int i = 0; i < 100 && log.freed == 0; i++) let_run(1);
    assert_string_equal(log.text, "made last lost");
    assert_int_equal(log.freed, 1);
    aloop_unref(at);
    end(sender);
    assert_string_equal(other.text, "made lost");
    return 0;
}

static void test_alone(void **state) {
    (void)state;
    in_task(alone);
}

static int64_t errors(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0}, other = {0};
    aloop_datagram *nobody = on_loopback(&other);
    aloop_address *at = aloop_datagram_local_address(nobody);
    aloop_datagram_close(nobody);
    assert_code(AWAIT(aloop_datagram_wait_closed(nobody)), 0);
    aloop_unref(nobody);
    aloop_datagram_options *o = with_log(&log);
    assert_code(aloop_datagram_options_set_remote_address(o, "127.0.0.1",
                                                          (int32_t)aloop_address_port(at)), 0);
    aloop_datagram *d = create(o);
    send_text(d, "lost", NULL);
    for (int i = 0; i < 100 && strstr(log.text, "REFUSED") == NULL; i++) let_run(1);
    assert_string_equal(log.text, "made ALOOP_ECONNREFUSED");
    aloop_unref(at);
    end(d);
    assert_string_equal(log.text, "made ALOOP_ECONNREFUSED lost");
    return 0;
}

static void test_errors(void **state) {
    (void)state;
    in_task(errors);
}

static int64_t water_marks(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    const struct ends ends = over_a_path(&log);
    aloop_datagram *server = ends.server, *d = ends.client;
    assert_code(aloop_datagram_set_write_buffer_limits(d, 20, 9), 0);
    int64_t waits = 0, sent = 0;
    while (waits <= 20) {
        waits = aloop_datagram_sendto_nowait(d, "x", 1, NULL);
        assert_true(waits >= 0);
        sent++;
    }
    assert_string_equal(log.text, ""); /* not inside the call */
    let_run(2);
    assert_string_equal(log.text, "made pause");
    while (sent-- > 0) assert_code(AWAIT(aloop_datagram_recvfrom(server)), 1);
    let_run(2);
    assert_string_equal(log.text, "made pause resume");
    aloop_datagram_close(d);
    aloop_datagram_close(server);
    assert_code(AWAIT(aloop_datagram_wait_closed(d)), 0);
    aloop_unref(d);
    aloop_unref(server);
    let_run(2);
    assert_string_equal(log.text, "made pause resume lost");
    return 0;
}

static void test_water_marks(void **state) {
    (void)state;
    in_task(water_marks);
}

/* One that waits in the queue is refused. */
static int64_t queued_refused(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    const struct ends ends = over_a_path(&log);
    aloop_datagram *server = ends.server, *d = ends.client;
    while (aloop_datagram_sendto_nowait(d, "x", 1, NULL) == 0) continue;
    aloop_datagram_abort(server);
    assert_code(AWAIT(aloop_datagram_wait_closed(server)), 0);
    aloop_unref(server);
    for (int i = 0; i < 100 && strstr(log.text, "ECONN") == NULL; i++) let_run(1);
    assert_non_null(strstr(log.text, "made ALOOP_ECONNRE")); /* refused, or reset */
    end(d);
    return 0;
}

static void test_a_queued_one_is_refused(void **state) {
    (void)state;
    in_task(queued_refused);
}

/* More than a batch at a time: others get their turn in between. */
static int64_t many(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    aloop_datagram_options *o = with_log(&log);
    aloop_datagram_protocol *quiet = aloop_datagram_protocol_new();
    assert_code(aloop_datagram_protocol_set_datagram_received(quiet, received), 0);
    assert_code(aloop_datagram_options_set_protocol(o, quiet, &log, NULL), 0);
    aloop_unref(quiet);
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1", 0), 0);
    assert_code(aloop_datagram_options_set_batch(o, 4), 0);
    aloop_datagram *d = create(o);
    aloop_address *self = aloop_datagram_local_address(d);
    for (int i = 0; i < 10; i++) send_text(d, "", self);
    int last = 0, steps = 0;
    while (log.received < 10) {
        let_run(1);
        assert_true(log.received - last <= 4);
        steps += log.received > last;
        last = log.received;
    }
    assert_int_equal(steps, 3);
    aloop_unref(self);
    end(d);
    return 0;
}

static void test_many(void **state) {
    (void)state;
    in_task(many);
}

static int64_t reported(void *arg, void **value) {
    (void)value;
    capture_reports(aloop_get_running_loop(), arg);
    struct log log = {.answer = -5};
    aloop_datagram *d = on_loopback(&log);
    aloop_address *self = aloop_datagram_local_address(d);
    send_text(d, "x", self);
    let_run(3);
    aloop_unref(self);
    end(d);
    assert_int_equal(log.freed, 1);
    return 0;
}

static void test_failures_are_reported(void **state) {
    (void)state;
    struct reports reports;
    assert_code(run_virtual(reported, &reports, NULL), 0);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "Exception in callback");
    assert_string_equal(reports.list[0].text, "from the protocol");
}

static int64_t in_context(void *arg, void **value) {
    (void)arg, (void)value;
    struct log log = {0};
    aloop_contextvar_set(place, "creation", NULL, NULL);
    aloop_datagram *d = on_loopback(&log);
    aloop_contextvar_set(place, "later", NULL, NULL);
    let_run(2);
    assert_string_equal(log.where, "creation");
    end(d);
    return 0;
}

static void test_context(void **state) {
    (void)state;
    place = aloop_contextvar_new("place", NULL);
    in_task(in_context);
    aloop_unref(place);
    place = NULL;
}

/* The loop closes; and a creation that fails leaves the data alone. */
static int64_t left_open(void *arg, void **value) {
    (void)value;
    struct log *logs = arg;
    aloop_unref(on_loopback(&logs[0]));
    let_run(2);
    aloop_datagram_options *o = with_log(&logs[1]);
    assert_code(AWAIT(aloop_create_datagram_endpoint(o)), ALOOP_EINVAL);
    aloop_unref(o);
    return 0;
}

static void test_left_open(void **state) {
    (void)state;
    struct log logs[2] = {0};
    assert_code(run_virtual(left_open, logs, NULL), 0);
    assert_string_equal(logs[0].text, "made");
    assert_int_equal(logs[0].freed, 1);
    assert_int_equal(logs[1].freed, 0);
}

static void test_bad_arguments(void **state) {
    (void)state;
    aloop_datagram_options *o = aloop_datagram_options_new();
    aloop_datagram_protocol *const wrong[] = {NULL, (aloop_datagram_protocol *)o};
    for (int i = 0; i < 2; i++) {
        aloop_datagram_protocol *p = wrong[i];
        assert_code(aloop_datagram_protocol_set_connection_made(p, made), ALOOP_EINVAL);
        assert_code(aloop_datagram_protocol_set_datagram_received(p, received), ALOOP_EINVAL);
        assert_code(aloop_datagram_protocol_set_error_received(p, failed), ALOOP_EINVAL);
        assert_code(aloop_datagram_protocol_set_pause_writing(p, paused), ALOOP_EINVAL);
        assert_code(aloop_datagram_protocol_set_resume_writing(p, resumed), ALOOP_EINVAL);
        assert_code(aloop_datagram_protocol_set_connection_lost(p, lost), ALOOP_EINVAL);
        assert_code(aloop_datagram_options_set_protocol(o, p, NULL, NULL), ALOOP_EINVAL);
    }
    aloop_unref(o);
}

SUITE(CASE(test_in_order), CASE(test_alone), CASE(test_errors), CASE(test_water_marks),
      CASE(test_a_queued_one_is_refused), CASE(test_many), CASE(test_failures_are_reported),
      CASE(test_context), CASE(test_left_open), CASE(test_bad_arguments))
