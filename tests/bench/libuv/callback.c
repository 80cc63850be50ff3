// libuv's way to run something in every round: an idle handle. While one is active the loop does
// not sleep, but polls.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/bench.h"

static size_t left;

static void again(uv_idle_t *handle) {
    if (left > 0)
        left--;
    else
        uv_idle_stop(handle);
}

static double run(size_t handles, size_t calls) {
    uv_loop_t *loop = uv_default_loop();
    uv_idle_t *all = must(calloc(handles, sizeof *all));
    left = calls - handles;
    for (size_t i = 0; i < handles; i++) {
        uv_idle_init(loop, &all[i]);
        uv_idle_start(&all[i], again);
    }
    uint64_t start = now_ns();
    uv_run(loop, UV_RUN_DEFAULT);
    double ns = (double)(now_ns() - start) / (double)calls;
    for (size_t i = 0; i < handles; i++) uv_close((uv_handle_t *)&all[i], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    free(all);
    return ns;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    emit("callback", "among 1000", run(1000, calls), "ns");
    emit("callback", "alone", run(1, calls), "ns");
}
