// faults.hpp: lets the n-th system call of a kind fail, and checks that nothing
// is left behind. The kinds are numbered by the program that includes this.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dirent.h>

extern "C" {
#include <cmocka.h>
}

#include <asyncloop.h>

#include <atomic>

#include "base/sys.hpp"

namespace faults {

// The fault that is set: call number `at` of kind `kind` gives `error`. Threads
// make calls, too.
struct fault_state {
    std::atomic<int> kind{-1};
    std::atomic<int> at{0};
    std::atomic<int> error{0};
    std::atomic<int> seen{0};
    std::atomic<int> hits{0};

    void set(int which, int number, int code) {
        kind = which;
        at = number;
        error = code;
        seen = hits = 0;
    }
};
inline fault_state g_fault;

inline int64_t fault(int kind) {
    if (kind != g_fault.kind || ++g_fault.seen != g_fault.at) return 0;
    g_fault.hits++;
    return -g_fault.error;
}

// One entry of the table: the real call, unless it is its turn to fail.
template <int Kind, auto Member>
struct faulty;

template <int Kind, typename... A, int64_t (*aloop::sys_table::*Member)(A...)>
struct faulty<Kind, Member> {
    static int64_t call(A... arguments) {
        if (const int64_t error = fault(Kind)) return error;
        return (aloop::k_real_sys.*Member)(arguments...);
    }
};

struct call_kind {
    const char *name;
    int errors[8];  // ended by 0
};

inline int open_descriptors() {
    int n = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != nullptr) n++;
    closedir(directory);
    return n;
}

inline void assert_clean(const char *what, int descriptors) {
    for (int32_t i = 0; aloop_debug_stats_name(i) != nullptr; i++) {
        if (aloop_debug_stats(i) != 0) {
            fail_msg("%s: %ld %s left", what, static_cast<long>(aloop_debug_stats(i)),
                     aloop_debug_stats_name(i));
        }
    }
    if (open_descriptors() != descriptors) fail_msg("%s: a descriptor is left open", what);
}

inline void quiet(aloop_loop *, aloop_exception_context *, void *) {}

// program as the main coroutine of a loop whose reports are dropped.
inline int64_t run_program(aloop_coro_fn program) {
    aloop_runner *runner = nullptr;
    int64_t status = aloop_runner_new(&runner, nullptr);
    if (status < 0) return status;
    aloop_loop *loop = aloop_runner_get_loop(runner);
    status = ALOOP_ENOMEM;
    if (loop != nullptr) {
        aloop_loop_set_exception_handler(loop, quiet, nullptr, nullptr);
        status = aloop_runner_run(runner, program, nullptr, nullptr);
    }
    aloop_runner_close(runner);
    aloop_unref(runner);
    return status;
}

// Seconds for each step of a program: short, as one that has failed may keep the others waiting
// for ever; and where it must end well, more than it takes on the busiest machine.
constexpr double k_short = 0.5, k_patient = 100;
inline double g_limit = k_patient;

// Runs it with that call failing. One that made no such call, and yet did not end well, was
// slow, no more.
inline int64_t run_with_fault(aloop_coro_fn program, int kind, int at, int error,
                              bool must_work) {
    g_limit = must_work ? k_patient : k_short;
    g_fault.set(kind, at, error);
    int64_t status = run_program(program);
    const bool slow = status != 0 && g_fault.hits == 0 && !must_work;
    g_limit = k_patient;
    if (!slow) return status;
    g_fault.set(kind, at, error);
    return run_program(program);
}

// How many of the program's calls of one kind failed, each in a run of its own, with
// each error that it may give. Every run ends, with success (EINTR is no failure) or
// an error, and leaves nothing.
inline int fail_each(aloop_coro_fn program, const char *name, const call_kind *kinds, int kind,
                     int descriptors) {
    int reached = 0;
    for (const int *error = kinds[kind].errors; *error != 0; error++) {
        for (int at = 1; at <= 40; at++) {
            const int64_t status = run_with_fault(program, kind, at, *error, *error == EINTR);
            char what[160];
            std::snprintf(what, sizeof what, "%s, %s number %d fails with %s: %s", name,
                          kinds[kind].name, at, strerrorname_np(*error), aloop_errname(status));
            assert_clean(what, descriptors);
            const bool must_work = g_fault.hits == 0 || *error == EINTR;
            if (status > 0 || (must_work && status != 0)) fail_msg("%s", what);
            if (g_fault.hits == 0) break;
            reached++;
        }
    }
    g_fault.set(-1, 0, 0);
    return reached;
}

}  // namespace faults
