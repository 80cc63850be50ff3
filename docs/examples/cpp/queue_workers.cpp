// Twenty jobs in a queue, three workers, join, cancel: asyncio's program for
// queues. A job is a time to sleep. It takes about four seconds, or none with
// ASYNCLOOP_CLOCK=virtual. With a number as the argument: the same jobs each time.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>

using seconds = std::chrono::duration<double>;

// Takes jobs until it is cancelled.
aloop::task<> work(int number, aloop::queue<seconds> &queue) {
    for (;;) {
        const seconds job = co_await queue.get();
        co_await aloop::sleep(job);
        queue.task_done();
        std::printf("worker-%d has slept for %.2f seconds\n", number, job.count());
    }
}

aloop::task<> run() {
    aloop::queue<seconds> queue;
    seconds total{0};
    for (int i = 0; i < 20; i++) {
        const seconds job{0.05 + 0.95 * std::rand() / RAND_MAX};
        total += job;
        queue.put_nowait(job);
    }

    aloop_future *workers[3];
    for (int i = 0; i < 3; i++) workers[i] = aloop::spawn(work(i, queue)).release();

    // Wait until every job is done.
    aloop_loop *loop = aloop_get_running_loop();
    const double started = aloop_loop_time(loop);
    co_await queue.join();
    const double slept = aloop_loop_time(loop) - started;

    for (aloop_future *worker : workers) aloop_task_cancel(worker, nullptr);
    aloop::outcome ended = co_await aloop_gather(workers, 3, ALOOP_RETURN_EXCEPTIONS);
    aloop_unref(ended.value);

    std::puts("====");
    std::printf("3 workers slept in parallel for %.2f seconds\n", slept);
    std::printf("total expected sleep time: %.2f seconds\n", total.count());
}

int main(int argc, char **argv) {
    std::srand(argc > 1 ? std::atoi(argv[1]) : static_cast<unsigned>(std::time(nullptr)));
    aloop::run(run());
}
