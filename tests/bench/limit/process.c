// The least that a child process can cost: posix_spawn and waitpid.
//
// SPDX-License-Identifier: MIT
#include <spawn.h>
#include <sys/wait.h>

#include "../common/process.h"

extern char **environ;

static double run(size_t children, size_t at_a_time) {
    char *argv[] = {"/bin/true", NULL};
    size_t started = 0, running = 0;
    uint64_t start = now_ns();
    for (size_t ended = 0; ended < children; ended++) {
        for (; running < at_a_time && started < children; started++, running++) {
            pid_t pid;
            if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0) abort();
        }
        must_ok(waitpid(-1, NULL, 0));
        running--;
    }
    return per_second(children, start);
}

int main(int argc, char **argv) { process_emit(count_arg(argc, argv), run); }
