// shutdown.cpp: the open generators of a loop, and closing them all at its end.
// BaseEventLoop.shutdown_asyncgens.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <cstdio>

#include "../combine/gather.hpp"
#include "generator.hpp"

namespace aloop {

namespace {

struct open_generators final : resource {
    loop *home;
    ring list;
    bool shut = false;  // closing was asked for: later ones come too late
};

generator *generator_of(link *l) { return static_cast<generator *>(l); }

// The loop closes without a shutdown. A turn under way ends with its task.
void discard_all(resource *self) {
    open_generators *all = static_cast<open_generators *>(self);
    loop *l = all->home;
    while (link *first = all->list.pop()) {
        generator *g = generator_of(first);
        g->closed = true;
        drop_body(l, g);
    }
    l->generators = nullptr;
    destroy(all);
}

open_generators *all_of(loop *l) {
    if (l->generators == nullptr) {
        open_generators *all = create<open_generators>();
        if (all == nullptr) return nullptr;
        all->close = discard_all;
        all->home = l;
        l->generators = all;
        l->shutdown_generators = shutdown_generators;
        l->add_resource(all);
    }
    return static_cast<open_generators *>(l->generators);
}

void describe(const generator *g, char *buffer, size_t size) {
    Dl_info where;
    const bool known = dladdr(reinterpret_cast<void *>(g->fn), &where) != 0;
    const char *name = known ? where.dli_sname : nullptr;
    const void *at = g;
    if (name != nullptr) {
        std::snprintf(buffer, size, "<async_generator %s at %p>", name, at);
    } else {
        std::snprintf(buffer, size, "<async_generator %p at %p>", reinterpret_cast<void *>(g->fn),
                      at);
    }
}

struct shutdown final : operation {
    generator **closing = nullptr;  // references
    int64_t count = 0;

    explicit shutdown(domain *d);
    ~shutdown() {
        for (int64_t i = 0; i < count; i++) unref(closing[i]);
        release(closing);
    }
};

// Closes the open ones side by side. They stay in the list until their bodies
// have ended: what resists is discarded with the loop.
int64_t close_all(shutdown *self, open_generators *all) {
    loop *l = loop_of(self);
    int64_t n = 0;
    for (link *i = all->list.head(); i != nullptr; i = all->list.after(i)) {
        n += generator_of(i)->closed ? 0 : 1;
    }
    if (n == 0) return 0;
    const size_t size = sizeof(void *) * static_cast<size_t>(n);
    self->closing = static_cast<generator **>(allocate(size));
    future **each = static_cast<future **>(allocate(size));
    if (self->closing == nullptr || each == nullptr) {
        release(each);
        return ALOOP_ENOMEM;
    }
    for (link *i = all->list.head(); i != nullptr; i = all->list.after(i)) {
        generator *g = generator_of(i);
        if (g->closed) continue;
        future *f = make_aclose(g);
        each[self->count] = f != nullptr ? f : failed_future(l, ALOOP_ENOMEM);
        self->closing[self->count++] = g;
        ref(g);
    }
    future *g = make_gather(l, each, n, true);
    release(each);
    return self->await(g);
}

int64_t step(operation *op, task *, int64_t status) {
    shutdown *self = static_cast<shutdown *>(op);
    loop *l = loop_of(op);
    if (op->phase++ == 0) {
        open_generators *all = all_of(l);
        if (all == nullptr) return ALOOP_ENOMEM;
        all->shut = true;
        return close_all(self, all);
    }
    if (status < 0) return status;
    const outcome *list = static_cast<results *>(op->inner->done.value)->entries;
    for (int64_t i = 0; i < self->count; i++) {
        const outcome *o = &list[i];
        if (o->status >= 0 || o->status == ALOOP_ECANCELED) continue;
        char name[192];
        char text[320];
        describe(self->closing[i], name, sizeof name);
        std::snprintf(text, sizeof text,
                      "an error occurred during closing of asynchronous generator %s", name);
        l->report(text, o->status, o->failure);
    }
    return 0;
}

const op_info k_shutdown = {"shutdown_asyncgens", step, free_operation<shutdown>};

shutdown::shutdown(domain *d) : operation(d, &k_shutdown) {}

}  // namespace

int64_t enlist(generator *g) {
    loop *l = loop_of(g);
    open_generators *all = all_of(l);
    if (all == nullptr) return ALOOP_ENOMEM;
    if (all->shut && l->debug) {
        char name[192];
        char text[320];
        describe(g, name, sizeof name);
        std::snprintf(text, sizeof text,
                      "asynchronous generator %s was scheduled after "
                      "loop.shutdown_asyncgens() call", name);
        l->report(text, 0, nullptr);
    }
    if (g->prev == nullptr) all->list.push(g);
    return 0;
}

void delist(generator *g) {
    static_cast<open_generators *>(loop_of(g)->generators)->list.remove(g);
}

future *shutdown_generators(loop *l) {
    future *f = l->make_object<shutdown>();
    return f != nullptr ? f : failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
