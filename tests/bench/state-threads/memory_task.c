// What a thread of State Threads holds that sleeps, on a mapped stack, of which only the pages
// count that it touched.
//
// SPDX-License-Identifier: MIT
#include <st.h>

#include "../common/bench.h"

static void *sleep_long(void *unused) {
    st_sleep(3600);
    return unused;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    must_ok(st_init());
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++) must(st_thread_create(sleep_long, NULL, 0, 16 * 1024));
    st_usleep(1);  // all of them run once, and sleep
    emit("memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
    _exit(0);
}
