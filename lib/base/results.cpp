// SPDX-License-Identifier: MIT
#include "results.hpp"

#include "deferred.hpp"

namespace aloop {

namespace {

void destroy_results(object *o) { destroy(static_cast<results *>(o)); }

const register_kind g_registered(kind::results, {"results", destroy_results});

}  // namespace

results::~results() {
    outcome *list = entries;
    for (int64_t i = 0; i < count; i++) {
        outcome &o = list[i];
        if (o.value != nullptr) free_off_fiber(o.value_free, o.value);
        if (o.failure != nullptr) unref(o.failure);
        if (o.from != nullptr) unref(o.from);
    }
    count_live(kind::results, -1);
}

results *make_results(int64_t n) {
    const size_t more = n > 1 ? static_cast<size_t>(n - 1) * sizeof(outcome) : 0;
    void *block = allocate(sizeof(results) + more);
    if (block == nullptr) return nullptr;
    results *r = new (block) results(n);
    outcome *list = r->entries;
    for (int64_t i = 1; i < n; i++) new (&list[i]) outcome();
    return r;
}

void free_results(void *r) { unref(static_cast<results *>(r)); }

}  // namespace aloop
