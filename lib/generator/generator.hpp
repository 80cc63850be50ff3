// generator.hpp: async generators: a body (task/body.hpp) and the operations
// that drive it: next, send, throw, aclose, all of which are one operation with
// something different to hand to the body's yield.
//
// A generator is open from its first operation until its body has ended. Meanwhile it
// is in the list of its loop, which closes those that are left. The list holds no
// reference. If the last reference is dropped while the body is suspended, the
// generator lives until its aclose, which the loop runs, is done.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/generator.h>

#include "../task/body.hpp"

namespace aloop {

struct generator final : loop_object, body, link {
    aloop_generator_fn fn;
    void *arg;
    aloop_free_fn arg_free;
    bool begun = false;
    bool closed = false;  // at its end; or it was closed, though it may have yielded all the same
    // What the body yields: the operation's value once it rests.
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;

    generator(domain *d, aloop_generator_fn f, void *a, aloop_free_fn free_fn)
        : loop_object(kind::generator, d), fn(f), arg(a), arg_free(free_fn) {}
};

inline generator *from_c(aloop_generator *g) { return reinterpret_cast<generator *>(g); }
inline aloop_generator *to_c(generator *g) { return reinterpret_cast<aloop_generator *>(g); }

// All return nullptr when out of memory (what was to be sent is freed then).
generator *make_generator(loop *l, aloop_generator_fn fn, void *arg, aloop_free_fn free_fn);
future *make_send(generator *g, int64_t status, void *value, aloop_free_fn free_fn);
future *make_throw(generator *g, int64_t code, error *adopted);
future *make_aclose(generator *g);
future *make_collect(generator *g);

// From the body: see aloop_yield_result.
int64_t yield_in_body(generator *g, int64_t status, void *value, aloop_free_fn free_fn,
                      void **sent);

// The list of open generators (shutdown.cpp): 0 or ALOOP_ENOMEM; taking out cannot fail.
int64_t enlist(generator *g);
void delist(generator *g);
// Closes all that are open; l->shutdown_generators.
future *shutdown_generators(loop *l);

}  // namespace aloop
