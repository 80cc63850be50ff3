// entry.hpp: what the C entry points of all channels share: their ends are loop
// objects, which belong to the loop on which they were created.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../task/operation.hpp"

namespace aloop {

// 0 if the calling thread may use the end, else why not; nullptr is no end.
template <typename E>
int64_t check_end(const E *end) {
    return end != nullptr ? loop_of(end)->check() : ALOOP_EINVAL;
}

// 0 if the calling thread has a loop to make ends on.
inline int64_t loop_for_ends(loop **l) {
    *l = current_loop();
    return *l != nullptr ? (*l)->check() : ALOOP_ENORUNNINGLOOP;
}

inline int64_t fail_closed(operation *op) {
    return op->fail(ALOOP_ESTALE, "This end of the channel is closed");
}

// An operation on an end: make(end).
template <typename E, typename F>
aloop_future *operate(E *end, F make) {
    loop *l = current_loop();
    if (l == nullptr || l->check() != 0) return nullptr;
    if (end == nullptr) return to_c(failed_future(l, ALOOP_EINVAL));
    if (loop_of(end) != l) return to_c(failed_future(l, ALOOP_EWRONGLOOP));
    future *f = make(end);
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

}  // namespace aloop
