// collect.cpp: [x async for x in generator].
//
// SPDX-License-Identifier: MIT
#include "generator.hpp"

namespace aloop {

namespace {

struct collector final : operation {
    generator *of;
    results *list = nullptr;  // its count is the room; `used` entries are set
    int64_t used = 0;

    collector(domain *d, generator *g);
    ~collector() {
        if (list != nullptr) unref(list);
        unref(of);
    }
};

// A list with room for more, to which the entries move.
bool grow(collector *self, int64_t room) {
    results *wider = make_results(room);
    if (wider == nullptr) return false;
    outcome *to = wider->entries;
    outcome *from = self->list != nullptr ? self->list->entries : nullptr;
    for (int64_t i = 0; i < self->used; i++) to[i] = std::exchange(from[i], outcome());
    if (self->list != nullptr) unref(self->list);
    self->list = wider;
    return true;
}

bool keep(collector *self) {
    const int64_t room = self->list != nullptr ? self->list->count : 0;
    if (self->used == room && !grow(self, room != 0 ? room * 2 : 8)) return false;
    outcome *list = self->list->entries;
    record_outcome(&list[self->used++], self->inner, true);
    return true;
}

int64_t finish(collector *self) {
    if (self->list == nullptr && !grow(self, 0)) return ALOOP_ENOMEM;
    self->list->count = self->used;
    self->give(std::exchange(self->list, nullptr), free_results);
    return 0;
}

int64_t step(operation *op, task *, int64_t status) {
    collector *self = static_cast<collector *>(op);
    if (op->phase++ > 0) {
        if (status == ALOOP_ESTOPITERATION) return finish(self);
        if (status < 0) return status;
        if (!keep(self)) return ALOOP_ENOMEM;
    }
    return op->await(make_send(self->of, 0, nullptr, nullptr));
}

const op_info k_collect = {"generator_collect", step, free_operation<collector>};

collector::collector(domain *d, generator *g) : operation(d, &k_collect), of(g) { ref(g); }

}  // namespace

future *make_collect(generator *g) { return loop_of(g)->make_object<collector>(g); }

}  // namespace aloop
