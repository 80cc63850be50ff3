// SPDX-License-Identifier: MIT
#include "deferred.hpp"

#include "memory.hpp"

namespace aloop {

bool (*g_defer)(deferred *d) = nullptr;

namespace {

void free_value(deferred *d) {
    deferred_value *v = static_cast<deferred_value *>(d);
    v->free_fn(v->value);
    destroy(v);
}

}  // namespace

deferred_value *reserve_deferred() { return create<deferred_value>(); }

void drop_reserve(deferred_value *reserve) { destroy(reserve); }

void free_off_fiber(aloop_free_fn free_fn, void *value, deferred_value *reserve) {
    if (free_fn == nullptr) {
        drop_reserve(reserve);
        return;
    }
    deferred_value *later = reserve != nullptr ? reserve : reserve_deferred();
    if (later == nullptr) {
        free_fn(value);
        return;
    }
    later->free_fn = free_fn;
    later->value = value;
    later->finish = free_value;
    finish_off_fiber(later);
}

}  // namespace aloop
