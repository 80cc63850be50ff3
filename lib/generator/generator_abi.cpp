// SPDX-License-Identifier: MIT
#include "generator.hpp"

using namespace aloop;

namespace {

aloop_future *made(loop *l, future *f) {
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

// Why g is no use; the complaint is a future of the thread's own loop.
bool refused(generator *g, aloop_future **complaint) {
    const int64_t code = is(g, kind::generator) ? loop_of(g)->check() : ALOOP_EINVAL;
    if (code == 0) return false;
    loop *l = current_loop();
    *complaint = l != nullptr && l->check() == 0 ? to_c(failed_future(l, code)) : nullptr;
    return true;
}

aloop_future *bad_argument(generator *g) { return to_c(failed_future(loop_of(g), ALOOP_EINVAL)); }

}  // namespace

aloop_generator *aloop_generator_new(aloop_generator_fn fn, void *arg, aloop_free_fn free_fn) {
    loop *l = running_loop();
    if (l == nullptr || fn == nullptr) return nullptr;
    return to_c(make_generator(l, fn, arg, free_fn));
}

int64_t aloop_yield_result(int64_t status, void *value, aloop_free_fn free_fn, void **sent) {
    const loop *l = running_loop();
    body *b = l != nullptr ? running_body(l) : nullptr;
    if (b == nullptr || status < 0) {
        if (free_fn != nullptr) free_fn(value);
        return b == nullptr ? ALOOP_ENOTASK : ALOOP_EINVAL;
    }
    return yield_in_body(static_cast<generator *>(b), status, value, free_fn, sent);
}

int64_t aloop_yield(void *value) { return aloop_yield_result(0, value, nullptr, nullptr); }

aloop_future *aloop_generator_next(aloop_generator *handle) {
    return aloop_generator_send(handle, 0, nullptr, nullptr);
}

aloop_future *aloop_generator_send(aloop_generator *handle, int64_t status, void *value,
                                   aloop_free_fn free_fn) {
    generator *g = from_c(handle);
    aloop_future *complaint = nullptr;
    const bool no = refused(g, &complaint);
    if (no || status < 0) {
        if (free_fn != nullptr) free_fn(value);
        return no ? complaint : bad_argument(g);
    }
    return made(loop_of(g), make_send(g, status, value, free_fn));
}

aloop_future *aloop_generator_throw(aloop_generator *handle, aloop_error *thrown) {
    generator *g = from_c(handle);
    error *e = from_c(thrown);
    aloop_future *complaint = nullptr;
    if (refused(g, &complaint)) return complaint;
    if (!is(e, kind::error)) return bad_argument(g);
    ref(e);
    return made(loop_of(g), make_throw(g, e->code, e));
}

aloop_future *aloop_generator_throw_code(aloop_generator *handle, int64_t code) {
    generator *g = from_c(handle);
    aloop_future *complaint = nullptr;
    if (refused(g, &complaint)) return complaint;
    if (code >= 0) return bad_argument(g);
    return made(loop_of(g), make_throw(g, code, nullptr));
}

aloop_future *aloop_generator_aclose(aloop_generator *handle) {
    generator *g = from_c(handle);
    aloop_future *complaint = nullptr;
    return refused(g, &complaint) ? complaint : made(loop_of(g), make_aclose(g));
}

aloop_future *aloop_generator_collect(aloop_generator *handle) {
    generator *g = from_c(handle);
    aloop_future *complaint = nullptr;
    return refused(g, &complaint) ? complaint : made(loop_of(g), make_collect(g));
}

aloop_future *aloop_loop_shutdown_asyncgens(aloop_loop *handle) {
    loop *l = from_c(handle);
    return check_loop(l) < 0 ? nullptr : to_c(shutdown_generators(l));
}
