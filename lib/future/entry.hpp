// entry.hpp: what the C entry points of all folders share.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <cstring>

#include "future.hpp"

namespace aloop {

// The loop of this thread, if it can be used.
inline loop *usable_loop() {
    loop *l = current_loop();
    return l != nullptr && l->check() == 0 ? l : nullptr;
}

// The answer of a function that returns a future to what it cannot use. Adopts.
inline aloop_future *refused(int64_t code, error *adopted) {
    loop *l = usable_loop();
    if (l != nullptr) return to_c(failed_future(l, adopted, code));
    if (adopted != nullptr) unref(adopted);
    return nullptr;
}

inline aloop_future *refused(int64_t code, const char *message = nullptr) {
    return refused(code, message != nullptr ? make_error(code, message) : nullptr);
}

inline aloop_future *made(loop *l, future *f) {
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

// As snprintf does: the length of text, which is copied, cut to size.
inline int64_t give_text(const char *text, char *buffer, size_t size) {
    if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", text);
    return static_cast<int64_t>(std::strlen(text));
}

inline bool bad_size(size_t n) { return n > static_cast<size_t>(INT64_MAX) / 4; }

inline bool bad_memory(const void *data, size_t n) {
    return bad_size(n) || (data == nullptr && n > 0);
}

}  // namespace aloop
