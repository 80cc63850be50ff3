// SPDX-License-Identifier: MIT
#include "run.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "../introspect/trace.hpp"
#include "../loop/report.hpp"
#include "../loop/signals.hpp"
#include "gather.hpp"

namespace aloop {

namespace {

void destroy_runner(object *o) {
    close_runner(static_cast<runner *>(o));
    destroy(static_cast<runner *>(o));
}

const register_kind g_runner(kind::runner, {"runner", destroy_runner});

// What a shell shows of a program that Ctrl-C ended: 128 and the signal.
constexpr int32_t k_exit_interrupted = 128 + SIGINT;

int64_t stop_loop(aloop_future *handle, void *) { return loop_of(from_c(handle))->stop(); }

}  // namespace

int64_t prepare_loop(loop *l) {
    int64_t code = prepare_futures(l);
    if (code == 0) code = prepare_tasks(l);
    return code < 0 ? code : start_timeline(l);
}

int64_t make_loop(const loop_options *options, loop **out) {
    loop *l = nullptr;
    int64_t code;
    if (options != nullptr) {
        code = loop::make(*options, &l);
    } else {
        loop_options defaults;
        code = loop::make(defaults, &l);
    }
    if (code < 0) return code;
    code = prepare_loop(l);
    if (code < 0) {
        l->close();
        unref(static_cast<object *>(l));
        return code;
    }
    *out = l;
    return 0;
}

int64_t run_until_complete(loop *l, future *f, void **value) {
    int64_t code = l->claim();
    if (code < 0) {
        unref(f);
        return code;
    }
    f = ensure_future(f);
    // Taken back after the run, for another stop may come in the same iteration.
    bool gone = false;
    done_callback *stopper =
        observe(f, stop_loop, &gone, [](void *flag) { *static_cast<bool *>(flag) = true; });
    if (stopper == nullptr) {
        unref(f);
        return ALOOP_ENOMEM;
    }
    code = l->run_forever();
    if (!gone) forget(stopper);
    if (code == 0) code = f->pending() ? ALOOP_ELOOPSTOPPED : take_value(f, value);
    unref(f);
    return code;
}

runner::~runner() {
    if (context != nullptr) unref(context);
    if (options != nullptr) unref(options);
    count_live(kind::runner, -1);
}

int64_t init_runner(runner *r) {
    if (r->closed) return ALOOP_ESTALE;
    if (r->loop != nullptr) return 0;
    if (r->context == nullptr) {
        var_map *map = capture_context();
        r->context = create<context>(map);
        if (r->context == nullptr) {
            drop(map);
            return ALOOP_ENOMEM;
        }
    }
    const int64_t code = make_loop(r->options, &r->loop);
    if (code < 0) return code;
    if (current_loop() == nullptr) {
        set_current_loop(r->loop);
        r->set_current = true;
    }
    return 0;
}

namespace {

// Ctrl-C while a main task runs: the first cancels it, the second ends the run.
class interrupt_watch {
public:
    interrupt_watch(loop *l, future *main) : home_(l), main_(main) {
        ref(main);
        if (!interrupt_is_default()) return;
        signal_set *set = signal_set::of(l);
        active_ = set != nullptr && set->set_interrupt(on_interrupt, this) == 0;
    }
    ~interrupt_watch() {
        if (active_ && home_->signals != nullptr) home_->signals->clear_interrupt();
        unref(main_);
    }
    interrupt_watch(const interrupt_watch &) = delete;
    interrupt_watch &operator=(const interrupt_watch &) = delete;

    // How the run ends that ended with status. As in asyncio an interrupt is one more request
    // to the main task; if that ends as cancelled, and nobody else has asked for it, the run
    // was interrupted. A request that came too late to be made was not counted, either.
    int64_t outcome(int64_t status) {
        const int64_t queued = came_with_the_end();
        if (count_ + queued == 0) return status;
        if (count_ + queued > 1) return -EINTR;
        const bool unmade = late_ || queued > 0;
        const bool cancelled = status == ALOOP_ECANCELED && main_->state == k_was_cancelled;
        if (!cancelled && !(unmade && status >= 0)) return status;
        task *t = as_task(main_);
        if (t == nullptr) return status;
        const int64_t others = unmade ? t->cancel_requests() : uncancel(t);
        return others == 0 ? -EINTR : ALOOP_ECANCELED;
    }

private:
    // In its last step the main task can no longer be cancelled: as in asyncio its
    // value is lost then.
    int64_t came_with_the_end() {
        return active_ && home_->signals != nullptr ? home_->signals->take_interrupts() : 0;
    }

    static void on_interrupt(void *data) {
        interrupt_watch *self = static_cast<interrupt_watch *>(data);
        if (++self->count_ == 1 && self->main_->pending()) {
            cancel(self->main_, nullptr);
        } else {
            self->late_ = !self->main_->pending();
            self->home_->stop();
        }
    }

    loop *home_;
    future *main_;
    bool active_ = false;
    int64_t count_ = 0;
    bool late_ = false;  // one came when the main task had ended
};

}  // namespace

int64_t run_main(runner *r, task_options *main, void **value, ptr<error> *why) {
    if (running_loop() != nullptr) return ALOOP_ELOOPRUNNING;
    const int64_t code = init_runner(r);
    if (code < 0) return code;
    const bool lent = main->context == nullptr;
    if (lent) main->context = ptr<context>::share(r->context).detach();
    const ptr<future> f(create_task(r->loop, main));
    ref(f.get());
    if (lent) unref(std::exchange(main->context, nullptr));  // the options may be used again
    interrupt_watch watch(r->loop, f.get());
    const int64_t status = watch.outcome(run_until_complete(r->loop, f.get(), nullptr));
    if (why != nullptr && f->failed() && f->status() == status) {
        *why = ptr<error>::share(error_of(f.get()));
    }
    return status >= 0 && value != nullptr ? take_value(f.get(), value) : status;
}

namespace {

// As in asyncio each is asked, and asks in turn what it waits for: the last of a chain as
// often as there are tasks in it. That is only seen in the number of requests, so that once
// it takes long no walk begins at a task that a request has reached; and the youngest come
// first, who mostly wait for the others. A walk itself may pass through such tasks again:
// of many that wait for the same long chain, each passes through all of that.
void cancel_each(future *const *all, const uint32_t *requests, int64_t n) {
    constexpr int64_t k_long = 1000000;
    int64_t asked = 0, i = 0;
    for (; i < n && asked < k_long; i++) asked += ask_task(as_task(all[i]));
    while (n-- > i) {
        task *t = as_task(all[n]);
        if (t->cancel_requests() == requests[n]) ask_task(t);
    }
}

// Cancels every task and runs until all are done; their failures are reported.
void cancel_all_tasks(loop *l) {
    int64_t n = 0;
    for (link *i = l->tasks.head(); i != nullptr; i = l->tasks.after(i)) n++;
    if (n == 0) return;
    const size_t size = 2 * sizeof(future *) + sizeof(uint32_t);
    future **all = static_cast<future **>(allocate(size * static_cast<size_t>(n)));
    if (all == nullptr) return;  // the close reports what it drops
    uint32_t *requests = reinterpret_cast<uint32_t *>(all + 2 * n);
    int64_t k = 0;
    for (link *i = l->tasks.head(); i != nullptr; i = l->tasks.after(i), k++) {
        all[k] = task_of(i);
        requests[k] = task_of(i)->cancel_requests();
        ref(all[k]);
    }
    cancel_each(all, requests, n);
    for (int64_t i = 0; i < n; i++) {
        ref(all[i]);
        all[n + i] = all[i];
    }
    run_until_complete(l, make_gather(l, all + n, n, true), nullptr);
    for (int64_t i = 0; i < n; i++) {
        future *t = all[i];
        if (t->state == k_finished && t->failed()) {
            t->clear(k_unretrieved);
            l->report("unhandled exception during asyncio.run() shutdown", t->status(),
                      error_of(t), nullptr, t);
        }
        unref(t);
    }
    release(all);
}

void run_shutdown(loop *l, future *(*begin)(loop *)) {
    if (begin != nullptr) run_until_complete(l, begin(l), nullptr);
}

}  // namespace

int64_t close_runner(runner *r) {
    if (r->closed) return 0;
    if (r->loop != nullptr) {
        loop *l = r->loop;
        if (l->running()) return ALOOP_ELOOPRUNNING;
        const int64_t code = l->check();
        if (code < 0 && code != ALOOP_ESTALE) return code;
        if (code == 0) {
            cancel_all_tasks(l);
            run_shutdown(l, l->shutdown_generators);
            run_shutdown(l, l->shutdown_executor);
        }
        if (r->set_current) set_current_loop(nullptr);
        l->close();
        r->loop = nullptr;
        unref(static_cast<object *>(l));
    }
    r->closed = true;
    return 0;
}

int32_t run_program(aloop_coro_fn fn, void *arg) {
    const ptr<runner> r(create<runner>());
    const ptr<task_options> o(create<task_options>());
    ptr<error> why;
    int64_t status = ALOOP_EINVAL;
    if (!r || !o) {
        status = ALOOP_ENOMEM;
    } else if (fn != nullptr) {
        o->fn = fn;
        o->arg = arg;
        status = run_main(r.get(), o.get(), nullptr, &why);
        close_runner(r.get());
    }
    if (status >= 0) return 0;
    if (status == -EINTR) return k_exit_interrupted;
    char text[4096];
    writer out(text, sizeof text);
    out.add("The main coroutine failed\n");
    describe_failure(out, status, why.get());
    write_all(STDERR_FILENO, text, out.written());
    return 1;
}

}  // namespace aloop
