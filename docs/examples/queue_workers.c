/*
 * Twenty jobs in a queue, three workers, join, cancel: asyncio's program for
 * queues. A job is a time to sleep. It takes about four seconds, or none with
 * ASYNCLOOP_CLOCK=virtual.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define JOBS 20
#define WORKERS 3

struct worker {
    char name[16];
    aloop_queue *queue;
};

/* Takes jobs until it is cancelled. */
static int64_t work(void *arg, void **value) {
    (void)value;
    const struct worker *self = arg;
    for (;;) {
        void *job = NULL;
        int64_t status = aloop_await(aloop_queue_get(self->queue), &job);
        if (status < 0) return status;
        const double seconds = *(double *)job;
        free(job);
        status = aloop_await(aloop_sleep(seconds), NULL);
        if (status < 0) return status;
        aloop_queue_task_done(self->queue);
        printf("%s has slept for %.2f seconds\n", self->name, seconds);
    }
}

/* Puts the jobs in; their total, or a code. */
static double fill(aloop_queue *queue) {
    double total = 0;
    for (int i = 0; i < JOBS; i++) {
        double *job = malloc(sizeof *job);
        if (job == NULL) return ALOOP_ENOMEM;
        *job = 0.05 + 0.95 * rand() / RAND_MAX;
        total += *job;
        const int64_t status = aloop_queue_put_nowait(queue, job);
        if (status < 0) {
            free(job); /* refused: it is still ours */
            return (double)status;
        }
    }
    return total;
}

static int64_t run(void *arg, void **value) {
    (void)value;
    aloop_queue *queue = arg;
    const double total = fill(queue);
    if (total < 0) return (int64_t)total;

    struct worker workers[WORKERS];
    aloop_task *tasks[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        snprintf(workers[i].name, sizeof workers[i].name, "worker-%d", i);
        workers[i].queue = queue;
        tasks[i] = aloop_create_task(work, &workers[i]);
    }

    /* Wait until every job is done. */
    aloop_loop *loop = aloop_get_running_loop();
    const double started = aloop_loop_time(loop);
    int64_t status = aloop_await(aloop_queue_join(queue), NULL);
    const double slept = aloop_loop_time(loop) - started;

    for (int i = 0; i < WORKERS; i++) aloop_task_cancel(tasks[i], NULL);
    aloop_await(aloop_gather(tasks, WORKERS, ALOOP_RETURN_EXCEPTIONS), NULL);
    if (status < 0) return status;

    puts("====");
    printf("%d workers slept in parallel for %.2f seconds\n", WORKERS, slept);
    printf("total expected sleep time: %.2f seconds\n", total);
    return 0;
}

int main(int argc, char **argv) {
    /* The same jobs each time with a number as the argument. */
    srand(argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL));
    aloop_queue_options *options = aloop_queue_options_new();
    aloop_queue_options_set_item_free(options, free); /* for jobs that nobody takes */
    aloop_queue *queue = NULL;
    int64_t status = aloop_queue_new(&queue, options);
    aloop_unref(options);
    if (status >= 0) status = aloop_run(run, queue, NULL);
    aloop_unref(queue);
    if (status < 0) fprintf(stderr, "queue_workers: %s\n", aloop_strerror(status));
    return status < 0;
}
