// stream_calls_test.cpp: every system call of programs with pipes, files sent over
// streams and the program's own sockets fails in turn; and a server that runs out
// of descriptors serves again.
//
// SPDX-License-Identifier: MIT
#include "faults.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace {

using namespace faults;
using aloop::k_real_sys;
using aloop::sys_table;

// In the order of faulty_table() below.
const call_kind k_calls[] = {
    {"read", {EINTR, EIO, ENOMEM, 0}},
    {"writev", {EINTR, EPIPE, ENOMEM, 0}},
    {"fcntl", {EBADF, 0}},
    {"recvmsg", {EINTR, ECONNRESET, 0}},
    {"sendmsg", {EINTR, EPIPE, ENOBUFS, 0}},
    {"sendfile", {EINTR, EPIPE, EIO, EINVAL, EOVERFLOW, 0}},
    {"getsockopt", {ENOTSOCK, ENOBUFS, 0}},
    {"getpeername", {ENOTCONN, 0}},
};
constexpr int k_call_count = sizeof k_calls / sizeof k_calls[0];

// The loop's own wake-ups and timers are reads, too, of eight bytes.
int64_t read_of_pipes(int fd, void *to, size_t n) {
    if (n == sizeof(uint64_t)) return k_real_sys.read(fd, to, n);
    return faulty<0, &sys_table::read>::call(fd, to, n);
}

sys_table faulty_table() {
    sys_table t = k_real_sys;
    t.read = read_of_pipes;
    t.writev = faulty<1, &sys_table::writev>::call;
    t.fcntl = faulty<2, &sys_table::fcntl>::call;
    t.recvmsg = faulty<3, &sys_table::recvmsg>::call;
    t.sendmsg = faulty<4, &sys_table::sendmsg>::call;
    t.sendfile = faulty<5, &sys_table::sendfile>::call;
    t.getsockopt = faulty<6, &sys_table::getsockopt>::call;
    t.getpeername = faulty<7, &sys_table::getpeername>::call;
    return t;
}

constexpr size_t k_much = 300000;
char g_much[k_much];

int64_t await_value(aloop_future *f, void **value) {
    return aloop_await(aloop_wait_for(f, g_limit), value);
}

int64_t await(aloop_future *f) {
    void *value = nullptr;
    const int64_t status = await_value(f, &value);
    aloop_unref(value);
    return status;
}

// Two streams, dropped at the end; a descriptor that none of them took is closed.
struct two {
    aloop_stream *from = nullptr, *to = nullptr;
    int fds[2] = {-1, -1};

    void drop() {
        for (aloop_stream *s : {from, to}) {
            if (s == nullptr) continue;
            aloop_stream_abort(s);
            await(aloop_stream_wait_closed(s));
            aloop_unref(s);
        }
        if (from == nullptr) close(fds[1]);
        if (to == nullptr) close(fds[0]);
    }
};

// What is written comes out at the other end.
int64_t transfer(const two &t) {
    const aloop_buf parts[2] = {{g_much, 10}, {g_much + 10, k_much - 10}};
    int64_t status = aloop_stream_writelines(t.from, parts, 2);
    if (status >= 0) status = await(aloop_stream_readexactly(t.to, int64_t{k_much}));
    if (status >= 0) status = await(aloop_stream_drain(t.from));
    return status < 0 ? status : 0;
}

int64_t pipes(void *, void **) {
    two t;
    if (pipe2(t.fds, O_CLOEXEC) < 0) return -errno;
    int64_t status = await_value(aloop_connect_write_pipe(t.fds[1], nullptr),
                                 reinterpret_cast<void **>(&t.from));
    if (status >= 0) {
        status = await_value(aloop_connect_read_pipe(t.fds[0], nullptr),
                             reinterpret_cast<void **>(&t.to));
    }
    if (status >= 0) status = transfer(t);
    t.drop();
    return status < 0 ? status : 0;
}

int64_t use_socket(int fd, aloop_stream **out) {
    aloop_stream_options *o = aloop_stream_options_new();
    aloop_stream_options_set_descriptor(o, fd);
    const int64_t status = await_value(aloop_open_unix_connection(nullptr, o),
                                       reinterpret_cast<void **>(out));
    aloop_unref(o);
    return status;
}

int64_t send_file(const two &t, int file) {
    aloop_task *sends = aloop_ensure_future(aloop_stream_sendfile(t.from, file, 0, -1));
    const int64_t got = await(aloop_stream_readexactly(t.to, int64_t{k_much}));
    if (got < 0) aloop_future_cancel(sends, nullptr);
    const int64_t sent = await(sends);
    if (sent < 0 && sent != ALOOP_ECANCELED) return sent;
    return got < 0 ? got : 0;
}

int64_t files(void *, void **) {
    two t;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.fds) < 0) return -errno;
    char path[] = "/tmp/aloop-calls-XXXXXX";
    const int file = mkstemp(path);
    unlink(path);
    int64_t status = write(file, g_much, k_much) == int64_t{k_much} ? 0 : int64_t{ALOOP_EINVAL};
    if (status >= 0) status = use_socket(t.fds[1], &t.from);
    if (status >= 0) status = use_socket(t.fds[0], &t.to);
    if (status >= 0) status = transfer(t);
    if (status >= 0) status = send_file(t, file);
    t.drop();
    close(file);
    return status < 0 ? status : 0;
}

void each_call_fails(void **) {
    struct {
        const char *name;
        aloop_coro_fn main;
    } const programs[] = {{"pipes", pipes}, {"files", files}};
    const sys_table table = faulty_table();
    aloop::set_default_sys(&table);
    for (const auto &p : programs) assert_int_equal(run_program(p.main), 0);
    const int descriptors = open_descriptors();
    for (int kind = 0; kind < k_call_count; kind++) {
        int reached = 0;
        for (const auto &p : programs) {
            reached += fail_each(p.main, p.name, k_calls, kind, descriptors);
        }
        if (reached == 0) fail_msg("no program makes a %s call", k_calls[kind].name);
        print_message("%s: %d faults\n", k_calls[kind].name, reached);
    }
    for (const auto &p : programs) assert_int_equal(run_program(p.main), 0);
    aloop::set_default_sys(nullptr);
}

// Out of descriptors --------------------------------------------------------------------------

// The first calls fail, each with the error; `at` counts them down.
int64_t starving_accept(int fd, sockaddr *address, socklen_t *size, int flags) {
    if (g_fault.at > 0) {
        g_fault.at--;
        g_fault.hits++;
        return -g_fault.error;
    }
    return k_real_sys.accept4(fd, address, size, flags);
}

// The spare descriptor is not there again at once either.
int64_t starving_open(const char *path, int flags, int mode) {
    if (g_fault.hits > 0 && g_fault.seen == 0) {
        g_fault.seen++;
        return -EMFILE;
    }
    return k_real_sys.open(path, flags, mode);
}

int64_t greet(aloop_stream *client, void *) {
    aloop_stream_write(client, "hello\n", 6);
    return 0;
}

// A client may be sent away, and comes again.
int64_t served_at_last(void *, void **) {
    aloop_server *server = nullptr;
    int64_t status = await_value(aloop_start_server(greet, nullptr, "127.0.0.1", 0, nullptr),
                                 reinterpret_cast<void **>(&server));
    if (status < 0) return status;
    const int port = static_cast<int>(aloop_server_port(server, 0));
    int64_t got = 0;
    for (int i = 0; i < 5 && got <= 0; i++) {
        aloop_stream *s = nullptr;
        status = await_value(aloop_open_connection("127.0.0.1", port, nullptr),
                             reinterpret_cast<void **>(&s));
        if (status < 0) break;
        got = await(aloop_stream_readline(s));
        aloop_stream_abort(s);
        aloop_unref(s);
    }
    aloop_server_close(server);
    await(aloop_server_wait_closed(server));
    aloop_unref(server);
    return status < 0 ? status : got == 6 ? 0 : int64_t{ALOOP_ETIMEDOUT};
}

int g_reports;

void count_report(aloop_loop *, aloop_exception_context *, void *) { g_reports++; }

int64_t counted(void *, void **value) {
    aloop_loop_set_exception_handler(aloop_get_running_loop(), count_report, nullptr, nullptr);
    return served_at_last(nullptr, value);
}

void a_starved_server_serves_again(void **) {
    sys_table table = k_real_sys;
    table.accept4 = starving_accept;
    table.open = starving_open;
    aloop::set_default_sys(&table);
    const int descriptors = open_descriptors();
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        g_reports = 0;
        g_fault.set(-1, 2, error);  // the second one is the shedding's, or the next try
        assert_int_equal(run_program(counted), 0);
        assert_int_equal(g_fault.hits, 2);
        assert_int_equal(g_reports, 1);  // one an episode
        assert_clean(strerrorname_np(error), descriptors);
    }
    g_fault.set(-1, 0, 0);
    aloop::set_default_sys(nullptr);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(each_call_fails),
                                cmocka_unit_test(a_starved_server_serves_again)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
