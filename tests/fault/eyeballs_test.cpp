// eyeballs_test.cpp: in which order and when the addresses of a name are tried
// (RFC 8305), on a resolver and sockets of the test's own and the virtual clock.
//
// A socket here is the writing end of a full pipe: it becomes writable, as one
// that has connected does, when the test empties it.
//
// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

extern "C" {
#include <cmocka.h>
}

#include <asyncloop.h>

#include "answers.hpp"

namespace {

using aloop::k_real_sys;

constexpr int k_most = 8;

struct attempt {
    char family;  // '4' or '6'
    int ms;       // after the first
    int fd;
    int other_end;
    bool broken;  // and nobody has asked why
} g_attempts[k_most];
int g_count;
int g_ends[k_most];  // the reading ends of the sockets made
int g_sockets;

struct trial {
    const char *name;
    double delay;      // negative: one after the other
    const char *plan;  // of each attempt, in order: h hangs, r is refused, c connects
    int wins;          // the attempt that becomes writable...
    int after;         // ... when so many have begun; 0: none
    bool all_break = false;  // then, instead
    bool secure = false;     // by TLS, but no server ever answers
};

const trial *g_trial;

int64_t fake_getaddrinfo(const char *host, const char *service, const addrinfo *hints,
                         addrinfo **found) {
    if (host == nullptr || (hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
    *found = answers::make(host, std::atoi(service));
    return 0;
}

int64_t fake_socket(int, int, int) {
    int pair[2];
    if (pipe2(pair, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
    static const char block[65536] = {};
    while (write(pair[1], block, sizeof block) > 0) continue;
    g_ends[g_sockets++] = pair[0];
    return pair[1];
}

// Those that have begun are refused, all at once.
void break_all() {
    for (int i = 0; i < g_count; i++) {
        close(g_attempts[i].other_end);
        g_ends[i] = -1;
        g_attempts[i].broken = true;
    }
}

void let_one_win() {
    static char sink[1 << 20];
    assert_true(read(g_attempts[g_trial->wins].other_end, sink, sizeof sink) > 0);
}

int64_t fake_connect(int fd, const sockaddr *to, socklen_t) {
    static double first;
    const double now = aloop_loop_time(aloop_get_running_loop());
    if (g_count == 0) first = now;
    attempt &a = g_attempts[g_count];
    a.family = to->sa_family == AF_INET ? '4' : '6';
    a.ms = static_cast<int>((now - first) * 1000 + 0.5);
    a.fd = fd;
    a.other_end = g_ends[g_sockets - 1];
    a.broken = false;
    const char fate = g_trial->plan[g_count++];
    if (g_count == g_trial->after) g_trial->all_break ? break_all() : let_one_win();
    switch (fate) {
    case 'r': return -ECONNREFUSED;
    case 'c': return 0;
    default: return -EINPROGRESS;
    }
}

// The kernel tells of a failure once.
int64_t fake_getsockopt(int fd, int, int, void *value, socklen_t *) {
    int failure = 0;
    for (int i = 0; i < g_count; i++) {
        if (g_attempts[i].fd == fd && std::exchange(g_attempts[i].broken, false)) {
            failure = ECONNREFUSED;
        }
    }
    std::memcpy(value, &failure, sizeof failure);
    return 0;
}

struct outcome {
    int64_t status;
    char families[k_most + 1];
    char times[128];
    char message[512];
    int left;      // sockets that were open when it was over
    int at_hello;  // and when the winner began to shake hands
} g_outcome;

int open_descriptors() {
    int n = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != nullptr) n++;
    closedir(directory);
    return n;
}

int g_before;

// Without the other ends.
int open_sockets() {
    int n = open_descriptors() - g_before;
    for (int i = 0; i < g_sockets; i++) n -= g_ends[i] >= 0;
    return n;
}

int64_t fake_send(int, const void *, size_t n, int) {
    g_outcome.at_hello = open_sockets();
    return static_cast<int64_t>(n);
}

int64_t fake_recv(int, void *, size_t, int) { return -EAGAIN; }

aloop_stream_options *options_of(const trial *t) {
    aloop_stream_options *o = aloop_stream_options_new();
    aloop_stream_options_set_happy_eyeballs_delay(o, t->delay);
    aloop_tls_context *c = nullptr;
    if (t->secure && aloop_tls_context_new_client(&c) == 0) aloop_stream_options_set_tls(o, c);
    aloop_unref(c);
    return o;
}

int64_t connect_attempt(void *arg, void **) {
    const trial *t = static_cast<const trial *>(arg);
    aloop_stream_options *o = options_of(t);
    g_before = open_descriptors();
    aloop_stream *s = nullptr;
    aloop_future *f = aloop_open_connection(t->name, 80, o);
    g_outcome.status = aloop_await(aloop_wait_for(f, 2), reinterpret_cast<void **>(&s));
    const aloop_error *e = aloop_last_error();
    std::snprintf(g_outcome.message, sizeof g_outcome.message, "%s",
                  e != nullptr ? aloop_error_message(e) : "");
    g_outcome.left = open_sockets();
    if (s != nullptr) aloop_stream_abort(s);
    aloop_unref(s);
    aloop_unref(o);
    return 0;
}

void run(const trial &t) {
    const int before = open_descriptors();
    g_trial = &t;
    g_count = g_sockets = 0;
    g_outcome = {};
    aloop_loop_options *o = aloop_loop_options_new();
    aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL);
    aloop_runner *runner = nullptr;
    assert_int_equal(aloop_runner_new(&runner, o), 0);
    aloop_unref(o);
    assert_int_equal(aloop_runner_run(runner, connect_attempt, const_cast<trial *>(&t), nullptr),
                     0);
    aloop_runner_close(runner);
    aloop_unref(runner);
    size_t used = 0;
    for (int i = 0; i < g_count; i++) {
        g_outcome.families[i] = g_attempts[i].family;
        used += static_cast<size_t>(std::snprintf(g_outcome.times + used,
                                                  sizeof g_outcome.times - used, "%s%d",
                                                  i > 0 ? " " : "", g_attempts[i].ms));
    }
    for (int i = 0; i < g_sockets; i++) {
        if (g_ends[i] >= 0) close(g_ends[i]);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(answers::g_made.load(), 0);
}

void expect(const trial &t, int64_t status, const char *families, const char *times) {
    run(t);
    assert_string_equal(aloop_errname(g_outcome.status), aloop_errname(status));
    assert_string_equal(g_outcome.families, families);
    assert_string_equal(g_outcome.times, times);
    assert_int_equal(g_outcome.left, status == 0);  // the winner's
}

// The families take turns, beginning with the resolver's first.
void test_interleaving(void **) {
    expect({"x4466", 0.25, "hhhh", 0, 0}, ALOOP_ETIMEDOUT, "4646", "0 250 500 750");
    expect({"x6644", 0.25, "hhhh", 0, 0}, ALOOP_ETIMEDOUT, "6464", "0 250 500 750");
    expect({"x44466", 0.1, "hhhhh", 0, 0}, ALOOP_ETIMEDOUT, "46464", "0 100 200 300 400");
    expect({"x4446", 0.1, "hhhh", 0, 0}, ALOOP_ETIMEDOUT, "4644", "0 100 200 300");
    expect({"x444", 0.1, "hhh", 0, 0}, ALOOP_ETIMEDOUT, "444", "0 100 200");
}

// Without a delay: the resolver's order, and each after the one before failed.
void test_one_after_the_other(void **) {
    expect({"x4466", -1, "hhhh", 0, 0}, ALOOP_ETIMEDOUT, "4", "0");
    expect({"x4466", -1, "rrrc", 0, 0}, 0, "4466", "0 0 0 0");
    expect({"x46", -1, "rr", 0, 0}, ALOOP_ECONNREFUSED, "46", "0 0");
    assert_string_equal(g_outcome.message,
                        "Multiple exceptions: Connect call failed ('127.0.0.1', 80): Connection "
                        "refused, Connect call failed ('::1', 80, 0, 0): Connection refused");
}

// A failure lets the next begin before the delay is over, and the delay begins
// anew with it.
void test_failures_hurry(void **) {
    expect({"x4466", 0.25, "rhrh", 0, 0}, ALOOP_ETIMEDOUT, "4646", "0 0 250 250");
    expect({"x4466", 0.25, "hrhh", 0, 0}, ALOOP_ETIMEDOUT, "4646", "0 250 250 500");
    expect({"x46", 0.25, "rr", 0, 0}, ALOOP_ECONNREFUSED, "46", "0 0");
}

// The first that connects wins; the others are closed, later ones not begun.
void test_first_wins(void **) {
    expect({"x4466", 0.25, "hc", 0, 0}, 0, "46", "0 250");
    expect({"x4466", 0.25, "hhhh", 0, 2}, 0, "46", "0 250");
    expect({"x4466", 0.25, "hhhh", 1, 3}, 0, "464", "0 250 500");
    expect({"x46", 0.25, "c", 0, 0}, 0, "4", "0");
    expect({"x4466", 0, "hhhc", 0, 0}, 0, "4646", "0 0 0 0");
}

// Several that fail together: each is told of its own failure, and none is taken for
// a connection because another had been told.
void test_failing_together(void **) {
    expect({"x46", 0, "hh", 0, 2, true}, ALOOP_ECONNREFUSED, "46", "0 0");
    expect({"x4466", 0, "hhhh", 0, 4, true}, ALOOP_ECONNREFUSED, "4646", "0 0 0 0");
    expect({"x4466", 0.25, "hhhc", 0, 3, true}, 0, "4646", "0 250 500 500");
}

// The losers do not wait until the winner has shaken hands.
void test_losers_of_a_secure_race(void **) {
    aloop_tls_context *c = nullptr;
    if (aloop_tls_context_new_client(&c) == ALOOP_ENOSYS) return;  // a library without TLS
    aloop_unref(c);
    expect({"x4466", 0.25, "hhhh", 1, 3, false, true}, ALOOP_ETIMEDOUT, "464", "0 250 500");
    assert_int_equal(g_outcome.at_hello, 1);
}

}  // namespace

int main() {
    aloop::sys_table table = k_real_sys;
    table.getaddrinfo = fake_getaddrinfo;
    table.freeaddrinfo = answers::give_back;
    table.socket = fake_socket;
    table.connect = fake_connect;
    table.getsockopt = fake_getsockopt;
    table.send = fake_send;
    table.recv = fake_recv;
    aloop::set_default_sys(&table);
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_interleaving),
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_failures_hurry),
        cmocka_unit_test(test_first_wins),
        cmocka_unit_test(test_failing_together),
        cmocka_unit_test(test_losers_of_a_secure_race),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
