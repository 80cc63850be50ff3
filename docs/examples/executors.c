/*
 * Work for threads and for worker processes: blocking calls in the default
 * executor, in one of one's own, and something that computes in a pool of
 * processes, each with memory of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t blocking_io(void *arg, void **value) {
    usleep(50000); /* a file, a library that blocks, ... */
    *value = arg;
    return 0;
}

/* The sum of the squares below n; runs in a worker process: bytes to bytes. */
static int64_t cpu_bound(const void *data, size_t size, aloop_bytes **result) {
    uint64_t n = 0, sum = 0;
    if (size != sizeof n) return ALOOP_EINVAL;
    memcpy(&n, data, size);
    for (uint64_t i = 0; i < n; i++) sum += i * i;
    *result = aloop_bytes_new(&sum, sizeof sum);
    return *result == NULL ? ALOOP_ENOMEM : 0;
}

static int64_t in_threads(aloop_loop *loop, aloop_executor *executor, char *label) {
    void *result = NULL;
    aloop_future *job = aloop_run_in_executor(loop, executor, blocking_io, label, NULL);
    int64_t rc = aloop_await(job, &result);
    if (rc < 0) return rc;
    printf("%s\n", (char *)result);
    return 0;
}

static int64_t in_processes(aloop_loop *loop, aloop_executor *pool) {
    const uint64_t numbers[] = {1000, 100000, 1000000};
    aloop_future *jobs[3];
    for (int i = 0; i < 3; i++) {
        jobs[i] = aloop_run_in_process(loop, pool, cpu_bound, &numbers[i], sizeof numbers[i]);
    }
    aloop_results *results = NULL;
    int64_t rc = aloop_await(aloop_gather(jobs, 3, 0), (void **)&results);
    if (rc < 0) return rc;
    for (int i = 0; i < 3; i++) {
        uint64_t sum;
        memcpy(&sum, aloop_bytes_data(aloop_results_value(results, i)), sizeof sum);
        printf("process pool: %" PRIu64 " -> %" PRIu64 "\n", numbers[i], sum);
    }
    aloop_results_unref(results);
    return 0;
}

struct executors {
    aloop_executor *threads, *processes;
};

static int64_t run(void *arg, void **value) {
    (void)value;
    const struct executors *own = arg;
    aloop_loop *loop = aloop_get_running_loop();
    int64_t rc = in_threads(loop, NULL, "default thread pool");
    if (rc >= 0) rc = in_threads(loop, own->threads, "custom thread pool");
    if (rc >= 0) rc = aloop_loop_set_default_executor(loop, own->threads);
    if (rc >= 0) rc = in_threads(loop, NULL, "custom thread pool, now the default");
    if (rc >= 0) rc = in_processes(loop, own->processes);
    return rc;
}

int main(void) {
    /* The pool of processes first: it forks, and there is just one thread yet. */
    struct executors own = {.processes = aloop_executor_new_processes(2)};
    own.threads = aloop_executor_new_threads(3);
    const int status = aloop_main(run, &own);
    aloop_unref(own.threads);
    aloop_unref(own.processes);
    return status;
}
