// loop.hpp: the event loop.
//
// One FIFO of nodes. An iteration takes what is in it, adds what I/O and timers
// make ready, and runs exactly those; what they schedule runs in the next one.
// The order inside an iteration is asyncio's: ready before, I/O, timers.
//
// While work is ready the kernel is asked only every 61 iterations or 50 us (61:
// a prime, as tokio's; a poll costs as much as 30 callbacks), and the clock is
// read as seldom; on the virtual clock every iteration does both. Before it
// sleeps, the loop says so in sleeping_ and looks into the inbox once more; a
// poster looks at sleeping_ after it posted. One of the two sees the other
// (sequential consistency), so that no wake-up is lost and none is written to
// a loop that is awake.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/loop.h>

#include "../base/check.hpp"
#include "../base/clock.hpp"
#include "../base/deferred.hpp"
#include "../base/error.hpp"
#include "../base/list.hpp"
#include "../base/object.hpp"
#include "../base/options.hpp"
#include "../base/slab.hpp"
#include "../base/sys.hpp"
#include "busy_poll.hpp"
#include "handles.hpp"
#include "kept.hpp"
#include "observe.hpp"
#include "origin.hpp"
#include "poller.hpp"
#include "posted.hpp"
#include "sim_world.hpp"
#include "timers.hpp"

struct aloop_exception_context {
    const char *message = "";
    int64_t code = 0;
    aloop::error *failure = nullptr;
    aloop::object *future = nullptr;
    aloop::object *task = nullptr;
    aloop_handle handle = 0;
    const void *made = nullptr;       // what was made at source, if neither task nor future
    const char *source = "";          // set by report()
    const char *handle_source = "";
};

namespace aloop {

struct body;
class signal_set;
class watcher_set;

// The executor, the resolver and the like hang on the loop here, and end with it.
struct resource : link {
    void (*close)(resource *self) = nullptr;  // takes itself out of nothing: it is out
};

struct loop_options final : options_of<loop_options> {
    bool debug;
    bool eager = false;
    int32_t clock;
    uint64_t seed = 0;
    size_t stack_size = 65536;
    int64_t busy_poll = 0;  // ns
    // The simulator replaces these (poller_sim.hpp).
    poller *(*make_poller)(const loop_options &options, int64_t *code) = make_libevent_poller;
    const sys_table *sys = default_sys();
    sim_conditions simulated;

    loop_options();
};

// For aloop_loop_metrics. Slept: what was waited for I/O and timers, in ns of the
// loop's clock; idle: of the real one; entered: ns between enter and leave.
struct loop_counters {
    int64_t callbacks = 0;
    int64_t polls = 0;
    int64_t slept = 0;
    int64_t slow = 0;
    int64_t idle = 0;
    int64_t entered = 0;
};

// Room for the description of an origin.
constexpr size_t k_source_size = 1024;

class loop final : public domain {
public:
    static int64_t make(const loop_options &options, loop **out);
    ~loop();

    // 0 if the calling thread may use the loop, else why not.
    int64_t check() const {
        if (owned()) [[likely]] return 0;
        return check_slowly();
    }

    // Running ------------------------------------------------------------------
    int64_t run_forever();
    // One iteration that waits until deadline at most, in loop time.
    int64_t iterate(int64_t deadline);
    int64_t run_once(double timeout);
    int64_t stop();
    int64_t close();
    bool running() const { return running_.load(std::memory_order_relaxed); }
    // Makes the loop, which does not run, this thread's; enter also runs it.
    int64_t claim();
    int64_t enter();  // makes the loop this thread's running one
    void leave();
    bool stopping() const { return stopping_.load(std::memory_order_seq_cst); }
    int64_t iteration() const { return iteration_; }
    const loop_counters &counters() const { return counters_; }
    int64_t busy() const;  // ns between enter and leave that it was not idle
    int64_t ready_length() const;  // what has not run yet; counted on demand
    int64_t timer_count() const { return timers_.count(); }
    int64_t after_fork();  // 1 if the loop was emptied, 0 if it is no parent's

    // Scheduling ----------------------------------------------------------------
    void schedule(node *item) { ready_.push(item); }
    // Takes back what is scheduled. O(n). Its iteration takes place all the same:
    // in asyncio the entry stays, dead.
    void unschedule(node *item) {
        if (!batch_.remove(item) && ready_.remove(item)) hollow_ = true;
    }
    bool any_ready() const { return !ready_.empty() || hollow_; }
    void schedule_io(node *item) { io_ready_.push(item); }  // from io::ready
    int64_t call_soon(aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    int64_t call_soon_threadsafe(aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    int64_t call_at(int64_t deadline, aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    int64_t cancel_handle(aloop_handle id);
    double handle_when(aloop_handle id) const;
    // Any thread; item's memory stays until it ran. Fails only when closed.
    int64_t post(posted *item);
    // The same from a signal handler of any thread, while the loop is not closed.
    void post_from_signal(posted *item);
    void wake() {  // if it sleeps; any thread
        if (sleeping_.load(std::memory_order_seq_cst)) [[unlikely]] wake_sleeper();
    }
    timers &timer_wheel() { return timers_; }

    // Time ------------------------------------------------------------------------
    int64_t now();         // reads the clock
    double backend_timeout();  // how long the loop would sleep; < 0: for ever
    int64_t cached_now() const { return now_; }
    bool virtual_clock() const { return virtual_; }
    // While something outside of loop and timers is under way (a thread's job, a
    // child), the virtual clock does not jump.
    void pin() { pins_++; }
    void unpin() { pins_--; }

    // Objects -----------------------------------------------------------------------
    template <typename T, typename... Args>
    T *make_object(Args &&...args) {
        void *block = take_block<sizeof(T)>();
        if (block == nullptr) return nullptr;
        count_object(1);
        T *made = new (block) T(this, std::forward<Args>(args)...);
        if (debug.load(std::memory_order_relaxed)) [[unlikely]] note_origin(made, true);
        return made;
    }
    // The same for what is no object, but a part of one.
    template <typename T>
    T *make_part() {
        void *block = take_block<sizeof(T)>();
        if (block == nullptr) return nullptr;
        count_object(1);
        return new (block) T;
    }
    template <typename T>
    void free_object(T *o) {
        o->~T();
        take_back(o);
    }
    // The memory alone, of what has been destroyed or has nothing to destroy.
    template <typename T>
    void take_back(T *o) {
        if (origins_ != nullptr) [[unlikely]] origins_->forget(o);
        give_block<sizeof(T)>(o);
    }
    template <size_t Size>
    void *take_block() {
        if constexpr (Size <= 64) return slab64_.take();
        else if constexpr (Size <= 128) return slab128_.take();
        else if constexpr (Size <= 256) return slab256_.take();
        else if constexpr (Size <= 336) return slab336_.take();
        else return allocate(Size);
    }
    template <size_t Size>
    void give_block(void *block) {
        if (closed.load(std::memory_order_relaxed)) [[unlikely]] {
            give_closed(block, Size);
            return;
        }
        count_object(-1);
        if constexpr (Size <= 64) slab64_.give(block);
        else if constexpr (Size <= 128) slab128_.give(block);
        else if constexpr (Size <= 256) slab256_.give(block);
        else if constexpr (Size <= 336) slab336_.give(block);
        else release(block);
    }
    void add_resource(resource *r) { resources_.push(r); }
    void remove_resource(resource *r) { resources_.remove(r); }
    const sys_table *sys() const { return sys_; }
    poller *io_poller() { return poller_; }

    // Watching ------------------------------------------------------------------------
    void observe(observer_slot slot, loop_observer *observer);  // nullptr: not any more
    loop_observer *observer(observer_slot slot) const;
    void tell_task(object *task, bool made);  // if watched
    bool watched = false;  // there are observers

    // Errors ----------------------------------------------------------------------------
    void report(aloop_exception_context *context);
    void report(const char *message, int64_t code, error *failure, object *future = nullptr,
                object *task = nullptr);
    void tell_handler(aloop_exception_context *context);  // on the loop's own stack
    void default_report(aloop_exception_context *context);
    // Another thread called where it may not: the loop's own thread reports it.
    void post_misuse();
    // In debug mode: where things of this loop are made; its thread.
    void note_origin(const void *thing, bool is_object);
    const origin *origin_of(const void *thing) const;
    void drop_origins();
    void tell_unawaited(object *o);  // if it is an operation that never began
    void tell_all_unawaited();       // of what is left when the loop closes
    int64_t set_exception_handler(aloop_exception_handler_fn fn, void *data,
                                  aloop_free_fn free_fn);

    // After a callback that failed, or raised an error and then did not fail.
    void end_callback(int64_t result, int64_t id);

    // What the running callback raised (aloop_raise), until it returned.
    ptr<error> raised;

    // References that operations hold to locks, queues and the like.
    kept_references kept;

    // State of the folders above, kept here so that they need no look-ups.
    aloop::task *current_task = nullptr;
    aloop::body *inner_body = nullptr;  // the innermost that runs (task folder)
    ring tasks;               // of all unfinished tasks (task folder)
    uint64_t next_task_number = 0;
    uint64_t last_task_number = 0;
    bool on_fiber = false;    // the program runs on a fiber's stack
    loop_object *graveyard = nullptr;  // to be destroyed on the loop's own stack
    deferred *put_off = nullptr;       // the same, of other things, the last one first
    object *out_of_memory = nullptr;   // a failed future (future folder)
    object *yielded = nullptr;         // one that is done: what a task stands on that yielded
    object *next_yield = nullptr;      // a sleep of no length, as it was made (future folder)
    void *fibers = nullptr;   // the stack cache (task folder)
    void *executor = nullptr; // the default executor (executor folder)
    void *resolver = nullptr;  // its side_pool (resolver folder)
    void *files = nullptr;     // the same (file folder)
    void *read_buffer = nullptr;
    void *batch_buffer = nullptr;  // of datagrams
    void *generators = nullptr;
    ring self_held;           // see future.hpp
    resource *watches = nullptr;  // completion records wanted (future folder)
    signal_set *signals = nullptr;
    watcher_set *watchers = nullptr;
    aloop_task_factory_fn task_factory = nullptr;
    void *task_factory_data = nullptr;
    aloop_free_fn task_factory_free = nullptr;
    aloop_exception_handler_fn exception_handler = nullptr;
    void *exception_data = nullptr;
    aloop_free_fn exception_free = nullptr;
    fifo unclaimed;           // failures nobody awaits yet (future folder)
    fifo completions;         // finished with a token (future folder)
    bool eager_tasks = false;
    std::atomic<bool> debug{false};
    size_t stack_size = 65536;
    double slow_callback_duration = 0.1;

    // Hooks of the folders above: at the end of an iteration that leaves something
    // unclaimed; and what a runner awaits before it closes the loop (set when there
    // is something to end).
    void (*end_of_iteration)(loop *) = nullptr;
    aloop::future *(*shutdown_generators)(loop *) = nullptr;
    aloop::future *(*shutdown_executor)(loop *) = nullptr;

private:
    explicit loop(const loop_options &options);

    int64_t check_slowly() const;
    static void run_handle(node *item, action what);
    static void drop_handle(node *item, action what);  // a cancelled one's turn
    handle *find_handle(aloop_handle id) const;  // that is not cancelled
    handle *make_handle(aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    static void run_posted(node *item, action what);
    static void drop_posted(node *item, action what);
    posted_call *find_posted(int64_t id) const;
    int64_t cancel_posted(int64_t id);
    void run_call(aloop_callback_fn fn, void *data, aloop_free_fn free_fn, var_map *map,
                  int64_t id);
    bool push_posted(posted *item);  // false: closed
    void tell_posted();
    void take_inbox();
    void drain_inbox();
    bool poll_is_due();
    bool poll_is_due_now();
    int64_t next_wake();
    void poll(int64_t deadline);
    void sleep_until(int64_t deadline);
    void look_on_until(int64_t deadline, int64_t began);
    void wait_virtual(int64_t deadline);
    int64_t run_batch();
    int64_t run_batch_watched();
    void shuffle_batch();
    template <typename Tell>
    void tell(Tell tell_one);
    void tell_slept(int64_t from);
    void add_sources(aloop_exception_context *context, char *source, char *handle_source);
    void give_closed(void *block, size_t size);
    static posted *closed_mark() { return reinterpret_cast<posted *>(1); }
    bool inbox_empty() const {
        return inbox_.load(std::memory_order_seq_cst) == nullptr &&
               inbox_drops.load(std::memory_order_seq_cst) == nullptr;
    }
    void drop_scheduled();
    void drop_configuration();
    void wake_sleeper();
    static void wake_domain(domain *d);
    static void forked_in(loop *l);

    fifo ready_;
    fifo batch_;     // what the current iteration has still to run
    fifo io_ready_;
    handle_table handles_;
    slab<64> slab64_;
    slab<128> slab128_;
    slab<256> slab256_;
    slab<336> slab336_;  // streams
    timers timers_;
    int64_t now_ = 0;
    int64_t polled_at_ = 0;
    uint32_t since_poll_ = 0;
    uint32_t clock_due_ = 1;  // the clock is read when since_poll_ gets there
    uint32_t clock_gap_ = 1;
    busy_poll busy_poll_;
    std::atomic<bool> running_{false};
    bool virtual_ = false;
    bool hollow_ = false;  // the next iteration takes place even with nothing ready
    std::atomic<bool> stopping_{false};
    int64_t iteration_ = 0;
    loop_counters counters_;
    int64_t entered_at_ = 0;
    loop_observer *observers_[static_cast<int>(observer_slot::count)] = {};
    origin_table *origins_ = nullptr;
    const origin *running_origin_ = nullptr;  // of the callback that runs
    int64_t pins_ = 0;
    uint64_t random_ = 0;
    uint32_t forks_;

    call_pages call_pages_;
    alignas(64) std::atomic<posted *> inbox_{nullptr};
    std::atomic<bool> sleeping_{false};

    poller *poller_ = nullptr;
    const sys_table *sys_;
    ring resources_;

    friend void destroy_loop(object *o);
    friend struct loop_hooks;
};

// The way of most callbacks, so it is short and inline.
inline handle *loop::make_handle(aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    handle *h = handles_.take(this);
    if (h == nullptr) [[unlikely]] return nullptr;
    h->callback = fn;
    h->data = data;
    h->free_fn = free_fn;
    h->context = capture_context();
    if (debug.load(std::memory_order_relaxed)) [[unlikely]] note_origin(h, false);
    return h;
}

inline int64_t loop::call_soon(aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    handle *h = make_handle(fn, data, free_fn);
    if (h == nullptr) [[unlikely]] return ALOOP_ENOMEM;
    h->fn = run_handle;
    ready_.push(h);
    return h->id;
}

// What a handle or a posted call holds, which is taken out of it before.
inline void loop::run_call(aloop_callback_fn fn, void *data, aloop_free_fn free_fn, var_map *map,
                           int64_t id) {
    var_cell cell{map, 0};
    {
        context_scope scope(&cell);
        const int64_t result = fn(data);
        if (result < 0 || raised) [[unlikely]] end_callback(result, id);
    }
    if (free_fn != nullptr) free_fn(data);
    drop(cell.map);
}

inline loop *from_c(aloop_loop *l) { return reinterpret_cast<loop *>(l); }
inline aloop_loop *to_c(loop *l) { return reinterpret_cast<aloop_loop *>(l); }
inline loop *loop_of(const loop_object *o) { return static_cast<loop *>(o->home); }

// The loop that runs in this thread, or else the one set for it; nullptr.
inline loop *running_loop() { return t_thread.running; }
loop *chosen_loop();  // set for this thread
inline loop *current_loop() {
    return t_thread.running != nullptr ? t_thread.running : chosen_loop();
}
int64_t set_current_loop(loop *l);

// NULL, an object of another kind, closed, of another thread: why l is no use.
inline int64_t check_loop(const loop *l) {
    if (!is(l, kind::loop)) return ALOOP_EINVAL;
    return l->check();
}

}  // namespace aloop
