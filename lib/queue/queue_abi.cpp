// SPDX-License-Identifier: MIT
#include "../sync/entry.hpp"
#include "queue.hpp"

using namespace aloop;

namespace {

// The options, if they can still be changed: 0 or why not.
int64_t open_options(aloop_queue_options *handle, queue_options **options) {
    *options = options_from<queue_options>(handle);
    if (*options == nullptr) return ALOOP_EINVAL;
    return (*options)->in_use ? ALOOP_EBUSY : 0;
}

int64_t check_queue(aloop_queue *q) { return check_object(from_c(q), kind::queue); }

}  // namespace

aloop_queue_options *aloop_queue_options_new(void) {
    return reinterpret_cast<aloop_queue_options *>(create<queue_options>());
}

int64_t aloop_queue_options_set_maxsize(aloop_queue_options *handle, int64_t maxsize) {
    queue_options *o = nullptr;
    const int64_t code = open_options(handle, &o);
    if (code == 0) o->maxsize = maxsize;
    return code;
}

int64_t aloop_queue_options_set_kind(aloop_queue_options *handle, int32_t kind) {
    queue_options *o = nullptr;
    const int64_t code = open_options(handle, &o);
    if (code < 0) return code;
    if (kind < ALOOP_QUEUE_FIFO || kind > ALOOP_QUEUE_PRIORITY) return ALOOP_EINVAL;
    o->kind = kind;
    return 0;
}

int64_t aloop_queue_options_set_compare(aloop_queue_options *handle, aloop_compare_fn compare,
                                        void *data, aloop_free_fn free_fn) {
    queue_options *o = nullptr;
    const int64_t code = open_options(handle, &o);
    if (code < 0) return code;
    if (compare == nullptr) return ALOOP_EINVAL;
    free_off_fiber(o->compare_free, o->compare_data);
    o->compare = compare;
    o->compare_data = data;
    o->compare_free = free_fn;
    return 0;
}

int64_t aloop_queue_options_set_item_free(aloop_queue_options *handle, aloop_free_fn free_fn) {
    queue_options *o = nullptr;
    const int64_t code = open_options(handle, &o);
    if (code == 0) o->item_free = free_fn;
    return code;
}

int64_t aloop_queue_new(aloop_queue **out, aloop_queue_options *handle) {
    queue_options *o = options_from<queue_options>(handle);
    if (out == nullptr || (handle != nullptr && o == nullptr)) return ALOOP_EINVAL;
    if (o != nullptr && o->kind == ALOOP_QUEUE_PRIORITY && o->compare == nullptr) {
        return ALOOP_EINVAL;
    }
    return hand_out(out, make_queue(o));
}

aloop_future *aloop_queue_put(aloop_queue *handle, void *item) {
    queue *q = from_c(handle);
    bool taken = false;
    aloop_future *f = operation_on(q, kind::queue, [&](loop *home, queue *it) {
        future *made = make_put(home, it, item);
        taken = made != nullptr;
        return made;
    });
    // The caller gave the item away, whatever happened to the put.
    if (!taken && is(q, kind::queue)) free_refused(q->home.get(), q->item_free, item);
    return f;
}

int64_t aloop_queue_put_nowait(aloop_queue *q, void *item) {
    const int64_t code = check_queue(q);
    return code < 0 ? code : put_now(from_c(q), item);
}

aloop_future *aloop_queue_get(aloop_queue *q) {
    return operation_on(from_c(q), kind::queue, make_get);
}

int64_t aloop_queue_get_nowait(aloop_queue *q, void **item) {
    const int64_t code = check_queue(q);
    if (code < 0) return code;
    return item != nullptr ? get_now(from_c(q), item) : ALOOP_EINVAL;
}

aloop_future *aloop_queue_join(aloop_queue *q) {
    return operation_on(from_c(q), kind::queue, make_queue_join);
}

int64_t aloop_queue_task_done(aloop_queue *handle) {
    queue *q = from_c(handle);
    const int64_t code = check_queue(handle);
    if (code < 0) return code;
    if (q->unfinished == 0) return refuse(ALOOP_EINVAL, "task_done() called too many times");
    task_done(q);
    return 0;
}

int64_t aloop_queue_shutdown(aloop_queue *q, int32_t immediate) {
    const int64_t code = check_queue(q);
    if (code < 0) return code;
    if (from_c(q)->occupied()) return ALOOP_EBUSY;
    shut_down(from_c(q), immediate != 0);
    return 0;
}

int64_t aloop_queue_qsize(aloop_queue *q) {
    const int64_t code = check_queue(q);
    return code < 0 ? code : from_c(q)->items.count();
}

int64_t aloop_queue_empty(aloop_queue *q) {
    const int64_t code = check_queue(q);
    return code < 0 ? code : from_c(q)->empty();
}

int64_t aloop_queue_full(aloop_queue *q) {
    const int64_t code = check_queue(q);
    return code < 0 ? code : from_c(q)->full();
}

int64_t aloop_queue_maxsize(aloop_queue *q) {
    return is(from_c(q), kind::queue) ? from_c(q)->maxsize : ALOOP_EINVAL;
}

int64_t aloop_queue_statistic(aloop_queue *handle, int32_t which) {
    queue *q = from_c(handle);
    const int64_t code = check_queue(handle);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_QUEUE_STAT_GETTERS: return count_pending(q->getters);
    case ALOOP_QUEUE_STAT_PUTTERS: return count_pending(q->putters);
    case ALOOP_QUEUE_STAT_JOINERS: return count_pending(q->joiners);
    case ALOOP_QUEUE_STAT_UNFINISHED: return q->unfinished;
    case ALOOP_QUEUE_STAT_SHUTDOWN: return q->is_shutdown;
    default: return ALOOP_EINVAL;
    }
}
