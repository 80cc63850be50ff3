// tls_calls_test.cpp: every system call of a program over TLS fails in turn, with
// each error that it may give; the rules are those of system_call_test.
//
// SPDX-License-Identifier: MIT
#include "faults.hpp"

#include "tls_scenario.h"

namespace {

using namespace faults;
using aloop::k_real_sys;
using aloop::sys_table;

// In the order of faulty_table() below.
const call_kind k_calls[] = {
    {"recv", {EINTR, ECONNRESET, ENOMEM, ETIMEDOUT, 0}},
    {"send", {EINTR, EPIPE, ECONNRESET, ENOBUFS, 0}},
    {"connect", {ECONNREFUSED, ENETUNREACH, 0}},
    {"accept4", {EINTR, ECONNABORTED, EMFILE, 0}},
    {"getsockopt", {ENOBUFS, 0}},
};
constexpr int k_call_count = sizeof k_calls / sizeof k_calls[0];

sys_table faulty_table() {
    sys_table t = k_real_sys;
    t.recv = faulty<0, &sys_table::recv>::call;
    t.send = faulty<1, &sys_table::send>::call;
    t.connect = faulty<2, &sys_table::connect>::call;
    t.accept4 = faulty<3, &sys_table::accept4>::call;
    t.getsockopt = faulty<4, &sys_table::getsockopt>::call;
    return t;
}

int try_fault(int kind, int error, int at, int descriptors) {
    g_fault.set(kind, at, error);
    const int64_t status = run_program(talk_over_tls);
    char what[160];
    std::snprintf(what, sizeof what, "%s number %d fails with %s: %s", k_calls[kind].name, at,
                  strerrorname_np(error), aloop_errname(status));
    assert_clean(what, descriptors);
    const bool must_work = g_fault.hits == 0 || error == EINTR;
    if (status > 0 || (must_work && status != 0)) fail_msg("%s", what);
    return g_fault.hits;
}

void each_call_fails(void **) {
    const sys_table table = faulty_table();
    aloop::set_default_sys(&table);
    assert_int_equal(run_program(talk_over_tls), 0);
    const int descriptors = open_descriptors();
    for (int kind = 0; kind < k_call_count; kind++) {
        int reached = 0;
        for (const int *error = k_calls[kind].errors; *error != 0; error++) {
            for (int at = 1; at <= 30 && try_fault(kind, *error, at, descriptors) > 0; at++) {
                reached++;
            }
        }
        if (reached == 0) fail_msg("the program makes no %s call", k_calls[kind].name);
        print_message("%s: %d faults\n", k_calls[kind].name, reached);
    }
    g_fault.set(-1, 0, 0);
    assert_int_equal(run_program(talk_over_tls), 0);
    aloop::set_default_sys(nullptr);
}

}  // namespace

int main() {
    prepare_tls();
    const CMUnitTest tests[] = {cmocka_unit_test(each_call_fails)};
    const int failed = cmocka_run_group_tests(tests, nullptr, nullptr);
    clean_up_tls();
    return failed;
}
