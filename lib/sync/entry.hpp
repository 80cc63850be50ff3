// entry.hpp: what the C entry points of locks and queues share.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "waiting.hpp"

namespace aloop {

// 0 if o is of this kind and the calling thread may use it, else why not.
template <typename T>
int64_t check_object(const T *o, kind k) {
    return is(o, k) ? o->check() : ALOOP_EINVAL;
}

// o is used by a plain call that needs its loop, the running one (or the thread's):
// binds it there. 0 or why not.
inline int64_t bind_here(loop_bound *o) {
    loop *l = current_loop();
    const int64_t code = l != nullptr ? l->check() : ALOOP_ENORUNNINGLOOP;
    if (code < 0) return code;
    if (!o->home) o->home = ptr<loop>::share(l);
    return o->home.get() == l ? 0 : ALOOP_EWRONGLOOP;
}

// Gives a new object to the caller; nullptr: there was no memory (or no out).
template <typename C>
int64_t hand_out(C **out, object *made) {
    if (out == nullptr) return ALOOP_EINVAL;
    if (made == nullptr) return ALOOP_ENOMEM;
    *out = reinterpret_cast<C *>(made);
    return 0;
}

// An operation of the running loop (or the thread's) on o: make(loop, o).
template <typename T, typename F>
[[gnu::noinline]] aloop_future *operation_on_any(T *o, kind k, F make) {
    loop *l = current_loop();
    if (l == nullptr || l->check() != 0) return nullptr;
    const int64_t code = check_object(o, k);
    if (code == ALOOP_EWRONGTHREAD) return to_c(failed_future(l, ALOOP_EWRONGLOOP));
    if (code < 0) return to_c(failed_future(l, code));
    future *f = make(l, o);
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

// Whether o is surely for use on l, which runs in this thread: it is free, or of l.
inline bool fits(const loop_bound *o, const loop *l) { return !o->home || o->home.get() == l; }
inline bool fits(const object *, const loop *) { return false; }

// The same, and the short way for what fits.
template <typename T, typename F>
aloop_future *operation_on(T *o, kind k, F make) {
    loop *l = running_loop();
    if (l != nullptr && is(o, k) && fits(o, l)) [[likely]] {
        if (future *f = make(l, o); f != nullptr) [[likely]] return to_c(f);
        return to_c(failed_future(l, ALOOP_ENOMEM));
    }
    return operation_on_any(o, k, make);
}

}  // namespace aloop
