// SPDX-License-Identifier: MIT
#include "posted.hpp"

#include "../base/locked.hpp"
#include "loop.hpp"

namespace aloop {

namespace {

// A page takes as many as it has places, so that a call's id tells its place.
std::atomic<int64_t> g_next_ids{k_posted_bit};

int64_t ids_of_a_page() {
    return g_next_ids.fetch_add(call_page::k_calls + 1, std::memory_order_relaxed);
}

// What a thread has at hand.
struct poster {
    posted_call *next;  // of page; at end there is none
    posted_call *end;
    int64_t next_id;
    call_page *page;
    bool ended;  // the thread is at its end
};
thread_local constinit poster t_poster __attribute__((tls_model("initial-exec"))) = {};

// The processor of the loop has the lines of a page that comes back from there. It costs
// as much to get one as all the rest of a post does, so it is asked for some posts before.
constexpr int k_ahead = 4;

inline void fetch_to_write(const posted_call *c) {
#ifdef __x86_64__
    asm volatile("prefetchw %0" : : "m"(*c));
#else
    __builtin_prefetch(c, 1);
#endif
}

call_page *make_page() {
    constexpr uintptr_t k_line = sizeof(call_page);
    void *block = allocate((call_page::k_calls + 2) * k_line);
    if (block == nullptr) return nullptr;
    const uintptr_t line = (reinterpret_cast<uintptr_t>(block) + k_line - 1) & ~(k_line - 1);
    call_page *page = new (reinterpret_cast<void *>(line)) call_page;
    page->block = block;
    for (int32_t i = 0; i < call_page::k_calls; i++) new (&page->calls()[i]) posted_call;
    return page;
}

void release_page(call_page *page) { release(page->block); }

// n calls of page come back: whether they were the last ones.
bool were_last(call_page *page, int32_t n) {
    return page->left.fetch_sub(n, std::memory_order_acq_rel) == n;
}

// Gives up what the thread has not handed out.
struct end_of_thread {
    ~end_of_thread() {
        poster &mine = t_poster;
        const auto unused = static_cast<int32_t>(mine.end - mine.next);
        if (unused > 0 && were_last(mine.page, unused)) release_page(mine.page);
        mine = {};
        mine.ended = true;
    }
};

}  // namespace

// The memory ---------------------------------------------------------------------------

inline posted_call *call_pages::take() {
    poster &mine = t_poster;
    if (mine.next == mine.end) [[unlikely]] return take_slowly();
    posted_call *c = mine.next++;
    fetch_to_write(c + k_ahead);
    c->id = mine.next_id++;
    return c;
}

posted_call *call_pages::take_slowly() {
    poster &mine = t_poster;
    call_page *page = slab_passthrough() || mine.ended ? nullptr : take_page();
    if (page == nullptr) {
        posted_call *alone = create<posted_call>();
        if (alone != nullptr) alone->id = ids_of_a_page();
        return alone;
    }
    static thread_local end_of_thread at_end;
    (void)at_end;
    page->left.store(call_page::k_calls, std::memory_order_relaxed);
    mine = {page->calls(), page->calls() + call_page::k_calls, ids_of_a_page() + 1, page, false};
    return take();
}

call_page *call_pages::take_page() {
    call_page *top = nullptr;
    if (stack_.load(std::memory_order_relaxed) != nullptr) {
        top = stack_.exchange(nullptr, std::memory_order_acquire);
    }
    if (top == nullptr) return make_page();
    spare_.fetch_sub(1, std::memory_order_relaxed);
    put_back(std::exchange(top->below, nullptr));
    return top;
}

// What the loop has laid down meanwhile comes on top of it.
void call_pages::put_back(call_page *rest) {
    while (rest != nullptr) {
        call_page *top = nullptr;
        if (stack_.compare_exchange_strong(top, rest, std::memory_order_release,
                                           std::memory_order_relaxed)) {
            return;
        }
        top = stack_.exchange(nullptr, std::memory_order_acquire);
        if (top == nullptr) continue;
        call_page *last = top;
        while (last->below != nullptr) last = last->below;
        last->below = rest;
        rest = top;
    }
}

void call_pages::settle() {
    call_page *page = std::exchange(settling_, nullptr);
    const int32_t n = std::exchange(settled_, 0);
    if (page != nullptr && were_last(page, n)) lay_down(page);
}

void call_pages::lay_down(call_page *page) {
    if (spare_.load(std::memory_order_relaxed) >= k_most_spare) {
        release_page(page);
        return;
    }
    spare_.fetch_add(1, std::memory_order_relaxed);
    page->below = stack_.load(std::memory_order_relaxed);
    while (!stack_.compare_exchange_weak(page->below, page, std::memory_order_release,
                                         std::memory_order_relaxed)) {
    }
}

void call_pages::drop(posted_call *c) {
    call_page *page = page_of(c);
    if (page == nullptr) {
        release(c);
    } else if (were_last(page, 1)) {
        release_page(page);
    }
}

void call_pages::clear() {
    settle();
    call_page *page = stack_.exchange(nullptr, std::memory_order_acquire);
    while (page != nullptr) {
        call_page *below = page->below;
        release_page(page);
        spare_.fetch_sub(1, std::memory_order_relaxed);
        page = below;
    }
}

void call_pages::renew() {
    settling_ = nullptr;
    settled_ = 0;
    clear();
    spare_.store(0, std::memory_order_relaxed);
}

// The inbox ----------------------------------------------------------------------------

inline bool loop::push_posted(posted *item) {
    posted *head = inbox_.load(std::memory_order_relaxed);
    do {
        if (head == closed_mark()) return false;
        item->next = head;
    } while (!inbox_.compare_exchange_weak(head, item, std::memory_order_seq_cst));
    return true;
}

// What a callback of the loop posts stands in line with what it schedules.
inline void loop::tell_posted() {
    if (t_thread.running == this) take_inbox();
    else wake();
}

int64_t loop::post(posted *item) {
    if (!push_posted(item)) return ALOOP_ESTALE;
    tell_posted();
    return 0;
}

// No mutex here: who unsubscribes before the close keeps the poller alive.
void loop::post_from_signal(posted *item) {
    if (push_posted(item) && sleeping_.exchange(false)) poller_->wake();
}

void loop::wake_sleeper() {
    locked hold(&closed_mutex);
    wake_domain(this);
}

void loop::wake_domain(domain *d) {
    loop *l = static_cast<loop *>(d);
    if (!l->closed && l->sleeping_.exchange(false)) l->poller_->wake();
}

// The inbox is a stack; its order turned round is the order of posting.
void loop::take_inbox() {
    posted *last = inbox_.exchange(nullptr, std::memory_order_acq_rel);
    if (last == nullptr) return;
    link *first = nullptr;
    for (link *item = last; item != nullptr;) {
        link *earlier = item->next;
        item->next = first;
        first = item;
        item = earlier;
    }
    ready_.append(first, last);
}

void loop::drain_inbox() {
    take_inbox();
    collect_drops(this);
}

// The calls ----------------------------------------------------------------------------

int64_t loop::call_soon_threadsafe(aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    posted_call *c = call_pages_.take();
    if (c == nullptr) [[unlikely]] return ALOOP_ENOMEM;
    c->fn = run_posted;
    c->callback = fn;
    c->data = data;
    c->free_fn = free_fn;
    c->context = capture_context();
    const int64_t id = c->id;  // once posted, it may be gone
    if (!push_posted(c)) [[unlikely]] {
        drop(c->context);
        call_pages::drop(c);
        return ALOOP_ESTALE;
    }
    tell_posted();
    return id;
}

void loop::run_posted(node *item, action what) {
    posted_call *c = static_cast<posted_call *>(item);
    if (what == action::drop) [[unlikely]] {
        drop_posted(c, what);
        return;
    }
    loop *l = t_thread.running;
    const aloop_callback_fn fn = c->callback;
    void *data = c->data;
    const aloop_free_fn free_fn = c->free_fn;
    var_map *map = c->context;
    const int64_t id = c->id;
    l->call_pages_.give(c);
    l->run_call(fn, data, free_fn, map, id);
}

// A cancelled one's turn, or that of any where the loop closes.
void loop::drop_posted(node *item, action) {
    posted_call *c = static_cast<posted_call *>(item);
    void *data = c->data;
    const aloop_free_fn free_fn = c->free_fn;
    var_map *map = c->context;
    call_pages::drop(c);
    if (free_fn != nullptr) free_fn(data);
    aloop::drop(map);
}

posted_call *loop::find_posted(int64_t id) const {
    for (const fifo *queue : {&batch_, &ready_}) {
        for (node *n = queue->head(); n != nullptr; n = static_cast<node *>(n->next)) {
            posted_call *c = static_cast<posted_call *>(n);
            if (n->fn == run_posted && c->id == id) return c;
        }
    }
    return nullptr;
}

int64_t loop::cancel_posted(int64_t id) {
    drain_inbox();
    posted_call *c = find_posted(id);
    if (c == nullptr) return ALOOP_ENOENT;
    c->fn = drop_posted;
    return 0;
}

// A wrong thread -----------------------------------------------------------------------

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

}  // namespace

void loop::post_misuse() {
    misuse *m = create<misuse>();
    if (m == nullptr) return;
    m->fn = report_misuse;
    m->home = this;
    capture_origin(&m->from);
    if (post(m) < 0) destroy(m);
}

}  // namespace aloop
