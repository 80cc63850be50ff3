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

void each_call_fails(void **) {
    const sys_table table = faulty_table();
    aloop::set_default_sys(&table);
    assert_int_equal(run_program(talk_over_tls), 0);
    const int descriptors = open_descriptors();
    for (int kind = 0; kind < k_call_count; kind++) {
        const int reached = fail_each(talk_over_tls, "TLS", k_calls, kind, descriptors);
        if (reached == 0) fail_msg("the program makes no %s call", k_calls[kind].name);
        print_message("%s: %d faults\n", k_calls[kind].name, reached);
    }
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
