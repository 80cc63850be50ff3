// schedule.cpp: how callbacks get into the queue of a loop from its own thread: handles.
// From others: posted.hpp.
//
// SPDX-License-Identifier: MIT
#include "loop.hpp"

namespace aloop {

// After a callback that failed, or raised an error and then did not fail; in its
// context still, in which the exception handler runs.
[[gnu::cold, gnu::noinline]] void loop::end_callback(int64_t result, int64_t id) {
    if (result < 0) {
        aloop_exception_context context;
        context.message = "Exception in callback";
        context.code = result;
        context.failure = raised.get();
        context.handle = static_cast<aloop_handle>(id);
        report(&context);
    }
    raised.reset();
}

void loop::run_handle(node *item, action what) {
    handle *h = static_cast<handle *>(item);
    loop *l = handle_table::home_of(h);
    const int64_t id = h->id;
    const aloop_callback_fn fn = h->callback;
    void *data = h->data;
    const aloop_free_fn free_fn = h->free_fn;
    var_map *map = h->context;
    if (l->origins_ != nullptr) [[unlikely]] l->origins_->forget(h);
    l->handles_.give(h);
    if (what == action::run) [[likely]] {
        l->run_call(fn, data, free_fn, map, id);
    } else {
        if (free_fn != nullptr) free_fn(data);
        drop(map);
    }
}

void loop::drop_handle(node *item, action) {
    handle *h = static_cast<handle *>(item);
    loop *l = handle_table::home_of(h);
    void *data = h->data;
    const aloop_free_fn free_fn = h->free_fn;
    var_map *map = h->context;
    if (l->origins_ != nullptr) [[unlikely]] l->origins_->forget(h);
    l->handles_.give(h);
    if (free_fn != nullptr) free_fn(data);
    drop(map);
}

handle *loop::find_handle(aloop_handle id) const {
    handle *h = handles_.find(id);
    return h == nullptr || timers::is_armed(h) || h->fn != drop_handle ? h : nullptr;
}

int64_t loop::call_at(int64_t deadline, aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    handle *h = make_handle(fn, data, free_fn);
    if (h == nullptr) return ALOOP_ENOMEM;
    timers_.arm(h, deadline, timer_tag::handle);
    return h->id;
}

int64_t loop::cancel_handle(aloop_handle id) {
    if ((id & static_cast<aloop_handle>(k_posted_bit)) != 0) {
        return cancel_posted(static_cast<int64_t>(id));
    }
    handle *h = find_handle(id);
    if (h == nullptr) return ALOOP_ENOENT;
    const bool was_armed = timers::is_armed(h);
    if (was_armed) timers_.cancel(h);
    h->fn = drop_handle;
    if (on_fiber && h->free_fn != nullptr) {
        // The program's destructor runs on the loop's own stack, soon.
        if (was_armed) ready_.push(h);
        return 0;
    }
    if (was_armed) {
        drop_handle(h, action::drop);
    } else if (const aloop_free_fn free_fn = std::exchange(h->free_fn, nullptr)) {
        free_fn(h->data);
    }
    return 0;
}

double loop::handle_when(aloop_handle id) const {
    const handle *h = find_handle(id);
    const bool armed = h != nullptr && timers::is_armed(h);
    return armed ? to_seconds(timers::deadline_of(h)) : __builtin_nan("");
}

}  // namespace aloop
