// SPDX-License-Identifier: MIT
#include "queue.hpp"

#include <algorithm>

namespace aloop {

namespace {

void free_all(queue *q, item_store *store) {
    q->busy = true;  // a destructor may come back here
    while (store->count() > 0) {
        void *item = store->pop();
        if (q->item_free != nullptr && item != nullptr) q->item_free(item);
    }
    q->busy = false;
}

void free_doomed(node *self, action) {
    queue *q = static_cast<queue *>(static_cast<posted *>(self));
    free_all(q, &q->doomed);
    unref(q);
}

// Frees the items of a queue that takes no more, and drops a reference to it.
void discard_items(queue *q) {
    q->doomed.take_from(&q->items);
    q->fn = free_doomed;
    if (q->item_free == nullptr || !has_to_wait(q, q)) free_doomed(q, action::run);
}

void destroy_queue(object *o) {
    queue *q = static_cast<queue *>(o);
    if (!q->empty()) {
        q->remote.store(1, std::memory_order_relaxed);  // until they are freed
        discard_items(q);
        return;
    }
    destroy(q);
}

const register_kind g_queue(kind::queue, {"queue", destroy_queue});

struct refused : posted {
    aloop_free_fn item_free;
    void *item;
};

void free_posted(node *self, action) {
    refused *r = static_cast<refused *>(static_cast<posted *>(self));
    r->item_free(r->item);
    destroy(r);
}

// The compare function may drop the last reference.
ptr<queue> while_comparing(queue *q) {
    return ptr<queue>::share(q->compares() ? q : nullptr);
}

// Putting -----------------------------------------------------------------------------------

struct put final : op_on<queue> {
    void *item;  // nullptr once the queue has it

    put(domain *d, const op_info *info, queue *q, void *what) : op_on(d, info, q), item(what) {}
    ~put() {
        node.leave(of->putters);
        if (is_given_up_woken() && !of->full()) pop_and_wake(of->putters, false);
    }
};

void drop_item(put *self) {
    void *item = std::exchange(self->item, nullptr);
    if (item != nullptr && self->of->item_free != nullptr) self->of->item_free(item);
}

// The item of a put that failed on a fiber is freed with the operation, and
// that, if it ends on a fiber as well, on the loop's stack afterwards.
int64_t fail_put(put *self, int64_t status) {
    if (!loop_of(self)->on_fiber) drop_item(self);
    return status;
}

void destroy_put(operation *op) {
    put *self = static_cast<put *>(op);
    loop *l = loop_of(op);
    if (l->on_fiber && self->item != nullptr && self->of->item_free != nullptr) {
        op->set(k_started);
        op->inbox_next = l->graveyard;
        l->graveyard = op;
        return;
    }
    drop_item(self);
    l->free_object(self);
}

int64_t cancelled_put(put *self, task *by) {
    queue *q = self->of;
    self->node.leave(q->putters);
    if (!q->full() && !self->node.cancelled()) pop_and_wake(q->putters, false);
    return fail_put(self, pass_cancellation(self, by));
}

int64_t step_put(operation *op, task *by, int64_t status) {
    put *self = static_cast<put *>(op);
    queue *q = self->of;
    if (self->phase++ != 0 && status < 0) return cancelled_put(self, by);
    if (q->full() && !q->is_shutdown) {
        status = block(q, q->putters, &self->node, op);
        return status == ALOOP_PENDING ? status : fail_put(self, status);
    }
    status = put_now(q, self->item);
    if (status < 0) return fail_put(self, status);
    self->item = nullptr;
    return 0;
}

int64_t put_at_once(operation *op, void **value) {
    put *self = static_cast<put *>(op);
    queue *q = self->of;
    if (q->full() || q->is_shutdown || q->busy || !q->items.ready_for_push()) return ALOOP_PENDING;
    q->items.push(self->item);
    q->unfinished++;
    pop_and_wake(q->getters, false);
    return end_at_once(self, value);
}

const op_info k_put = {"queue.put", step_put, destroy_put, put_at_once};

// Getting -----------------------------------------------------------------------------------

struct get final : op_on<queue> {
    using op_on::op_on;
    ~get() {
        node.leave(of->getters);
        if (is_given_up_woken() && !of->empty()) pop_and_wake(of->getters, false);
    }
};

int64_t step_get(operation *op, task *by, int64_t status) {
    get *self = static_cast<get *>(op);
    queue *q = self->of;
    if (self->phase++ != 0 && status < 0) {
        self->node.leave(q->getters);
        if (!q->empty() && !self->node.cancelled()) pop_and_wake(q->getters, false);
        return pass_cancellation(op, by);
    }
    if (q->empty() && !q->is_shutdown) return block(q, q->getters, &self->node, op);
    void *item = nullptr;
    status = get_now(q, &item);
    if (status == 0) op->give(item, q->item_free);
    return status;
}

int64_t get_at_once(operation *op, void **value) {
    queue *q = static_cast<get *>(op)->of;
    if (q->busy || !q->items.ready_for_pop()) return ALOOP_PENDING;
    if (value == nullptr && q->item_free != nullptr) return ALOOP_PENDING;
    void *item = q->items.pop();
    pop_and_wake(q->putters, false);
    return end_at_once(static_cast<get *>(op), value, item);
}

const op_info k_get = {"queue.get", step_get, free_operation<get>, get_at_once};

// Joining -----------------------------------------------------------------------------------

struct queue_join final : op_on<queue> {
    using op_on::op_on;
    ~queue_join() { of->joiners.leave(&node); }
};

int64_t step_join(operation *op, task *by, int64_t status) {
    queue_join *self = static_cast<queue_join *>(op);
    return wait_once(self, self->of->joiners, self->of->unfinished == 0, by, status);
}

const op_info k_join = {"queue.join", step_join, free_operation<queue_join>};

void one_less_unfinished(queue *q, int64_t by) {
    q->unfinished = std::max<int64_t>(q->unfinished - by, 0);
    if (q->unfinished == 0) q->joiners.wake(k_all);
}

}  // namespace

queue *make_queue(queue_options *options) {
    queue *q = create<queue>();
    if (q == nullptr) return nullptr;
    if (options != nullptr) {
        options->in_use = true;
        q->options = ptr<queue_options>::share(options);
        q->maxsize = std::max<int64_t>(options->maxsize, 0);
        q->item_free = options->item_free;
        q->items.configure(options->kind, options->compare, options->compare_data);
    }
    if (q->items.reserve(std::min(q->maxsize, item_store::k_reserve))) return q;
    unref(q);
    return nullptr;
}

void free_refused(loop *home, aloop_free_fn item_free, void *item) {
    if (item_free == nullptr || item == nullptr) return;
    if (home != nullptr && !home->owned()) {
        refused *r = create<refused>();
        if (r != nullptr) {
            r->fn = free_posted;
            r->item_free = item_free;
            r->item = item;
            if (home->post(r) == 0) return;
            destroy(r);
        }
    }
    free_off_fiber(item_free, item);
}

int64_t put_now(queue *q, void *item) {
    if (q->occupied()) return ALOOP_EBUSY;
    if (q->is_shutdown) return ALOOP_EQUEUESHUTDOWN;
    if (q->full()) return ALOOP_EQUEUEFULL;
    const ptr<queue> kept = while_comparing(q);
    q->busy = true;
    const bool pushed = q->items.push(item);
    q->busy = false;
    if (!pushed) return ALOOP_ENOMEM;
    q->unfinished++;
    pop_and_wake(q->getters, false);
    return 0;
}

int64_t get_now(queue *q, void **item) {
    if (q->occupied()) return ALOOP_EBUSY;
    if (q->empty()) return q->is_shutdown ? ALOOP_EQUEUESHUTDOWN : ALOOP_EQUEUEEMPTY;
    const ptr<queue> kept = while_comparing(q);
    q->busy = true;
    *item = q->items.pop();
    q->busy = false;
    pop_and_wake(q->putters, false);
    return 0;
}

void task_done(queue *q) { one_less_unfinished(q, 1); }

void shut_down(queue *q, bool immediate) {
    q->is_shutdown = true;
    ref(q);  // the items' destructors may drop the last one
    if (immediate && !q->empty()) {
        one_less_unfinished(q, q->items.count());
        ref(q);
        discard_items(q);
    }
    pop_and_wake(q->getters, true);
    pop_and_wake(q->putters, true);
    unref(q);
}

future *make_put(loop *home, queue *q, void *item) {
    return home->make_object<put>(&k_put, q, item);
}

future *make_get(loop *home, queue *q) { return home->make_object<get>(&k_get, q); }

future *make_queue_join(loop *home, queue *q) { return home->make_object<queue_join>(&k_join, q); }

}  // namespace aloop
