// post: a thread posts callbacks into a running loop; two loops in two threads, each asleep while
// the other answers.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>

#include "ours.h"

static aloop_loop *loop, *other;
static size_t count, done, trips;

static int64_t work(void *unused) {
    (void)unused;
    if (++done == count) aloop_loop_stop(loop);
    return 0;
}

static void *post_all(void *unused) {
    pin_thread(1);
    for (size_t i = 0; i < count; i++)
        must_code(aloop_loop_call_soon_threadsafe(loop, work, NULL, NULL));
    return unused;
}

static double flood(size_t n) {
    pthread_t thread;
    count = n;
    uint64_t start = now_ns();
    pthread_create(&thread, NULL, post_all, NULL);
    must_code(aloop_loop_run_forever(loop));
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    return ns;
}

static int64_t ask(void *unused);

// Runs in the other loop. Stopping comes last: the answer has been posted by then.
static int64_t answer(void *unused) {
    int last = --trips == 0;
    must_code(aloop_loop_call_soon_threadsafe(loop, ask, unused, NULL));
    return last ? aloop_loop_stop(other) : 0;
}

static int64_t ask(void *unused) {
    if (trips == 0) return aloop_loop_stop(loop);
    return must_code(aloop_loop_call_soon_threadsafe(other, answer, unused, NULL));
}

static void *run_other(void *unused) {
    pin_thread(1);
    must_code(aloop_loop_run_forever(other));
    return unused;
}

static double round_trip(size_t n) {
    pthread_t thread;
    trips = n;
    other = new_loop();
    pthread_create(&thread, NULL, run_other, NULL);
    uint64_t start = now_ns();
    must_code(aloop_loop_call_soon(loop, ask, NULL, NULL));
    must_code(aloop_loop_run_forever(loop));
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    close_loop(other);
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    loop = new_loop();
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
    close_loop(loop);
}
