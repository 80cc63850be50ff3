// libev starts no processes, but reaps them: posix_spawn, and a child watcher (SIGCHLD).
//
// SPDX-License-Identifier: MIT
#include <ev.h>
#include <spawn.h>

#include "../common/process.h"

extern char **environ;

static struct ev_loop *loop;
static size_t to_start;

static void spawn_one(void);

static void exited(struct ev_loop *l, ev_child *watcher, int what) {
    (void)what;
    if (watcher->rstatus != 0) abort();
    ev_child_stop(l, watcher);
    free(watcher);
    spawn_one();
}

static void spawn_one(void) {
    if (to_start == 0) return;
    to_start--;
    char *args[] = {"/bin/true", NULL};
    pid_t pid;
    if (posix_spawn(&pid, args[0], NULL, NULL, args, environ) != 0) abort();
    ev_child *watcher = must(malloc(sizeof *watcher));
    ev_child_init(watcher, exited, pid, 0);
    ev_child_start(loop, watcher);
}

static double run(size_t children, size_t at_a_time) {
    to_start = children;
    uint64_t start = now_ns();
    for (size_t i = 0; i < at_a_time; i++) spawn_one();
    ev_run(loop, 0);
    return per_second(children, start);
}

int main(int argc, char **argv) {
    loop = EV_DEFAULT;
    process_emit(count_arg(argc, argv), run);
}
