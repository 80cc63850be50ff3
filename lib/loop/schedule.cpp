// schedule.cpp: how callbacks get into the queue of a loop: handles from its own
// thread, the inbox from others.
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
        callback_scope scope(&map);
        const int64_t result = fn(data);
        if (result < 0 || l->raised) [[unlikely]] l->end_callback(result, id);
    }
    if (free_fn != nullptr) free_fn(data);
    drop(map);
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

namespace {

// A callback from another thread. Its ids have bit 62 and a running number.
constexpr int64_t k_posted_bit = int64_t{1} << 62;

struct posted_call : posted {
    aloop_callback_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_map *context;
    loop *home;
    int64_t id;
    bool cancelled = false;
};

void run_posted(node *item, action what) {
    posted_call *c = static_cast<posted_call *>(item);
    if (what == action::run && !c->cancelled) {
        callback_scope scope(&c->context);
        const int64_t result = c->callback(c->data);
        if (result < 0 || c->home->raised) c->home->end_callback(result, c->id);
    }
    if (c->free_fn != nullptr) c->free_fn(c->data);
    drop(c->context);
    destroy(c);
}

}  // namespace

int64_t loop::call_soon_threadsafe(aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    posted_call *c = create<posted_call>();
    if (c == nullptr) return ALOOP_ENOMEM;
    c->fn = run_posted;
    c->callback = fn;
    c->data = data;
    c->free_fn = free_fn;
    c->context = capture_context();
    c->home = this;
    const int64_t id = k_posted_bit | static_cast<int64_t>(posted_count_.fetch_add(1));
    c->id = id;
    const int64_t code = post(c);
    if (code < 0) {
        drop(c->context);
        destroy(c);
        return code;
    }
    return id;
}

namespace {

// A call from a thread where it may not come from; its stack is that of the caller.
struct misuse : posted {
    loop *home;
    origin from;
};

void report_misuse(node *item, action) {
    misuse *m = static_cast<misuse *>(item);
    char source[k_source_size];
    writer out(source, sizeof source);
    describe_origin(out, &m->from);
    aloop_exception_context context;
    context.message =
        "Non-thread-safe operation invoked on an event loop other than the current one";
    context.code = ALOOP_EWRONGTHREAD;
    context.source = source;
    m->home->report(&context);
    destroy(m);
}

const register_runnable g_posted(run_posted, nullptr, [](node *item) {
    return reinterpret_cast<const void *>(static_cast<posted_call *>(item)->callback);
});

}  // namespace

void loop::post_misuse() {
    misuse *m = create<misuse>();
    if (m == nullptr) return;
    m->fn = report_misuse;
    m->home = this;
    capture_origin(&m->from);
    if (post(m) < 0) destroy(m);
}

int64_t loop::post(posted *item) {
    if (!push_posted(item)) return ALOOP_ESTALE;
    wake();
    return 0;
}

bool loop::push_posted(posted *item) {
    posted *head = inbox_.load(std::memory_order_relaxed);
    do {
        if (head == closed_mark()) return false;
        item->inbox_next = head;
    } while (!inbox_.compare_exchange_weak(head, item, std::memory_order_seq_cst));
    return true;
}

// No mutex here: who unsubscribes before the close keeps the poller alive.
void loop::post_from_signal(posted *item) {
    if (push_posted(item) && sleeping_.exchange(false)) poller_->wake();
}

void loop::wake() {
    if (!sleeping_.load(std::memory_order_seq_cst)) return;
    pthread_mutex_lock(&closed_mutex);
    wake_domain(this);
    pthread_mutex_unlock(&closed_mutex);
}

void loop::wake_domain(domain *d) {
    loop *l = static_cast<loop *>(d);
    if (!l->closed && l->sleeping_.exchange(false)) l->poller_->wake();
}

// The inbox is a stack; its order turned round is the order of posting.
void loop::drain_inbox() {
    posted *stack = inbox_.exchange(nullptr, std::memory_order_acq_rel);
    posted *list = nullptr;
    while (stack != nullptr) {
        posted *next = stack->inbox_next;
        stack->inbox_next = list;
        list = stack;
        stack = next;
    }
    while (list != nullptr) {
        posted *next = list->inbox_next;
        ready_.push(list);
        list = next;
    }
    collect_drops(this);
}

node *loop::find_posted(int64_t id) const {
    for (const fifo *queue : {&batch_, &ready_}) {
        for (node *n = queue->head(); n != nullptr; n = static_cast<node *>(n->next)) {
            if (n->fn == run_posted && static_cast<posted_call *>(n)->id == id) return n;
        }
    }
    return nullptr;
}

int64_t loop::cancel_handle(aloop_handle id) {
    if ((id & static_cast<aloop_handle>(k_posted_bit)) != 0) {
        drain_inbox();
        posted_call *c = static_cast<posted_call *>(find_posted(static_cast<int64_t>(id)));
        if (c == nullptr || c->cancelled) return ALOOP_ENOENT;
        c->cancelled = true;
        return 0;
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
