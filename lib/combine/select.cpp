// SPDX-License-Identifier: MIT
#include "select.hpp"

#include "../task/operation.hpp"
#include "wait.hpp"

namespace aloop {

namespace {

struct select final : operation {
    results *all;  // owned; given away at the end

    select(domain *d, results *list);
    ~select() {
        if (all != nullptr) unref(all);
    }
};

future *future_of(const outcome &entry) { return static_cast<future *>(entry.from); }

// Everything under way, and a wait for the first of it.
int64_t begin(select *self) {
    loop *l = loop_of(self);
    const int64_t n = self->all->count;
    auto **shared = static_cast<future **>(allocate(static_cast<size_t>(n) * sizeof(future *)));
    if (shared == nullptr) return ALOOP_ENOMEM;
    int64_t status = 0;
    for (int64_t i = 0; status == 0 && i < n; i++) {
        shared[i] = future_of(self->all->entries[i]);
        status = start(shared[i]);
    }
    if (status == 0) {
        for (int64_t i = 0; i < n; i++) ref(shared[i]);
        status = self->await(make_wait(l, shared, n, -1, ALOOP_FIRST_COMPLETED));
    }
    release(shared);
    return status;
}

int64_t step(operation *op, task *, int64_t status) {
    select *self = static_cast<select *>(op);
    if (self->phase++ == 0) return begin(self);
    if (status < 0) return status;
    int64_t first = -1;
    for (int64_t i = self->all->count - 1; i >= 0; i--) {
        outcome &entry = self->all->entries[i];
        entry.status = future_of(entry)->status();
        if (!future_of(entry)->pending()) first = i;
    }
    op->give(std::exchange(self->all, nullptr), free_results);
    return first;
}

const op_info k_select = {"select", step, free_operation<select>};

select::select(domain *d, results *list) : operation(d, &k_select), all(list) {}

}  // namespace

future *make_select(loop *l, future *const *futures, int64_t n) {
    results *list = make_results(n);
    select *op = list != nullptr ? l->make_object<select>(list) : nullptr;
    if (op == nullptr) {
        for (int64_t i = 0; i < n; i++) unref(futures[i]);
        if (list != nullptr) unref(list);
        return failed_future(l, ALOOP_ENOMEM);
    }
    for (int64_t i = 0; i < n; i++) list->entries[i].from = futures[i];
    return op;
}

}  // namespace aloop
