// SPDX-License-Identifier: MIT
#include "task.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "../loop/report.hpp"
#include "fiber.hpp"

namespace aloop {

namespace {

// Task numbers are the process's, from 1; a loop takes them by the block, so
// that making a task needs no atomic, and gives back what it did not use.
constexpr uint64_t k_number_block = 4096;
std::atomic<uint64_t> g_next_number{1};

uint64_t next_number(loop *l) {
    if (l->next_task_number == l->last_task_number) {
        l->next_task_number = g_next_number.fetch_add(k_number_block, std::memory_order_relaxed);
        l->last_task_number = l->next_task_number + k_number_block;
    }
    return l->next_task_number++;
}

void give_numbers_back(loop *l) {
    uint64_t end = l->last_task_number;
    if (l->next_task_number == end) return;
    g_next_number.compare_exchange_strong(end, l->next_task_number, std::memory_order_relaxed);
    l->next_task_number = l->last_task_number = 0;
}

void free_extra(task *t) {
    task_extra *more = t->more;
    if (more == nullptr) return;
    if (more->context != nullptr) unref(more->context);
    if (more->cancel_error != nullptr) unref(more->cancel_error);
    if (more->raised != nullptr) unref(more->raised);
    if (more->has_value) free_off_fiber(more->value_free, more->value);
    release(more->name);
    drop_reserve(more->reserve);
    loop *l = loop_of(t);
    l->free_object(more);
    t->more = nullptr;
}

void destroy_task(object *o) {
    task *t = static_cast<task *>(o);
    const bool plain = t->state == k_finished && t->done.status >= 0 && t->more == nullptr &&
                       t->done.value_free == nullptr && t->waiters.empty();
    if (plain) [[likely]] {  // none of the program's code is involved
        loop_of(t)->free_object(t);
        return;
    }
    if (bury_if_on_fiber(t)) return;
    if (t->has(k_unretrieved)) {
        t->refs = 1;
        report_unretrieved(t, "Task exception was never retrieved");
        if (--t->refs != 0) return;
    }
    release_outcome(t);
    free_extra(t);
    loop_of(t)->free_object(t);
}

const register_runnable g_step(
    run_task, [](node *item) -> object * { return static_cast<task *>(item); },
    [](node *item) {
        const task *t = static_cast<const task *>(item);
        return reinterpret_cast<const void *>(t->pending() ? coroutine_address(t) : 0);
    });

const register_kind g_task(kind::task, {"task", destroy_task, [](future *f, const char *message) {
                                            return cancel_task(static_cast<task *>(f), message);
                                        }});

void report_ended(task *t) {
    if (t->has(k_unretrieved)) report_unretrieved(t, "Task exception was never retrieved");
    if (!t->has(k_swallowed)) return;
    t->clear(k_swallowed);
    loop_of(t)->report("Task was cancelled, but swallowed the cancellation", 0, nullptr, t, t);
}

// Reports the failures that nobody claimed within the iteration after them.
void report_unclaimed(loop *l) {
    const bool about_to_sleep = !l->any_ready();
    fifo young;
    while (node *item = l->unclaimed.pop()) {
        task *t = static_cast<task *>(item);
        if (t->has(k_unretrieved) && t->key == l->iteration() && !about_to_sleep) {
            young.push(item);
            continue;
        }
        report_ended(t);
        unref(static_cast<future *>(t));
    }
    l->unclaimed.append(young);
}

// The loop closes: ends tasks that are not done, without running them.
void drop_task(task *t) {
    loop *l = loop_of(t);
    ref(static_cast<future *>(t));
    l->report("Task was destroyed but it is pending!", 0, nullptr, t, t);
    // Running: in a forked child, of a loop that another thread runs in the parent.
    const bool queued = !waits_on_future(t) && !t->is(k_running);
    abandon_wait(t);
    drop_coroutine(t);
    l->tasks.remove(static_cast<all_tasks_link *>(t));
    t->state = k_was_cancelled;  // without waking anybody: the loop is at its end
    t->done = {nullptr, nullptr, ALOOP_ECANCELED};
    drop_callbacks(t);  // what they hold may hold the task
    unref(static_cast<future *>(t));               // the loop's
    if (!queued) unref(static_cast<future *>(t));  // else run_task drops it
}

struct task_resource final : resource {
    loop *home;
};

void close_tasks(resource *self) {
    loop *l = static_cast<task_resource *>(self)->home;
    l->end_of_iteration = nullptr;
    while (link *first = l->tasks.head()) drop_task(task_of(first));
    dig_graves(l);
    while (node *item = l->unclaimed.pop()) {
        task *t = static_cast<task *>(item);
        report_ended(t);
        unref(static_cast<future *>(t));
    }
    give_numbers_back(l);
    destroy(static_cast<task_resource *>(self));
}

var_cell *make_task_cell() {
    loop *l = running_loop();
    task *t = l != nullptr ? l->current_task : nullptr;
    task_extra *more = t != nullptr ? t->need_extra() : nullptr;
    if (more == nullptr) return nullptr;
    if (more->context == nullptr) {
        more->context = create<context>(nullptr);
        if (more->context == nullptr) return nullptr;
        more->context->entered = true;  // by the running task
    }
    t_context.cell = &more->context->cell;
    return t_context.cell;
}

void describe(object *o, char *buffer, size_t size) {
    future *f = static_cast<future *>(o);
    if (task *t = as_task(f)) {
        describe_task(t, buffer, size);
        return;
    }
    static const char *const k_states[] = {"pending", "finished", "cancelled"};
    std::snprintf(buffer, size, "<Future %s%s%s>", k_states[f->state],
                  f->failed() ? " " : "", f->failed() ? name_of(f->status()) : "");
}

var_cell *context_of(object *o) {
    const task *t = static_cast<task *>(o);
    return t->more != nullptr && t->more->context != nullptr ? &t->more->context->cell : nullptr;
}

struct task_hooks {
    task_hooks() {
        g_context_of = context_of;
        g_make_task_cell = make_task_cell;
        g_describe = describe;
    }
};

const task_hooks g_hooks;

}  // namespace

int64_t prepare_tasks(loop *l) {
    task_resource *r = create<task_resource>();
    if (r == nullptr) return ALOOP_ENOMEM;
    r->home = l;
    r->close = close_tasks;
    l->end_of_iteration = report_unclaimed;
    // Closed in reverse: the tasks, then the stacks they ran on.
    const int64_t code = prepare_fibers(l);
    if (code < 0) {
        destroy(r);
        return code;
    }
    l->add_resource(r);
    return 0;
}

task_options::~task_options() {
    free_off_fiber(arg_free, arg);
    release(name);
    if (context != nullptr) unref(context);
}

task_extra *task::need_extra() {
    if (more == nullptr) {
        task_extra *made = loop_of(this)->make_part<task_extra>();
        std::atomic_signal_fence(std::memory_order_release);  // before a watchdog's handler sees it
        more = made;
    }
    return more;
}

namespace {

// The context that the task starts with: the given one, or a copy of the
// current one if there is anything in it.
bool set_up_context(task *t, context *given) {
    if (given != nullptr) {
        task_extra *more = t->need_extra();
        if (more == nullptr) return false;
        more->context = given;
        ref(given);
        return true;
    }
    var_map *map = capture_context();
    if (map == nullptr) return true;
    task_extra *more = t->need_extra();
    if (more != nullptr) more->context = create<context>(map);
    if (more == nullptr || more->context == nullptr) {
        drop(map);
        return false;
    }
    return true;
}

// Code of other languages never runs on a fiber: it waits for its turn. The argument's
// destructor has its place for the case that the task ends there.
bool may_begin_on_fiber(task *t) {
    if (!t->is(k_stackful)) return false;
    if (t->run.frame_free == nullptr) return true;
    task_extra *more = t->need_extra();
    if (more != nullptr && more->reserve == nullptr) more->reserve = reserve_deferred();
    return more != nullptr && more->reserve != nullptr;
}

void begin(task *t, bool eager) {
    loop *l = loop_of(t);
    l->tasks.push(static_cast<all_tasks_link *>(t));
    if (l->watched) [[unlikely]] l->tell_task(t, true);
    ref(static_cast<future *>(t));  // the loop's own, until it is done
    if (eager && running_loop() == l && (!l->on_fiber || may_begin_on_fiber(t))) {
        step_task(t);
        return;
    }
    t->fn = run_task;
    l->schedule(static_cast<node *>(t));
}

}  // namespace

namespace {

// A task with nothing to run yet, its number and its context; extras (a name, a
// stack of its own size) come from the options, if there are any.
task *new_task(loop *l, const task_options *o) {
    task *t = l->make_object<task>();
    if (t == nullptr) return nullptr;
    t->number = next_number(l);
    bool ok = set_up_context(t, o != nullptr ? o->context : nullptr);
    if (ok && o != nullptr && (o->name != nullptr || o->stack_size != 0)) {
        task_extra *more = t->need_extra();
        ok = more != nullptr;
        if (ok) {
            more->name = o->name != nullptr ? copy_string(o->name) : nullptr;
            more->stack_size = o->stack_size;
            ok = o->name == nullptr || more->name != nullptr;
        }
    }
    if (ok) return t;
    t->state = k_finished;
    free_extra(t);
    l->free_object(t);
    return nullptr;
}

}  // namespace

bool starts_at_once(const loop *l, const task_options *o) {
    const bool eager = o->eager >= 0 ? o->eager != 0 : l->eager_tasks;
    return eager && running_loop() == l && (!l->on_fiber || o->fn != nullptr);
}

task *make_task(loop *l, task_options *o) {
    task *t = new_task(l, o);
    if (t == nullptr) return nullptr;
    if (o->fn != nullptr) {
        t->on(k_stackful);
        t->run.fn = o->fn;
    } else {
        t->run.step = o->step;
    }
    t->run.frame = o->arg;
    t->run.frame_free = o->arg_free;
    if (o->arg_free != nullptr) {  // the argument is the task's now
        o->arg_free = nullptr;
        o->fn = nullptr;
        o->step = nullptr;
    }
    begin(t, o->eager >= 0 ? o->eager != 0 : l->eager_tasks);
    return t;
}

task *make_step_task(loop *l, aloop_step_fn step, void *frame, aloop_free_fn free_fn,
                     bool eager) {
    task *t = new_task(l, nullptr);
    if (t == nullptr) return nullptr;
    t->run = {{step}, frame, free_fn};
    begin(t, eager);
    return t;
}

task *make_stackful_task(loop *l, aloop_coro_fn fn, void *arg) {
    task *t = new_task(l, nullptr);
    if (t == nullptr) return nullptr;
    t->on(k_stackful);
    t->run.fn = fn;
    t->run.frame = arg;
    t->run.frame_free = nullptr;
    begin(t, l->eager_tasks);
    return t;
}

// The coroutine ----------------------------------------------------------------------------

void drop_coroutine(task *t) {
    const aloop_free_fn frame_free = t->run.frame_free;
    deferred_value *reserve = nullptr;
    if (t->more != nullptr) reserve = std::exchange(t->more->reserve, nullptr);
    if (t->is(k_stackful) && t->has(k_started)) {
        fiber *f = static_cast<fiber *>(t->run.frame);
        t->clear(k_started);
        free_argument(f, reserve);
        give_fiber(loop_of(t), f);
    } else {
        free_off_fiber(frame_free, t->run.frame, reserve);
    }
    t->run = {{nullptr}, nullptr, nullptr};
}

}  // namespace aloop
