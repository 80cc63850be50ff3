// SPDX-License-Identifier: MIT
#include "observe.hpp"

#include <cstdio>

#include "loop.hpp"
#include "report.hpp"

namespace aloop {

namespace {

const register_runnable *g_runnables = nullptr;

running_item identify(node *item) {
    running_item found;
    for (const register_runnable *r = g_runnables; r != nullptr; r = r->next) {
        if (r->fn != item->fn) continue;
        if (r->task_of != nullptr) found.of = r->task_of(item);
        if (r->code_of != nullptr) found.code = r->code_of(item);
        break;
    }
    return found;
}

// asyncio's message, with the task or the callback shown as it shows itself.
void report_slow(loop *l, const running_item &item, const origin *made, double took) {
    char what[320];
    if (item.of != nullptr && g_describe != nullptr) {
        g_describe(item.of, what, sizeof what);
    } else {
        writer out(what, sizeof what);
        out.add("<Handle ");
        if (item.code != nullptr) out.add_code(item.code);
        out.add(item.code != nullptr ? ">" : "of the library>");
    }
    char message[400];
    std::snprintf(message, sizeof message, "Executing %s took %.3f seconds", what, took);
    char source[k_source_size];
    writer text(source, sizeof source);
    describe_origin(text, made);
    aloop_exception_context context;
    context.message = message;
    context.task = item.of;
    context.future = item.of;
    if (item.of == nullptr) context.source = source;
    l->report(&context);
}

}  // namespace

register_runnable::register_runnable(void (*run)(node *, action), object *(*task)(node *),
                                     const void *(*code)(node *))
    : fn(run), task_of(task), code_of(code), next(g_runnables) {
    g_runnables = this;
}

template <typename Tell>
void loop::tell(Tell tell_one) {
    for (int i = 0; i < static_cast<int>(observer_slot::count); i++) {
        if (observers_[i] != nullptr) tell_one(observers_[i]);
    }
}

void loop::observe(observer_slot slot, loop_observer *observer) {
    observers_[static_cast<int>(slot)] = observer;
    watched = false;
    for (const loop_observer *o : observers_) watched = watched || o != nullptr;
}

loop_observer *loop::observer(observer_slot slot) const {
    return observers_[static_cast<int>(slot)];
}

void loop::tell_task(object *task, bool made) {
    const int64_t at = monotonic_now();
    tell([=](loop_observer *o) { made ? o->task_made(task, at) : o->task_done(task, at); });
}

void loop::tell_slept(int64_t from) {
    const int64_t to = monotonic_now();
    tell([=](loop_observer *o) { o->slept(from, to); });
}

int64_t loop::run_batch_watched() {
    if (random_ != 0) shuffle_batch();
    int64_t n = 0;
    while (node *item = batch_.pop()) {
        const running_item running = identify(item);
        if (running.of != nullptr) ref(running.of);
        origin made;
        if (const origin *o = origins_ != nullptr ? origins_->find(item) : nullptr) made = *o;
        running_origin_ = made.count > 0 ? &made : nullptr;
        const int64_t began = monotonic_now();
        tell([&](loop_observer *o) { o->begins(running, began); });
        item->fn(item, action::run);
        const int64_t ended = monotonic_now();
        tell([&](loop_observer *o) { o->ends(running, ended); });
        running_origin_ = nullptr;
        const double took = to_seconds(ended - began);
        if (debug && took >= slow_callback_duration) {
            counters_.slow++;
            report_slow(this, running, &made, took);
        }
        if (running.of != nullptr) unref(running.of);
        n++;
    }
    return n;
}

// Test mode: the order within an iteration, drawn from the seed. Cards are
// dealt to 16 piles three times, which needs no memory.
void loop::shuffle_batch() {
    for (int round = 0; round < 3; round++) {
        fifo piles[16];
        while (node *item = batch_.pop()) {
            random_ = random_ * 6364136223846793005u + 1442695040888963407u;
            piles[random_ >> 60].push(item);
        }
        for (fifo &pile : piles) batch_.append(pile);
    }
}

// Where things were made ---------------------------------------------------------------

void loop::note_origin(const void *thing, bool is_object) {
    if (origins_ == nullptr) origins_ = create<origin_table>();
    if (origins_ != nullptr) origins_->note(thing, is_object);
}

const origin *loop::origin_of(const void *thing) const {
    return origins_ != nullptr ? origins_->find(thing) : nullptr;
}

void loop::drop_origins() {
    destroy(origins_);
    origins_ = nullptr;
}

void loop::tell_unawaited(object *o) {
    const char *name = debug && !closed ? g_unawaited(o) : nullptr;
    if (name == nullptr) return;
    char text[128];
    std::snprintf(text, sizeof text, "operation '%s' was never awaited", name);
    aloop_exception_context context;
    context.message = text;
    context.made = o;
    report(&context);
}

// In C what nobody awaits is mostly not dropped either, so that nothing else would tell.
// Held while they are told, for a handler may drop them, or make others.
void loop::tell_all_unawaited() {
    if (origins_ == nullptr || !debug) return;
    collect_drops(this);
    constexpr int k_most = 32;
    object *left[k_most];
    int n = 0;
    size_t at = 0;
    while (object *o = n < k_most ? origins_->next_object(&at) : nullptr) {
        if (g_unawaited(o) == nullptr) continue;
        ref(o);
        left[n++] = o;
    }
    for (int i = 0; i < n; i++) {
        tell_unawaited(left[i]);
        unref(left[i]);
    }
}

}  // namespace aloop
