// results.hpp: a list of outcomes, what gather and wait give.
//
// Each entry owns its value until that is taken, its error, and (for lists of
// futures) a reference to the future it came from.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "error.hpp"

namespace aloop {

struct outcome {
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;
    error *failure = nullptr;
    object *from = nullptr;  // a future
};

struct results final : object {
    int64_t count;
    outcome entries[1];  // as many as count; the block is as long as needed

    explicit results(int64_t n) : object(kind::results), count(n) { count_live(kind::results, 1); }
    ~results();
};

results *make_results(int64_t n);
void free_results(void *r);  // the destructor of a future's value

inline results *from_c(aloop_results *r) { return reinterpret_cast<results *>(r); }
inline const results *from_c(const aloop_results *r) {
    return reinterpret_cast<const results *>(r);
}
inline aloop_results *to_c(results *r) { return reinterpret_cast<aloop_results *>(r); }

}  // namespace aloop
