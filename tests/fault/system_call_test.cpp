// system_call_test.cpp: every system call that a program of sockets, timers and
// children makes fails in turn, with each error that it may give.
//
// The loop's table of system calls is replaced by one that lets the n-th call
// of a kind fail. What must hold: the program ends in time, with success or an
// error it reports, nothing crashes, nothing is left, no descriptor stays open.
// EINTR is no failure: the program must succeed.
//
// SPDX-License-Identifier: MIT
#include "faults.hpp"

namespace {

using aloop::k_real_sys;
using aloop::sys_table;

using namespace faults;

// In the order of install() below.
const call_kind k_calls[] = {
    {"recv", {EINTR, ECONNRESET, ENOMEM, ETIMEDOUT, 0}},
    {"send", {EINTR, EPIPE, ECONNRESET, ENOBUFS, 0}},
    {"socket", {EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT, 0}},
    {"bind", {EADDRINUSE, EACCES, EADDRNOTAVAIL, 0}},
    {"listen", {EADDRINUSE, 0}},
    {"connect", {ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, 0}},
    {"accept4", {EINTR, ECONNABORTED, ENETDOWN, EHOSTUNREACH, EMFILE, ENFILE, 0}},
    {"getsockopt", {ENOBUFS, 0}},
    {"setsockopt", {EINVAL, ENOBUFS, 0}},
    {"getsockname", {ENOBUFS, 0}},
    {"shutdown", {ENOTCONN, 0}},
    {"eventfd", {EMFILE, ENFILE, 0}},
    {"timerfd_create", {EMFILE, ENFILE, 0}},
    {"timerfd_settime", {EINVAL, 0}},
    {"read", {EINTR, EIO, ENOMEM, 0}},
    {"open", {EMFILE, ENFILE, EACCES, 0}},
    {"pipe2", {EMFILE, ENFILE, 0}},
    {"pidfd_open", {EMFILE, ENFILE, ENOMEM, 0}},
    {"fcntl", {EMFILE, EBADF, 0}},
};
constexpr int k_call_count = sizeof k_calls / sizeof k_calls[0];

sys_table faulty_table() {
    sys_table t = k_real_sys;
    t.recv = faulty<0, &sys_table::recv>::call;
    t.send = faulty<1, &sys_table::send>::call;
    t.socket = faulty<2, &sys_table::socket>::call;
    t.bind = faulty<3, &sys_table::bind>::call;
    t.listen = faulty<4, &sys_table::listen>::call;
    t.connect = faulty<5, &sys_table::connect>::call;
    t.accept4 = faulty<6, &sys_table::accept4>::call;
    t.getsockopt = faulty<7, &sys_table::getsockopt>::call;
    t.setsockopt = faulty<8, &sys_table::setsockopt>::call;
    t.getsockname = faulty<9, &sys_table::getsockname>::call;
    t.shutdown = faulty<10, &sys_table::shutdown>::call;
    t.eventfd = faulty<11, &sys_table::eventfd>::call;
    t.timerfd_create = faulty<12, &sys_table::timerfd_create>::call;
    t.timerfd_settime = faulty<13, &sys_table::timerfd_settime>::call;
    t.read = faulty<14, &sys_table::read>::call;
    t.open = faulty<15, &sys_table::open>::call;
    t.pipe2 = faulty<16, &sys_table::pipe2>::call;
    t.pidfd_open = faulty<17, &sys_table::pidfd_open>::call;
    t.fcntl = faulty<18, &sys_table::fcntl>::call;
    return t;
}

// The program: a server that echoes lines, a client that sends three, and a child
// that sends back what it is sent, each step under a time limit -----------------------------

int64_t await_value(aloop_future *f, void **value) {
    return aloop_await(aloop_wait_for(f, g_limit), value);
}

int64_t await_limited(aloop_future *f) {
    return aloop_await(aloop_wait_for(f, g_limit), nullptr);
}

int64_t echo(aloop_stream *stream, void *) {
    int64_t status = 0;
    for (;;) {
        void *line = nullptr;
        status = await_value(aloop_stream_readline(stream), &line);
        auto *bytes = static_cast<aloop_bytes *>(line);
        if (status > 0) {
            status = aloop_stream_write(stream, aloop_bytes_data(bytes), aloop_bytes_size(bytes));
        } else if (status == 0) {
            status = ALOOP_ESTOPITERATION;  // the end
        }
        aloop_bytes_unref(bytes);
        if (status >= 0) status = await_limited(aloop_stream_drain(stream));
        if (status < 0) break;
    }
    aloop_stream_close(stream);
    return 0;
}

int64_t talk(aloop_stream *stream) {
    for (int i = 0; i < 3; i++) {
        int64_t status = aloop_stream_write(stream, "hello\n", 6);
        if (status >= 0) status = await_limited(aloop_stream_drain(stream));
        void *line = nullptr;
        if (status >= 0) status = await_value(aloop_stream_readline(stream), &line);
        auto *bytes = static_cast<aloop_bytes *>(line);
        const bool same = aloop_bytes_size(bytes) == 6;
        aloop_bytes_unref(bytes);
        if (status < 0) return status;
        if (!same) return ALOOP_EINCOMPLETEREAD;
        status = aloop_await(aloop_sleep(0.0005), nullptr);
        if (status < 0) return status;
    }
    const int64_t status = aloop_stream_write_eof(stream);
    return status;
}

int64_t client(int port) {
    void *value = nullptr;
    int64_t status = await_value(aloop_open_connection("127.0.0.1", port, nullptr), &value);
    if (status < 0) return status;
    auto *stream = static_cast<aloop_stream *>(value);
    status = talk(stream);
    aloop_stream_close(stream);
    const int64_t closed = await_limited(aloop_stream_wait_closed(stream));
    aloop_unref(stream);
    return status < 0 ? status : closed;
}

int64_t child() {
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdin(options, ALOOP_PIPE);
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process_options_set_stderr(options, ALOOP_DEVNULL);
    void *value = nullptr;
    int64_t status = await_value(aloop_create_subprocess_shell("exec cat", options), &value);
    aloop_unref(options);
    if (status < 0) return status;
    auto *process = static_cast<aloop_process *>(value);
    value = nullptr;
    status = await_value(aloop_process_communicate(process, "hello", 5), &value);
    aloop_unref(value);
    if (status < 0) {
        aloop_process_kill(process);
        await_limited(aloop_process_wait(process));
    }
    aloop_unref(process);
    return status;
}

int64_t sockets() {
    void *value = nullptr;
    int64_t status =
        await_value(aloop_start_server(echo, nullptr, "127.0.0.1", 0, nullptr), &value);
    if (status < 0) return status;
    auto *server = static_cast<aloop_server *>(value);
    status = client(static_cast<int>(aloop_server_port(server, 0)));
    aloop_server_close(server);
    aloop_server_abort_clients(server);
    await_limited(aloop_server_wait_closed(server));
    aloop_unref(server);
    return status;
}

int64_t program(void *, void **) {
    const int64_t first = sockets();
    const int64_t second = child();
    return first < 0 ? first : second;
}

void try_fault(int kind, int error, int at, int descriptors) {
    // Another connection waits behind one that failed in the kernel's queue.
    const bool harmless = error == EINTR || error == ECONNABORTED || error == ENETDOWN ||
                          error == EHOSTUNREACH;
    const bool accepting = std::strcmp(k_calls[kind].name, "accept4") == 0;
    const bool must_work = error == EINTR || (accepting && harmless);
    const int64_t status = run_with_fault(program, kind, at, error, must_work);
    char what[128];
    std::snprintf(what, sizeof what, "%s number %d fails with %s", k_calls[kind].name, at,
                  strerrorname_np(error));
    assert_clean(what, descriptors);
    if (g_fault.hits > 0 && must_work && status != 0) {
        fail_msg("%s: the program ended with %s", what, aloop_errname(status));
    }
    if (status > 0) fail_msg("%s: the program ended with %ld", what, static_cast<long>(status));
}

void each_call_fails(void **) {
    const sys_table table = faulty_table();
    aloop::set_default_sys(&table);
    assert_int_equal(run_program(program), 0);
    const int descriptors = open_descriptors();
    int total = 0;
    for (int kind = 0; kind < k_call_count; kind++) {
        int reached = 0;
        for (const int *error = k_calls[kind].errors; *error != 0; error++) {
            for (int at = 1; at <= 40; at++) {
                try_fault(kind, *error, at, descriptors);
                if (g_fault.hits == 0) break;
                reached++;
            }
        }
        if (reached == 0) fail_msg("the program makes no %s call", k_calls[kind].name);
        total += reached;
        print_message("%s: %d faults\n", k_calls[kind].name, reached);
    }
    assert_true(total > 60);
    g_fault.kind = -1;
    assert_int_equal(run_program(program), 0);
    aloop::set_default_sys(nullptr);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(each_call_fails)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
