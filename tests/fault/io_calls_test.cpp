// io_calls_test.cpp: every system call of programs with datagrams, plain sockets
// and files fails in turn, with each error that it may give; the rules are those
// of system_call_test.
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

// In the order of faulty_table() below. EINTR never shows.
const call_kind k_calls[] = {
    {"recvmmsg", {EINTR, ECONNREFUSED, ENOMEM, ENOBUFS, 0}},
    {"sendmmsg", {EINTR, EPERM, ENOBUFS, EAGAIN, 0}},
    {"sendmsg", {EINTR, ECONNREFUSED, EAGAIN, ENOBUFS, 0}},
    {"socket", {EMFILE, ENFILE, ENOBUFS, 0}},
    {"bind", {EADDRINUSE, EACCES, 0}},
    {"connect", {ENETUNREACH, EAGAIN, 0}},
    {"getsockname", {ENOBUFS, 0}},
    {"setsockopt", {EINVAL, ENOBUFS, 0}},
    {"recv", {EINTR, ECONNRESET, EAGAIN, 0}},
    {"send", {EINTR, EPIPE, EAGAIN, 0}},
    {"recvmsg", {EINTR, ENOMEM, EAGAIN, 0}},
    {"open", {EINTR, EMFILE, ENOENT, EACCES, 0}},
    {"fstat", {EIO, 0}},
    {"read", {EINTR, EIO, 0}},
    {"write", {EINTR, ENOSPC, EIO, 0}},
    {"pread", {EINTR, EIO, 0}},
    {"pwrite", {EINTR, EFBIG, 0}},
    {"fsync", {EINTR, EIO, 0}},
    {"ftruncate", {EINTR, EFBIG, 0}},
    {"rename", {EXDEV, EACCES, 0}},
    {"stat_path", {ELOOP, 0}},
    {"inotify_init1", {EMFILE, 0}},
    {"inotify_add_watch", {ENOSPC, ENOENT, 0}},
};
constexpr int k_call_count = sizeof k_calls / sizeof k_calls[0];

// The loop's wake-ups are writes, too, of eight bytes; without them nothing is told.
int64_t write_to_files(int fd, const void *data, size_t n) {
    if (n == sizeof(uint64_t)) return k_real_sys.write(fd, data, n);
    return faulty<14, &sys_table::write>::call(fd, data, n);
}

sys_table faulty_table() {
    sys_table t = k_real_sys;
    t.recvmmsg = faulty<0, &sys_table::recvmmsg>::call;
    t.sendmmsg = faulty<1, &sys_table::sendmmsg>::call;
    t.sendmsg = faulty<2, &sys_table::sendmsg>::call;
    t.socket = faulty<3, &sys_table::socket>::call;
    t.bind = faulty<4, &sys_table::bind>::call;
    t.connect = faulty<5, &sys_table::connect>::call;
    t.getsockname = faulty<6, &sys_table::getsockname>::call;
    t.setsockopt = faulty<7, &sys_table::setsockopt>::call;
    t.recv = faulty<8, &sys_table::recv>::call;
    t.send = faulty<9, &sys_table::send>::call;
    t.recvmsg = faulty<10, &sys_table::recvmsg>::call;
    t.open = faulty<11, &sys_table::open>::call;
    t.fstat = faulty<12, &sys_table::fstat>::call;
    t.read = faulty<13, &sys_table::read>::call;
    t.write = write_to_files;
    t.pread = faulty<15, &sys_table::pread>::call;
    t.pwrite = faulty<16, &sys_table::pwrite>::call;
    t.fsync = faulty<17, &sys_table::fsync>::call;
    t.ftruncate = faulty<18, &sys_table::ftruncate>::call;
    t.rename = faulty<19, &sys_table::rename>::call;
    t.stat_path = faulty<20, &sys_table::stat_path>::call;
    t.inotify_init1 = faulty<21, &sys_table::inotify_init1>::call;
    t.inotify_add_watch = faulty<22, &sys_table::inotify_add_watch>::call;
    return t;
}

int64_t await_value(aloop_future *f, void **value) {
    return aloop_await(aloop_wait_for(f, g_limit), value);
}

int64_t await(aloop_future *f) {
    void *value = nullptr;
    const int64_t status = await_value(f, &value);
    aloop_unref(value);
    return status;
}

// Datagrams --------------------------------------------------------------------------------

int64_t make_endpoint(aloop_datagram **out, int32_t remote) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    if (remote == 0) aloop_datagram_options_set_local_address(o, "127.0.0.1", 0);
    else aloop_datagram_options_set_remote_address(o, "127.0.0.1", remote);
    aloop_datagram_options_set_reuse_port(o, 1);
    const int64_t status = await_value(aloop_create_datagram_endpoint(o),
                                       reinterpret_cast<void **>(out));
    aloop_unref(o);
    return status;
}

int64_t send_and_receive(aloop_datagram *client, aloop_datagram *server) {
    const aloop_buf many[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
    int64_t status = await(aloop_datagram_sendto(client, "hello", 5, nullptr));
    if (status >= 0) status = await(aloop_datagram_recvfrom(server));
    int64_t sent = 0;
    while (status >= 0 && sent < 3) {
        const size_t left = static_cast<size_t>(3 - sent);
        status = await(aloop_datagram_sendmany(client, many + sent, nullptr, left));
        if (status > 0) sent += status;
    }
    for (int64_t got = 0; status >= 0 && got < 3; got += status) {
        status = await(aloop_datagram_recvmany(server, 3));
    }
    return status < 0 ? status : 0;
}

int64_t datagrams(void *, void **) {
    aloop_datagram *server = nullptr, *client = nullptr;
    int64_t status = make_endpoint(&server, 0);
    if (status < 0) return status;
    aloop_address *at = aloop_datagram_local_address(server);
    status = at != nullptr ? make_endpoint(&client, static_cast<int32_t>(aloop_address_port(at)))
                           : int64_t{-ENOBUFS};
    aloop_unref(at);
    if (status >= 0) status = send_and_receive(client, server);
    for (aloop_datagram *d : {server, client}) {
        if (d == nullptr) continue;
        aloop_datagram_close(d);
        await(aloop_datagram_wait_closed(d));
        aloop_unref(d);
    }
    return status;
}

// Plain sockets ----------------------------------------------------------------------------

int64_t talk(const int *pair) {
    const int32_t passed = pair[0];
    int64_t status = await(aloop_sock_sendall(pair[0], "hello", 5));
    if (status >= 0) status = await(aloop_sock_recv(pair[1], 100));
    if (status >= 0) status = await(aloop_sock_send_fds(pair[0], "x", 1, &passed, 1));
    if (status >= 0) status = await(aloop_sock_recv_fds(pair[1], 100));
    if (status >= 0) status = await(aloop_sock_sendto(pair[1], "y", 1, nullptr));
    if (status >= 0) status = await(aloop_sock_recvfrom(pair[0], 100));
    return status < 0 ? status : 0;
}

int64_t sockets(void *, void **) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    const int64_t status = talk(pair);
    close(pair[0]);
    close(pair[1]);
    return status;
}

// Files --------------------------------------------------------------------------------------

char g_directory[64];

int64_t use(aloop_file *file) {
    int64_t status = await(aloop_file_write(file, "hello", 5));
    if (status >= 0) status = await(aloop_file_pwrite(file, "J", 1, 0));
    if (status >= 0) status = await(aloop_file_pread(file, 5, 0));
    if (status >= 0) status = await(aloop_file_seek(file, 0, SEEK_SET));
    if (status >= 0) status = await(aloop_file_read(file, 5));
    if (status >= 0) status = await(aloop_file_fstat(file));
    if (status >= 0) status = await(aloop_file_truncate(file, 1));
    if (status >= 0) status = await(aloop_file_fsync(file));
    const int64_t closed = await(aloop_file_close(file));
    return status < 0 ? status : closed;
}

int64_t whole(const char *path) {
    int64_t status = await(aloop_write_file(path, "whole", 5));
    if (status >= 0) status = await(aloop_read_file(path, 100));
    if (status >= 0) status = await(aloop_stat_file(path, 1));
    if (status >= 0) status = await(aloop_list_directory(g_directory));
    // Whatever failed, no draft is left.
    return status < 0 ? status : status == 2 ? 0 : int64_t{ALOOP_EINVAL};
}

int64_t files(void *, void **) {
    char path[96], other[96];
    std::snprintf(path, sizeof path, "%s/a", g_directory);
    std::snprintf(other, sizeof other, "%s/b", g_directory);
    aloop_file_watch *watch = nullptr;
    int64_t status = aloop_file_watch_new(&watch, g_directory);
    if (status < 0) return status;
    void *file = nullptr;
    status = await_value(aloop_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), &file);
    if (status >= 0) status = use(static_cast<aloop_file *>(file));
    aloop_unref(file);
    if (status >= 0) status = whole(other);
    if (status >= 0) status = await(aloop_file_watch_next(watch));
    aloop_unref(watch);
    unlink(path);
    unlink(other);
    return status < 0 ? status : 0;
}

// Every call of a program fails in turn ---------------------------------------------------

void each_call_fails(void **) {
    struct {
        const char *name;
        aloop_coro_fn main;
    } const programs[] = {{"datagrams", datagrams}, {"sockets", sockets}, {"files", files}};
    std::strcpy(g_directory, "/tmp/aloop-calls-XXXXXX");
    assert_non_null(mkdtemp(g_directory));
    const sys_table table = faulty_table();
    aloop::set_default_sys(&table);
    for (const auto &p : programs) assert_int_equal(run_program(p.main), 0);
    const int descriptors = open_descriptors();
    int total = 0;
    for (int kind = 0; kind < k_call_count; kind++) {
        int reached = 0;
        for (const auto &p : programs) {
            reached += fail_each(p.main, p.name, k_calls, kind, descriptors);
        }
        if (reached == 0) fail_msg("no program makes a %s call", k_calls[kind].name);
        total += reached;
        print_message("%s: %d faults\n", k_calls[kind].name, reached);
    }
    assert_true(total > 60);
    for (const auto &p : programs) assert_int_equal(run_program(p.main), 0);
    aloop::set_default_sys(nullptr);
    assert_int_equal(rmdir(g_directory), 0);  // nothing is left in it
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(each_call_fails)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
