// queue.hpp: queues and channels of values.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_QUEUE_HPP
#define ASYNCLOOP_CPP_QUEUE_HPP

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

// A queue of values; see queue.h. Items that nobody took are destroyed with it.
template <typename T>
class queue {
public:
    explicit queue(int64_t maxsize = 0, int32_t kind = ALOOP_QUEUE_FIFO) {
        ref<aloop_queue_options> how(aloop_queue_options_new());
        if (!how) throw std::bad_alloc();
        check(aloop_queue_options_set_maxsize(how.get(), maxsize));
        check(aloop_queue_options_set_kind(how.get(), kind));
        check(aloop_queue_options_set_item_free(how.get(),
                                                [](void *p) { delete static_cast<T *>(p); }));
        aloop_queue *made = nullptr;
        check(aloop_queue_new(&made, how.get()));
        queue_ = ref<aloop_queue>(made);
    }

    task<void> put(T item) const { return put_in(queue_, std::move(item)); }
    void put_nowait(T item) {
        auto box = std::make_unique<T>(std::move(item));
        check(aloop_queue_put_nowait(queue_.get(), box.get()));
        box.release();
    }
    detail::typed_awaiter<T> get() noexcept {
        return detail::typed_awaiter<T>(aloop_queue_get(queue_.get()));
    }
    T get_nowait() {
        void *item = nullptr;
        check(aloop_queue_get_nowait(queue_.get(), &item));
        return detail::unbox<T>(item);
    }
    detail::awaiter join() noexcept { return detail::awaiter(aloop_queue_join(queue_.get())); }
    void task_done() { check(aloop_queue_task_done(queue_.get())); }
    void shutdown(bool immediate = false) { check(aloop_queue_shutdown(queue_.get(), immediate)); }
    int64_t size() const noexcept { return aloop_queue_qsize(queue_.get()); }
    aloop_queue *native() const noexcept { return queue_.get(); }

private:
    // A queue that was moved from could not free the item.
    static task<void> put_in(ref<aloop_queue> kept, T item) {
        if (!kept) throw error(ALOOP_EINVAL);
        co_await aloop_queue_put(kept.get(), std::make_unique<T>(std::move(item)).release());
    }

    ref<aloop_queue> queue_;
};

// Channels (see channel.h): auto [in, out] = channel<T>(capacity). The copies of
// an end are its holders. receive() throws stop_iteration when no sender is left.
template <typename T>
class sender : public ref<aloop_sender> {
public:
    using ref<aloop_sender>::ref;
    task<void> send(T item) const { return send_through(*this, std::move(item)); }

private:
    static task<void> send_through(ref<aloop_sender> kept, T item) {
        if (!kept) throw error(ALOOP_EINVAL);
        co_await aloop_sender_send(kept.get(), std::make_unique<T>(std::move(item)).release());
    }
};

template <typename T>
class receiver : public ref<aloop_receiver> {
public:
    using ref<aloop_receiver>::ref;
    detail::typed_awaiter<T> receive() noexcept {
        return detail::typed_awaiter<T>(aloop_receiver_receive(get()));
    }
};

template <typename T>
std::pair<sender<T>, receiver<T>> channel(int64_t capacity = 0) {
    aloop_sender *in = nullptr;
    aloop_receiver *out = nullptr;
    check(aloop_channel_new(&in, &out, capacity, [](void *p) { delete static_cast<T *>(p); }));
    return {sender<T>(in), receiver<T>(out)};
}

}  // namespace cxx
}  // namespace aloop

#endif
