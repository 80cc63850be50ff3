// posted.hpp: what other threads hand to a loop, and the memory of the callbacks
// among it.
//
// A poster fills a block and the loop's thread is done with it. Were it freed
// there, each call would cost a malloc, and a free into the arena of another
// thread: more than all the rest. So the calls stand in pages. A thread has one
// page at a time and hands out its calls one behind the other, to any loop; who
// gives the last call of a page back has the page. A loop lays such pages on a
// stack of its own, where threads that post find their next one.
//
// Pushing on that stack is a compare-and-swap; taking is one exchange for all of
// it, of which a thread keeps the first page and puts the others back. Nobody
// takes a single page off, so that there is no ABA.
//
// What is kept is bounded: a page a thread, until that ends, and k_most_spare a
// loop, until that closes; what a burst took beyond goes back to the heap. In
// passthrough mode (see memory.hpp) each call is a block of its own.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "../base/list.hpp"
#include "../base/memory.hpp"
#include "../context/context.hpp"

namespace aloop {

// Something posted by another thread. In the inbox it is linked by `next`.
struct posted : node {};

// A callback from another thread. Its id has bit 62, is unique in the process, and
// ends in the call's place in its page: from 1 on; 0 has a block of its own.
struct posted_call final : posted {
    aloop_callback_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_map *context;
    int64_t id;
};
static_assert(sizeof(posted_call) == 64);

constexpr int64_t k_posted_bit = int64_t{1} << 62;

struct alignas(64) call_page {
    static constexpr int32_t k_calls = 63;  // with the head 4 KiB; also the mask of a place

    std::atomic<int32_t> left;  // handed out and not given back, or not handed out
    call_page *below = nullptr;  // in a loop's stack
    void *block;                 // the allocator's, in which it stands
    // The calls follow.

    posted_call *calls() { return reinterpret_cast<posted_call *>(this + 1); }
};
static_assert(sizeof(call_page) == sizeof(posted_call));

class call_pages {
public:
    call_pages() = default;
    call_pages(const call_pages &) = delete;
    call_pages &operator=(const call_pages &) = delete;
    ~call_pages() { clear(); }

    // For a thread that posts to this loop, with its id; nullptr: out of memory.
    posted_call *take();
    // The loop's thread has run c.
    void give(posted_call *c) {
        call_page *page = page_of(c);
        if (page == nullptr) [[unlikely]] {
            release(c);
            return;
        }
        if (page != settling_) [[unlikely]] {
            settle();
            settling_ = page;
        }
        if (++settled_ == call_page::k_calls) [[unlikely]] settle();
    }
    // Any thread: c was not run, and nobody will.
    static void drop(posted_call *c);
    // Gives all back; on the loop's thread, or when it has none.
    void clear();
    // In a forked child, where what another thread was in the middle of is lost.
    void renew();

private:
    static constexpr int32_t k_most_spare = 64;  // 256 KiB

    // nullptr: it has a block of its own.
    static call_page *page_of(posted_call *c) {
        const int64_t place = c->id & call_page::k_calls;
        return place != 0 ? reinterpret_cast<call_page *>(c - place) : nullptr;
    }
    posted_call *take_slowly();
    call_page *take_page();
    void put_back(call_page *rest);
    void settle();
    void lay_down(call_page *page);

    // How many calls of one page were given back that the page does not know of yet:
    // no atomics as long as the calls of a page come one behind the other.
    call_page *settling_ = nullptr;
    int32_t settled_ = 0;
    std::atomic<int32_t> spare_{0};  // pages on the stack, or about to be
    std::atomic<call_page *> stack_{nullptr};
};

}  // namespace aloop
