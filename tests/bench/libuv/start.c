// A uv_loop_t made, turned once and closed.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        uv_loop_t loop;
        if (uv_loop_init(&loop) != 0) abort();
        uv_run(&loop, UV_RUN_NOWAIT);
        if (uv_loop_close(&loop) != 0) abort();
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
