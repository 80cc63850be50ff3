// SPDX-License-Identifier: MIT
#include "watchdog.hpp"

#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../base/locked.hpp"
#include "../base/writer.hpp"
#include "../task/task.hpp"

namespace aloop {

namespace {

constexpr int k_frames = 64;
constexpr int k_handler_frames = 2;  // the handler, and what the kernel returns to

// What one watchdog at a time asks of a loop's thread.
struct question {
    std::atomic<pid_t> thread{0};  // whose answer is wanted
    loop *of = nullptr;
    void *frames[k_frames];
    int count = 0;
    char name[128];
    sem_t answered;
};

pthread_mutex_t g_asking = PTHREAD_MUTEX_INITIALIZER;
question g_question;
int g_watchdogs = 0;  // under g_asking
struct sigaction g_before;

pid_t this_thread() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

void answer(int number, siginfo_t *info, void *context) {
    const int saved = errno;
    pid_t me = this_thread();
    if (g_question.thread.compare_exchange_strong(me, 0)) {
        g_question.count = backtrace(g_question.frames, k_frames);
        const task *t = g_question.of->current_task;
        g_question.name[0] = '\0';
        if (t != nullptr && t->more != nullptr && t->more->name != nullptr) {
            std::strncat(g_question.name, t->more->name, sizeof g_question.name - 1);
        } else if (t != nullptr) {
            describe_name(t, g_question.name, sizeof g_question.name);
        }
        sem_post(&g_question.answered);
    } else if ((g_before.sa_flags & SA_SIGINFO) != 0) {
        g_before.sa_sigaction(number, info, context);
    } else if (g_before.sa_handler != SIG_DFL && g_before.sa_handler != SIG_IGN) {
        g_before.sa_handler(number);
    }
    errno = saved;
}

void install() {
    static uint32_t forks = fork_generation();
    if (forks != fork_generation()) {  // the parent's watchdogs may have held it
        forks = fork_generation();
        pthread_mutex_init(&g_asking, nullptr);
        g_watchdogs = 0;
    }
    locked hold(&g_asking);
    if (g_watchdogs++ == 0) {
        void *warm[2];
        backtrace(warm, 2);  // loads what it needs, which a handler could not
        sem_init(&g_question.answered, 0, 0);
        struct sigaction act = {};
        act.sa_sigaction = answer;
        act.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        struct sigaction before;
        sigaction(SIGURG, &act, &before);
        if (before.sa_sigaction != answer) g_before = before;  // else it is the parent's
    }
}

void uninstall() {
    locked hold(&g_asking);
    if (--g_watchdogs == 0) {
        sigaction(SIGURG, &g_before, nullptr);
        sem_destroy(&g_question.answered);
    }
}

timespec from_now(int64_t ns) {
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    const int64_t sum = t.tv_nsec + ns;
    t.tv_sec += sum / 1000000000;
    t.tv_nsec = sum % 1000000000;
    return t;
}

struct watchdog final : loop_observer, resource {
    loop *home;
    int64_t limit;
    int fd;
    uint32_t forks = fork_generation();
    pthread_t thread;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t ends_now = PTHREAD_COND_INITIALIZER;
    bool ended = false;
    std::atomic<int64_t> since{0};  // when what runs began; 0: nothing runs
    std::atomic<pid_t> runs_in{0};

    watchdog(loop *l, int64_t ns, int descriptor) : home(l), limit(ns), fd(descriptor) {}

    void begins(const running_item &, int64_t at) override {
        static thread_local pid_t me = this_thread();
        runs_in.store(me, std::memory_order_relaxed);
        since.store(at, std::memory_order_release);
    }
    void ends(const running_item &, int64_t) override {
        since.store(0, std::memory_order_release);
    }
};

// Asks and writes; the loop's thread runs the callback that began at `since`.
void report(watchdog *w, int64_t since) {
    pthread_mutex_lock(&g_asking);
    g_question.of = w->home;
    const pid_t thread = w->runs_in.load(std::memory_order_relaxed);
    g_question.thread.store(thread);
    bool answered = false;
    if (w->since.load(std::memory_order_acquire) == since &&
        ::syscall(SYS_tgkill, getpid(), thread, SIGURG) == 0) {
        const timespec end = from_now(1000000000);
        answered = sem_timedwait(&g_question.answered, &end) == 0;
    }
    pid_t asked = thread;
    if (!answered && !g_question.thread.compare_exchange_strong(asked, 0)) {
        while (sem_wait(&g_question.answered) != 0) {  // it is answering now
        }
        answered = true;
    }
    char text[8192];
    writer out(text, sizeof text);
    if (answered) {
        const char *name = g_question.name;
        const char *kind = name[0] != '\0' ? "task " : "a callback";
        out.add("The loop has been blocked for %.3f seconds by %s%s:\n",
                to_seconds(monotonic_now() - since), kind, name);
        for (int i = k_handler_frames; i < g_question.count; i++) {
            out.add("  ");
            out.add_code(g_question.frames[i]);
            out.add("\n");
        }
    }
    pthread_mutex_unlock(&g_asking);
    if (answered) write_all(w->fd, text, out.written());
}

void *watch(void *data) {
    watchdog *w = static_cast<watchdog *>(data);
    const int64_t pause = w->limit / 4 > 1000000 ? w->limit / 4 : 1000000;
    int64_t reported = 0;
    pthread_mutex_lock(&w->mutex);
    while (!w->ended) {
        const timespec next = from_now(pause);
        pthread_cond_timedwait(&w->ends_now, &w->mutex, &next);
        const int64_t since = w->since.load(std::memory_order_acquire);
        if (w->ended || since == 0 || since == reported) continue;
        if (monotonic_now() - since < w->limit) continue;
        reported = since;
        pthread_mutex_unlock(&w->mutex);
        report(w, since);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return nullptr;
}

void end_watchdog(watchdog *w) {
    w->home->observe(observer_slot::watchdog, nullptr);
    if (w->forks == fork_generation()) {  // else its thread is the parent's
        {
            locked hold(&w->mutex);
            w->ended = true;
            pthread_cond_signal(&w->ends_now);
        }
        pthread_join(w->thread, nullptr);
        uninstall();
    }
    destroy(w);
}

bool start_thread(watchdog *w) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);  // the program's signals are not for it
    const bool started = pthread_create(&w->thread, nullptr, watch, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
}

}  // namespace

int64_t set_watchdog(loop *l, int64_t limit, int fd) {
    watchdog *made = nullptr;
    if (limit > 0) {
        made = create<watchdog>(l, limit, fd);
        if (made == nullptr) return ALOOP_ENOMEM;
        install();
        if (!start_thread(made)) {
            uninstall();
            destroy(made);
            return -EAGAIN;
        }
        made->close = [](resource *r) { end_watchdog(static_cast<watchdog *>(r)); };
    }
    if (loop_observer *old = l->observer(observer_slot::watchdog)) {
        watchdog *w = static_cast<watchdog *>(old);
        l->remove_resource(w);
        end_watchdog(w);
    }
    if (made != nullptr) {
        l->add_resource(made);
        l->observe(observer_slot::watchdog, made);
    }
    return 0;
}

}  // namespace aloop
