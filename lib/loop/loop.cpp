// SPDX-License-Identifier: MIT
#include "loop.hpp"

#include "../base/locked.hpp"
#include "../base/stats.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace aloop {

namespace {

// Between two looks at the kernel while callbacks are ready.
constexpr uint32_t k_poll_iterations = 61;
constexpr int64_t k_poll_interval = 50000;
// The clock is read once in so many iterations at most to see whether that has
// passed; in each one where callbacks are slow.
constexpr uint32_t k_clock_iterations = 8;

bool environment_says(const char *name, const char *value) {
    const char *text = std::getenv(name);
    return text != nullptr && std::strcmp(text, value) == 0;
}

thread_local loop *t_current = nullptr;

bool put_off(deferred *d) {
    loop *l = t_thread.running;
    if (l == nullptr || !l->on_fiber) return false;
    d->next = l->put_off;
    l->put_off = d;
    return true;
}

}  // namespace

void destroy_loop(object *o) {
    loop *l = static_cast<loop *>(o);
    if (!l->closed) {
        // The last reference to an open loop: nobody can run it any more.
        l->remote.store(1, std::memory_order_relaxed);
        if (l->debug) l->report("unclosed event loop", 0, nullptr);
        if (l->close() < 0) return;  // the parent's, in a forked child: it stays
        unref(static_cast<object *>(l));
        return;
    }
    destroy(l);
}

static const register_kind g_loop(kind::loop, {"loop", destroy_loop});

loop_options::loop_options()
    : debug(environment_says("ASYNCLOOP_DEBUG", "1")),
      clock(environment_says("ASYNCLOOP_CLOCK", "virtual") ? ALOOP_CLOCK_VIRTUAL
                                                           : ALOOP_CLOCK_MONOTONIC) {}

// Once, before any thread has a loop.
struct loop_hooks {
    static const void *code_of(node *item) {
        return reinterpret_cast<const void *>(static_cast<handle *>(item)->callback);
    }
    static const void *code_of_posted(node *item) {
        return reinterpret_cast<const void *>(static_cast<posted_call *>(item)->callback);
    }
    register_runnable handles{loop::run_handle, nullptr, code_of};
    register_runnable cancelled{loop::drop_handle, nullptr, code_of};
    register_runnable posted{loop::run_posted, nullptr, code_of_posted};
    register_runnable posted_cancelled{loop::drop_posted, nullptr, code_of_posted};

    loop_hooks() {
        g_wake_domain = loop::wake_domain;
        g_forked_in = loop::forked_in;
        g_defer = put_off;
        g_timer_fire[static_cast<int>(timer_tag::handle)] = loop::run_handle;
    }
};

static const loop_hooks g_hooks;

// Life ---------------------------------------------------------------------------------

loop::loop(const loop_options &options)
    : domain(kind::loop),
      eager_tasks(options.eager),
      debug(options.debug),
      stack_size(options.stack_size),
      busy_poll_(options.clock == ALOOP_CLOCK_VIRTUAL ? 0 : options.busy_poll),
      virtual_(options.clock == ALOOP_CLOCK_VIRTUAL),
      random_(options.seed),
      forks_(fork_generation()),
      sys_(options.sys) {
    thread.store(thread_token(), std::memory_order_relaxed);
    count_live(kind::loop, 1);
    enlist_domain(this);
}

loop::~loop() {
    if (poller_ != nullptr) {
        poller_->~poller();
        release(poller_);
    }
    delist_domain(this);
    count_live(kind::loop, -1);
}

int64_t loop::make(const loop_options &options, loop **out) {
    void *block = allocate(sizeof(loop));
    if (block == nullptr) return ALOOP_ENOMEM;
    loop *l = new (block) loop(options);
    int64_t code = 0;
    l->poller_ = options.make_poller(options, &code);
    if (l->poller_ == nullptr) {
        l->closed = true;
        destroy(l);
        return code;
    }
    if (!l->virtual_) l->now_ = monotonic_now();
    l->timers_.expire(l->now_, l->ready_);  // the wheel starts at now
    *out = l;
    return 0;
}

int64_t loop::check_slowly() const {
    if (closed) return ALOOP_ESTALE;
    if (thread.load(std::memory_order_relaxed) == thread_token()) return 0;  // its first call
    if (forks_ != fork_generation()) return ALOOP_ECHILD;
    if (debug) const_cast<loop *>(this)->post_misuse();
    return ALOOP_EWRONGTHREAD;
}

int64_t loop::close() {
    if (closed) return 0;
    if (running()) return owned() ? ALOOP_ELOOPRUNNING : ALOOP_EWRONGTHREAD;
    if (forks_ != fork_generation()) return ALOOP_ECHILD;
    thread.store(thread_token(), std::memory_order_relaxed);
    running_.store(true, std::memory_order_relaxed);  // destructors may not run or close it
    tell_all_unawaited();
    while (link *last = resources_.tail()) {
        resources_.remove(last);
        resource *r = static_cast<resource *>(last);
        r->close(r);
    }
    ref(static_cast<object *>(this));  // for what outlives the close
    {
        locked hold(&closed_mutex);
        closed = true;
        thread.store(k_no_thread, std::memory_order_release);
        count_object(1);
    }
    drop_scheduled();
    call_pages_.clear();
    drop_configuration();
    running_.store(false, std::memory_order_relaxed);
    bool last;
    {
        locked hold(&closed_mutex);
        poller_->~poller();
        release(poller_);
        poller_ = nullptr;
        count_object(-1);
        drop_origins();
        last = live == 0;
    }
    if (last) unref(static_cast<object *>(this));
    return 0;
}

// Gives up what is queued; what that schedules goes the same way.
void loop::drop_scheduled() {
    posted *late = inbox_.exchange(closed ? closed_mark() : nullptr, std::memory_order_acq_rel);
    while (late != nullptr && late != closed_mark()) {
        posted *next = static_cast<posted *>(late->next);
        late->fn(late, action::drop);
        late = next;
    }
    collect_drops(this);
    timers_.drain(ready_);
    for (fifo *queue : {&batch_, &io_ready_, &ready_}) {
        while (node *item = queue->pop()) item->fn(item, action::drop);
    }
    while (node *item = ready_.pop()) item->fn(item, action::drop);
    raised.reset();
}

void loop::drop_configuration() {
    if (exception_free != nullptr) exception_free(exception_data);
    if (task_factory_free != nullptr) task_factory_free(task_factory_data);
    exception_handler = nullptr;
    exception_free = nullptr;
    task_factory = nullptr;
    task_factory_free = nullptr;
}

void loop::give_closed(void *block, size_t size) {
    bool last;
    {
        locked hold(&closed_mutex);
        if (size <= 64) slab64_.give(block);
        else if (size <= 128) slab128_.give(block);
        else if (size <= 256) slab256_.give(block);
        else if (size <= 336) slab336_.give(block);
        else release(block);
        count_object(-1);
        last = live == 0;
    }
    if (last) unref(static_cast<object *>(this));
}

// What runs now goes on until it returns; then the run ends, for what else is
// scheduled is the parent's.
void loop::forked_in(loop *l) {
    l->stopping_.store(true, std::memory_order_relaxed);
    l->batch_.append(l->ready_);
    l->ready_.append(l->batch_);
}

int64_t loop::after_fork() {
    if (closed) return ALOOP_ESTALE;
    if (forks_ == fork_generation()) return check();  // nothing to renew
    if (t_thread.forked_in == this) return ALOOP_ELOOPRUNNING;
    const int64_t code = poller_->after_fork();
    if (code < 0) return code;
    forks_ = fork_generation();
    thread.store(thread_token(), std::memory_order_relaxed);
    pthread_mutex_init(&closed_mutex, nullptr);
    // Where another thread ran it, the child has what that was in the middle of.
    const bool was_running = running_.exchange(true, std::memory_order_relaxed);  // as in close()
    stopping_.store(false, std::memory_order_relaxed);
    sleeping_.store(false, std::memory_order_relaxed);
    current_task = nullptr;
    inner_body = nullptr;
    on_fiber = false;
    kept.open(false);
    while (link *last = resources_.tail()) {
        resources_.remove(last);
        resource *r = static_cast<resource *>(last);
        r->close(r);
    }
    if (was_running) call_pages_.renew();
    drop_scheduled();
    hollow_ = false;
    running_.store(false, std::memory_order_relaxed);
    if (was_running) unref(static_cast<object *>(this));  // see enter
    return 1;
}

// Running ----------------------------------------------------------------------------------

int64_t loop::claim() {
    if (closed) return ALOOP_ESTALE;
    if (forks_ != fork_generation()) return ALOOP_ECHILD;
    if (t_thread.running != nullptr || running()) return ALOOP_ELOOPRUNNING;
    thread.store(thread_token(), std::memory_order_relaxed);
    return 0;
}

int64_t loop::enter() {
    if (closed) return ALOOP_ESTALE;
    if (forks_ != fork_generation()) return ALOOP_ECHILD;
    if (t_thread.running != nullptr) return ALOOP_ELOOPRUNNING;
    bool idle = false;
    if (!running_.compare_exchange_strong(idle, true)) return ALOOP_ELOOPRUNNING;
    thread.store(thread_token(), std::memory_order_relaxed);
    t_thread.running = this;
    entered_at_ = monotonic_now();
    sleeping_.store(false, std::memory_order_relaxed);  // see backend_timeout
    kept.open(true);
    since_poll_ = k_poll_iterations;  // whoever runs it once at a time looks each time
    ref(static_cast<object *>(this));
    return 0;
}

void loop::leave() {
    kept.open(false);
    stopping_.store(false, std::memory_order_relaxed);
    running_.store(false, std::memory_order_relaxed);
    t_thread.running = nullptr;
    t_thread.forked_in = nullptr;
    counters_.entered += monotonic_now() - entered_at_;
    unref(static_cast<object *>(this));
}

int64_t loop::run_forever() {
    const int64_t code = enter();
    if (code < 0) return code;
    do {
        iterate(k_never);
    } while (!stopping());
    leave();
    return forks_ == fork_generation() ? 0 : ALOOP_ECHILD;
}

int64_t loop::run_once(double timeout) {
    const int64_t code = enter();
    if (code < 0) return code;
    const int64_t n = iterate(timeout < 0 ? k_never : deadline_after(now(), timeout));
    leave();
    return forks_ == fork_generation() ? n : ALOOP_ECHILD;
}

int64_t loop::stop() {
    if (closed) return ALOOP_ESTALE;
    if (forks_ != fork_generation()) return ALOOP_ECHILD;
    stopping_.store(true, std::memory_order_seq_cst);
    if (!owned()) wake();
    return 0;
}

inline bool loop::poll_is_due() {
    if (virtual_) return true;
    if (++since_poll_ < clock_due_) [[likely]] return since_poll_ >= k_poll_iterations;
    return poll_is_due_now();
}

bool loop::poll_is_due_now() {
    if (since_poll_ >= k_poll_iterations) return true;
    const int64_t before = now_;
    now_ = monotonic_now();
    clock_gap_ = now_ - before >= k_poll_interval / 2 ? 1 : k_clock_iterations;
    clock_due_ = since_poll_ + clock_gap_;
    return now_ - polled_at_ >= k_poll_interval || timers_.next_at_earliest() <= now_;
}

// To wake once too early, at the time of a timer that was cancelled, costs less than to look
// for the next one whenever the earliest is cancelled. The virtual clock jumps there, so it
// wants the time exactly.
int64_t loop::next_wake() { return virtual_ ? timers_.next() : timers_.next_at_earliest(); }

int64_t loop::iterate(int64_t deadline) {
    iteration_++;
    if (!inbox_empty()) drain_inbox();
    if (!any_ready() && !timers_.any_overdue() && !stopping()) {
        const int64_t first = next_wake();
        const int64_t real = monotonic_now();
        const int64_t began = virtual_ ? now_ : real;
        const int64_t until = first < deadline ? first : deadline;
        if (busy_poll_.wanted()) look_on_until(until, real);
        else sleep_until(until);
        counters_.slept += now_ - began;
        counters_.idle += virtual_ ? monotonic_now() - real : now_ - began;
        if (watched) tell_slept(real);
    } else if (poll_is_due()) {
        poll(0);
    } else if (timers_.may_be_due(now_)) {
        // Who asked for the time moved the clock: what became ready until now comes
        // before what is due, as in asyncio.
        if (now_ - polled_at_ >= k_poll_interval) poll(0);
        else timers_.expire(now_, ready_);
    }
    batch_.append(ready_);
    hollow_ = false;
    const int64_t n = debug || watched || random_ != 0 ? run_batch_watched() : run_batch();
    counters_.callbacks += n;
    if (!unclaimed.empty()) [[unlikely]] end_of_iteration(this);
    if (kept.any() && (since_poll_ == 0 || !any_ready())) kept.drop_all();
    return n;
}

int64_t loop::busy() const {
    const int64_t now = running() ? monotonic_now() - entered_at_ : 0;
    return counters_.entered + now - counters_.idle;
}

int64_t loop::ready_length() const {
    int64_t n = 0;
    for (const fifo *queue : {&batch_, &ready_}) {
        for (const link *at = queue->head(); at != nullptr; at = at->next) n++;
    }
    return n;
}

void loop::poll(int64_t deadline) {
    since_poll_ = 0;
    counters_.polls++;
    clock_due_ = clock_gap_;
    if (poller_->simulated()) {
        now_ = poller_->advance(now_, now_, false);
    } else if (!virtual_ || pins_ > 0 || poller_->watched() > 0) {
        poller_->wait(deadline);
    }
    if (!inbox_empty()) drain_inbox();
    ready_.append(io_ready_);
    if (!virtual_) polled_at_ = now_ = monotonic_now();
    timers_.expire(now_, ready_);
}

void loop::sleep_until(int64_t deadline) {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (!inbox_empty() || stopping()) deadline = 0;
    if (virtual_) {
        counters_.polls++;
        wait_virtual(deadline);
        sleeping_.store(false, std::memory_order_relaxed);
        if (!inbox_empty()) drain_inbox();
        ready_.append(io_ready_);
        timers_.expire(now_, ready_);
        return;
    }
    poll(deadline <= now_ ? 0 : deadline);
    sleeping_.store(false, std::memory_order_relaxed);
}

// Looks for work without sleeping, and sleeps only where that was in vain. Nobody
// has to wake the loop meanwhile.
void loop::look_on_until(int64_t deadline, int64_t began) {
    const int64_t end = std::min(deadline, began + busy_poll_.window());
    do {
        poll(0);
    } while (!any_ready() && !stopping() && now_ < end);
    if (!any_ready() && !stopping() && now_ < deadline) sleep_until(deadline);
    if (deadline > began) busy_poll_.learn(now_ - began);
}

// The virtual clock jumps where only a timer can come next; where something
// outside can, it goes as the real one does.
void loop::wait_virtual(int64_t deadline) {
    if (poller_->simulated()) {
        const int64_t time = poller_->advance(now_, deadline > now_ ? deadline : now_, pins_ > 0);
        if (time >= 0) now_ = time;
        else stopping_.store(true, std::memory_order_relaxed);
        return;
    }
    if (deadline <= now_) {
        poller_->wait(0);
        return;
    }
    if (deadline == k_never) {
        poller_->wait(k_never);
        return;
    }
    if (pins_ == 0 && poller_->watched() == 0) {
        now_ = deadline;
        return;
    }
    const int64_t began = monotonic_now();
    poller_->wait(began + (deadline - now_));
    const int64_t passed = monotonic_now() - began;
    now_ = passed < deadline - now_ ? now_ + passed : deadline;
}

int64_t loop::run_batch() {
    int64_t n = 0;
    while (node *item = batch_.pop()) {
        if (batch_.head() != nullptr) __builtin_prefetch(batch_.head());
        item->fn(item, action::run);
        n++;
    }
    return n;
}

int64_t loop::now() {
    if (!virtual_) now_ = monotonic_now();
    return now_;
}

// Who asks is about to sleep on backend_fd in the loop's stead.
double loop::backend_timeout() {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (any_ready() || timers_.any_overdue() || stopping() || !inbox_empty()) return 0;
    const int64_t first = next_wake();
    if (first == k_never) return -1;
    const int64_t wait = first - now();
    return wait > 0 ? to_seconds(wait) : 0;
}

// The thread's loops ------------------------------------------------------------------------------

loop *chosen_loop() { return t_current; }

int64_t set_current_loop(loop *l) {
    struct cleanup {
        ~cleanup() {
            if (t_current != nullptr) unref(static_cast<object *>(t_current));
            t_current = nullptr;
        }
    };
    static thread_local cleanup at_exit;
    (void)at_exit;
    if (l != nullptr) ref(static_cast<object *>(l));
    loop *old = t_current;
    t_current = l;
    if (old != nullptr) unref(static_cast<object *>(old));
    return 0;
}

}  // namespace aloop
