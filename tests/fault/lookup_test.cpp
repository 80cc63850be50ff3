// lookup_test.cpp: name lookups that are slow, fail, or are left behind, on a
// resolver of the test's own: nothing leaves the machine.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netdb.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
#include <cmocka.h>
}

#include <asyncloop.h>

#include "answers.hpp"

namespace {

using aloop::k_real_sys;
using aloop::sys_table;

std::atomic<int> g_asked{0};
sem_t g_go_on;

// slow.test answers when it may; code-N.test fails with that code; any other
// name is the pattern of its addresses.
int64_t fake_getaddrinfo(const char *host, const char *service, const addrinfo *hints,
                         addrinfo **found) {
    if (host == nullptr || (hints->ai_flags & AI_NUMERICHOST) != 0) {
        return k_real_sys.getaddrinfo(host, service, hints, found);
    }
    g_asked++;
    if (std::strncmp(host, "slow", 4) == 0) {
        while (sem_wait(&g_go_on) < 0) continue;
    }
    if (std::strncmp(host, "code", 4) == 0) {
        errno = EMFILE;
        return std::atoi(host + 4);
    }
    *found = answers::make(host[0] == 's' ? "x4" : host, std::atoi(service));
    return 0;
}

int64_t fake_getnameinfo(const sockaddr *a, socklen_t n, char *host, socklen_t host_size,
                         char *service, socklen_t service_size, int flags) {
    if ((flags & NI_NAMEREQD) == 0) {
        return k_real_sys.getnameinfo(a, n, host, host_size, service, service_size, flags);
    }
    g_asked++;
    return EAI_AGAIN;
}

sys_table g_table;

int64_t run(aloop_coro_fn fn) {
    const sys_table *before = aloop::default_sys();
    aloop::set_default_sys(&g_table);
    const int64_t status = aloop_run(fn, nullptr, nullptr);
    aloop::set_default_sys(before);
    return status;
}

void assert_clean() {
    for (int32_t i = 0; aloop_debug_stats_name(i) != nullptr; i++) {
        if (aloop_debug_stats(i) != 0) {
            fail_msg("%ld %s left", static_cast<long>(aloop_debug_stats(i)),
                     aloop_debug_stats_name(i));
        }
    }
}

// Done when a thread has begun with it.
int64_t wait_until_asked(int n) {
    while (g_asked.load() < n) {
        const int64_t status = aloop_await(aloop_sleep(0.001), nullptr);
        if (status < 0) return status;
    }
    return 0;
}

int64_t answers(void *, void **) {
    aloop_addresses *list = nullptr;
    const int64_t n = aloop_await(aloop_getaddrinfo("x4664", "80", nullptr),
                                  reinterpret_cast<void **>(&list));
    char text[ALOOP_ADDRESS_TEXT];
    aloop_address_format(aloop_addresses_at(list, 3), text, sizeof text);
    aloop_unref(list);
    if (n != 4 || std::strcmp(text, "127.0.0.4:80") != 0) return ALOOP_EINVAL;
    struct {
        const char *host;
        int64_t code;
        const char *text;
    } const wrong[] = {
        {"code-2", ALOOP_ERESOLVE, "Name or service not known: 'code-2'"},
        {"code-3", ALOOP_ERESOLVE, "Temporary failure in name resolution: 'code-3'"},
        {"code-10", ALOOP_ENOMEM, "Out of memory"},
        {"code-11", ALOOP_ERESOLVE, "Too many open files: 'code-11'"},
    };
    for (const auto &w : wrong) {
        const int64_t code = aloop_await(aloop_getaddrinfo(w.host, "80", nullptr), nullptr);
        if (code != w.code) return code < 0 ? code : ALOOP_EINVAL;
        assert_string_equal(aloop_error_message(aloop_last_error()), w.text);
    }
    aloop_address *a = nullptr;
    if (aloop_address_new(&a, "192.0.2.1", 80) < 0) return ALOOP_EINVAL;
    const int64_t code = aloop_await(aloop_getnameinfo(a, NI_NAMEREQD), nullptr);
    aloop_unref(a);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "Temporary failure in name resolution: '192.0.2.1:80'");
    return code == ALOOP_ERESOLVE ? 0 : ALOOP_EINVAL;
}

void test_answers(void **) {
    assert_int_equal(run(answers), 0);
    assert_clean();
}

// Threads that the loop has left behind end, and give back what they found.
void let_threads_end(int blocked) {
    for (int i = 0; i < blocked; i++) sem_post(&g_go_on);
    int value = 1;
    while (value > 0 || answers::g_made.load() > 0) {
        usleep(1000);
        sem_getvalue(&g_go_on, &value);
    }
}

// Four are under way; of those that wait two are cancelled and never asked for.
int64_t cancelled(void *, void **) {
    aloop_future *all[8];
    for (aloop_future *&f : all) {
        f = aloop_getaddrinfo("slow", "80", nullptr);
        aloop_ref(f);
    }
    int64_t status = wait_until_asked(4);
    aloop_future_cancel(all[0], nullptr);  // under way
    aloop_future_cancel(all[4], nullptr);  // waits
    aloop_future_cancel(all[7], nullptr);  // waits, the last
    aloop_await(aloop_sleep(0.01), nullptr);
    for (int i = 0; i < 6; i++) sem_post(&g_go_on);
    aloop_results *results = nullptr;
    if (status == 0) {
        status = aloop_await(aloop_gather(all, 8, ALOOP_RETURN_EXCEPTIONS),
                             reinterpret_cast<void **>(&results));
    }
    for (int i = 0; i < 8; i++) {
        const bool gone = i == 0 || i == 4 || i == 7;
        const int64_t expected = gone ? int64_t{ALOOP_ECANCELED} : 1;
        if (aloop_results_status(results, i) != expected) status = ALOOP_EINVAL;
        aloop_unref(all[i]);
    }
    aloop_unref(results);
    return status < 0 ? status : 0;
}

void test_cancelled(void **) {
    g_asked = 0;
    assert_int_equal(run(cancelled), 0);
    assert_int_equal(g_asked.load(), 6);
    assert_clean();
    let_threads_end(0);
}

// The loop closes while four are under way and more wait.
int64_t left_behind(void *, void **) {
    for (int i = 0; i < 10; i++) aloop_unref(aloop_getaddrinfo("slow", "80", nullptr));
    return wait_until_asked(4);
}

void test_left_behind(void **) {
    g_asked = 0;
    assert_int_equal(run(left_behind), 0);
    assert_clean();
    let_threads_end(4);
    assert_int_equal(g_asked.load(), 4);
}

int64_t ask_once(void *, void **) {
    const int64_t n = aloop_await(aloop_getaddrinfo("x44", "80", nullptr), nullptr);
    return n == 2 ? 0 : n < 0 ? n : ALOOP_EINVAL;
}

// A fork while lookups run and wait: the child empties its loop, and resolves
// with threads of its own.
void test_forked(void **) {
    aloop::set_default_sys(&g_table);
    aloop_loop *loop = nullptr;
    assert_int_equal(aloop_loop_new(&loop, nullptr), 0);
    aloop::set_default_sys(nullptr);
    g_asked = 0;
    assert_int_equal(
        aloop_loop_run_until_complete(loop, aloop_loop_create_task(loop, left_behind, nullptr),
                                      nullptr), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(100);
        int wrong = aloop_loop_after_fork(loop) != 0;
        wrong += aloop_loop_run_until_complete(
                     loop, aloop_loop_create_task(loop, ask_once, nullptr), nullptr) != 0;
        wrong += aloop_loop_close(loop) != 0;
        aloop_loop_unref(loop);
        for (int32_t i = 0; aloop_debug_stats_name(i) != nullptr; i++) {
            wrong += aloop_debug_stats(i) != 0;
        }
        _exit(wrong);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(aloop_loop_close(loop), 0);
    aloop_loop_unref(loop);
    let_threads_end(4);
    assert_clean();
}

}  // namespace

int main() {
    sem_init(&g_go_on, 0, 0);
    g_table = k_real_sys;
    g_table.getaddrinfo = fake_getaddrinfo;
    g_table.freeaddrinfo = answers::give_back;
    g_table.getnameinfo = fake_getnameinfo;
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_forked),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
