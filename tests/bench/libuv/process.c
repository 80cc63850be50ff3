// uv_spawn of /bin/true, reaped by its exit callback.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/process.h"

static uv_loop_t *loop;
static size_t to_start;

static void spawn_one(void);

static void closed(uv_handle_t *handle) { free(handle); }

static void exited(uv_process_t *process, int64_t status, int signal) {
    if (status != 0 || signal != 0) abort();
    uv_close((uv_handle_t *)process, closed);
    spawn_one();
}

static void spawn_one(void) {
    if (to_start == 0) return;
    to_start--;
    char *args[] = {"/bin/true", NULL};
    uv_process_options_t options = {.exit_cb = exited, .file = args[0], .args = args};
    if (uv_spawn(loop, must(malloc(sizeof(uv_process_t))), &options) != 0) abort();
}

static double run(size_t children, size_t at_a_time) {
    to_start = children;
    uint64_t start = now_ns();
    for (size_t i = 0; i < at_a_time; i++) spawn_one();
    uv_run(loop, UV_RUN_DEFAULT);
    return per_second(children, start);
}

int main(int argc, char **argv) {
    loop = uv_default_loop();
    process_emit(count_arg(argc, argv), run);
}
