// State Threads: a thousand threads at a time, each joined; it keeps their stacks for the next.
//
// SPDX-License-Identifier: MIT
#include <st.h>

#include "../common/bench.h"

enum { k_batch = 1000 };

static void *no_op(void *unused) { return unused; }

int main(int argc, char **argv) {
    st_thread_t threads[k_batch];
    size_t n = count_arg(argc, argv);
    must_ok(st_init());
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += k_batch) {
        for (int i = 0; i < k_batch; i++)
            threads[i] = must(st_thread_create(no_op, NULL, 1, 16 * 1024));
        for (int i = 0; i < k_batch; i++) st_thread_join(threads[i], NULL);
    }
    emit("spawn", "spawn + join", (double)(now_ns() - start) / (double)n, "ns");
}
