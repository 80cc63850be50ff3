// growth: what an operation costs while 10, 10,000 and a million objects of its kind are alive; of
// connections as many as the process may have descriptors for. In time of the processor.
//
// SPDX-License-Identifier: MIT
#include <sys/resource.h>

#include "../common/net.h"
#include "ours.h"

enum { k_many = 1000000, k_connections = 8000, k_batch = 1000 };

static size_t operations, live;
static aloop_loop *loop;

static void emit_growth(const char *what, double ns) {
    char metric[64];
    snprintf(metric, sizeof metric, "%s, %zu objects", what, live);
    emit("growth", metric, ns, "ns");
}

static double per_operation(uint64_t start) {
    return (double)(cpu_ns() - start) / (double)operations;
}

static int64_t nothing(void *unused) {
    (void)unused;
    return 0;
}

static aloop_handle arm_somewhere(void) {
    double delay = 3600 + (double)(random_next() % 3600000000u) / 1e6;
    return (aloop_handle)must_code(aloop_loop_call_later(loop, delay, nothing, NULL, NULL));
}

static size_t not_fired;
static aloop_future *all_fired;

static int64_t fire(void *unused) {
    (void)unused;
    return --not_fired == 0 ? aloop_future_set_result(all_fired, 0, NULL, NULL) : 0;
}

// A thousand that are due within a microsecond, so that waiting for them is not what is measured.
static void fire_batch(void) {
    not_fired = k_batch;
    all_fired = must(aloop_loop_create_future(loop));
    for (size_t i = 0; i < k_batch; i++) {
        double delay = (double)(1 + random_next() % 1000) / 1e9;
        must_code(aloop_loop_call_later(loop, delay, fire, NULL, NULL));
    }
    must_code(aloop_await(all_fired, NULL));
}

static void timers(void) {
    aloop_handle *all = must(calloc(live, sizeof *all));
    for (size_t i = 0; i < live; i++) all[i] = arm_somewhere();
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < operations; i++)
        must_code(aloop_loop_cancel_handle(loop, arm_somewhere()));
    emit_growth("timer: arm + cancel", per_operation(start));
    start = cpu_ns();
    for (size_t i = 0; i < operations; i += k_batch) fire_batch();
    emit_growth("timer: arm + fire", per_operation(start));
    for (size_t i = 0; i < live; i++) must_code(aloop_loop_cancel_handle(loop, all[i]));
    free(all);
}

static size_t calls_left;

static int64_t again(void *unused) {
    if (calls_left <= live) {
        if (calls_left > 0) calls_left--;
        return 0;
    }
    calls_left--;
    return must_code(aloop_loop_call_soon(loop, again, unused, NULL)) < 0;
}

static void callbacks(void) {
    calls_left = operations + live;
    for (size_t i = 0; i < live; i++) must_code(aloop_loop_call_soon(loop, again, NULL, NULL));
    size_t before = calls_left;
    uint64_t start = cpu_ns();
    while (calls_left > live) must_code(aloop_await(aloop_sleep(0), NULL));
    emit_growth("callback", (double)(cpu_ns() - start) / (double)(before - calls_left));
    while (calls_left > 0) must_code(aloop_await(aloop_sleep(0), NULL));
}

static void queue_items(void) {
    aloop_queue *queue = NULL;
    void *item;
    must_code(aloop_queue_new(&queue, NULL));
    for (size_t i = 0; i < live; i++) must_code(aloop_queue_put_nowait(queue, queue));
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < operations; i++) {
        must_code(aloop_await(aloop_queue_put(queue, queue), NULL));
        must_code(aloop_await(aloop_queue_get(queue), &item));
    }
    emit_growth("queue: put + get", per_operation(start));
    aloop_unref(queue);
}

static int64_t sleeper(aloop_task *task, void *frame, void **value) {
    (void)frame, (void)value;
    int64_t status = aloop_awaited(task, NULL);
    return status == ALOOP_EINVALIDSTATE ? aloop_suspend(task, aloop_sleep(36000)) : status;
}

static int64_t ends(aloop_task *task, void *frame, void **value) {
    (void)task, (void)frame, (void)value;
    return 0;
}

static void tasks(void) {
    aloop_task **all = must(calloc(live, sizeof *all));
    for (size_t i = 0; i < live; i++)
        all[i] = must(aloop_create_stackless_task(sleeper, NULL, NULL));
    must_code(aloop_await(aloop_sleep(0), NULL));  // lets each run to its sleep
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < operations; i++)
        must_code(aloop_await(aloop_create_stackless_task(ends, NULL, NULL), NULL));
    emit_growth("task: spawn + join", per_operation(start));
    start = cpu_ns();
    for (size_t i = 0; i < operations; i++) must_code(aloop_await(aloop_sleep(0), NULL));
    emit_growth("task: switch", per_operation(start));
    for (size_t i = 0; i < live; i++) aloop_task_cancel(all[i], NULL);
    for (size_t i = 0; i < live; i++) aloop_await(all[i], NULL);
    free(all);
}

static size_t made;

static int64_t count_made(aloop_stream *transport, void *unused) {
    (void)transport, (void)unused;
    made++;
    return 0;
}

static aloop_future *answered;

static int64_t answer(aloop_stream *transport, const void *data, size_t n, void *unused) {
    (void)unused;
    must_code(aloop_stream_write(transport, data, n));
    return aloop_future_set_result(answered, 0, NULL, NULL);
}

static int connect_to(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = must_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must_ok(connect(fd, (struct sockaddr *)&to, sizeof to));
    no_delay(fd);
    return fd;
}

// A request and its answer on one connection, beside idle ones. Both ends are this process's.
static void connections(void) {
    char message[64] = {0};
    void *server = NULL;
    int *fds = must(calloc(live, sizeof *fds));
    size_t n = operations / 10;
    aloop_protocol *protocol = must(aloop_protocol_new());
    must_code(aloop_protocol_set_connection_made(protocol, count_made));
    must_code(aloop_protocol_set_data_received(protocol, answer));
    must_code(aloop_await(aloop_create_server(protocol, NULL, "127.0.0.1", 0, NULL), &server));
    int port = (int)must_code(aloop_server_port(server, 0));
    made = 0;
    for (size_t i = 0; i < live; i++) {
        fds[i] = connect_to(port);
        while (made <= i) must_code(aloop_await(aloop_sleep(0), NULL));
    }
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < n; i++) {
        answered = must(aloop_loop_create_future(loop));
        must_ok(send(fds[i % live], message, sizeof message, 0));
        must_code(aloop_await(answered, NULL));
        must_ok(recv(fds[i % live], message, sizeof message, MSG_WAITALL));
    }
    emit_growth("connection: echo", (double)(cpu_ns() - start) / (double)n);
    for (size_t i = 0; i < live; i++) close(fds[i]);
    must_code(aloop_server_close(server));
    must_code(aloop_await(aloop_server_wait_closed(server), NULL));
    aloop_unref(server);
    aloop_unref(protocol);
    free(fds);
}

static size_t most_connections(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    size_t most = (size_t)limit.rlim_cur / 2 - 50;
    return most < k_connections ? most : k_connections;
}

static int64_t grow(void *unused, void **value) {
    size_t counts[] = {10, 10000, k_many}, fewer[] = {10, 1000, most_connections()};
    (void)unused, (void)value;
    loop = aloop_get_running_loop();
    for (int i = 0; i < 3; i++) {
        live = counts[i];
        timers();
        callbacks();
        queue_items();
        tasks();
        live = fewer[i];
        connections();
    }
    return 0;
}

int main(int argc, char **argv) {
    operations = count_arg(argc, argv);
    must_code(aloop_run(grow, NULL, NULL));
}
