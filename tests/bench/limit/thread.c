// The least that a round trip to a thread pool can cost: a list under one mutex, a condition
// variable, and an eventfd for the way back, written only when nothing was waiting there yet. One
// worker is being woken at a time, and wakes the next if it finds more to do than its own job: to
// wake one for each job costs five times as much.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sys/eventfd.h>

#include "../common/bench.h"

enum { k_threads = 4, k_most = 64 };

typedef struct job job;
struct job {
    job *next;
};

typedef struct {
    job *head, **tail;
} fifo;

static void push(fifo *f, job *j) {
    j->next = NULL;
    *f->tail = j;
    f->tail = &j->next;
}

static pthread_mutex_t todo_mutex = PTHREAD_MUTEX_INITIALIZER,
                       done_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t todo_there = PTHREAD_COND_INITIALIZER;
static fifo todo = {NULL, &todo.head}, done = {NULL, &done.head};
static int idle, waking, done_fd;

// Called with todo_mutex held.
static void wake_one(void) {
    if (idle == 0 || waking || !todo.head) return;
    waking = 1;
    pthread_cond_signal(&todo_there);
}

static void *worker(void *unused) {
    pthread_mutex_lock(&todo_mutex);
    for (;;) {
        while (!todo.head) {
            idle++;
            pthread_cond_wait(&todo_there, &todo_mutex);
            idle--;
            waking = 0;
        }
        job *j = todo.head;
        if (!(todo.head = j->next)) todo.tail = &todo.head;
        wake_one();
        pthread_mutex_unlock(&todo_mutex);
        pthread_mutex_lock(&done_mutex);
        int was_empty = !done.head;
        push(&done, j);
        pthread_mutex_unlock(&done_mutex);
        if (was_empty) must_ok((int)write(done_fd, &(uint64_t){1}, 8));
        pthread_mutex_lock(&todo_mutex);
    }
    return unused;
}

static void submit(job *j) {
    pthread_mutex_lock(&todo_mutex);
    push(&todo, j);
    wake_one();
    pthread_mutex_unlock(&todo_mutex);
}

static double run(size_t trips, size_t in_flight) {
    job jobs[k_most];
    uint64_t start = now_ns(), wakes;
    for (size_t i = 0; i < in_flight; i++) submit(&jobs[i]);
    for (size_t ended = 0; ended < trips + in_flight;) {
        must_ok((int)read(done_fd, &wakes, 8));
        pthread_mutex_lock(&done_mutex);
        job *all = done.head;
        done = (fifo){NULL, &done.head};
        pthread_mutex_unlock(&done_mutex);
        for (job *next; all; all = next) {
            next = all->next;
            if (++ended <= trips) submit(all);
        }
    }
    return (double)(now_ns() - start) / (double)(trips + in_flight);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    done_fd = must_ok(eventfd(0, 0));
    pin_thread(1);  // the pool has one processor, the loop the other
    for (int i = 0; i < k_threads; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, worker, NULL);
    }
    pin_thread(0);
    emit("thread", "1 in flight", run(n, 1), "ns");
    emit("thread", "64 in flight", run(10 * n, k_most), "ns");
}
