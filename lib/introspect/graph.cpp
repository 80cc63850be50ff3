// SPDX-License-Identifier: MIT
#include "graph.hpp"

#include <execinfo.h>

#include "awaiters.hpp"

namespace aloop {

namespace {

constexpr int k_most_levels = 64;
constexpr int64_t k_most_frames = 64;

void destroy_graph(object *o) { destroy(static_cast<call_graph *>(o)); }

const register_kind g_graph(kind::call_graph, {"call_graph", destroy_graph});

bool add_frames(call_graph *g, task *t, int64_t limit) {
    void *all[k_most_frames];
    if (limit == 0) return true;
    const bool here = t->is(k_running) && on_own_fiber(t);
    int64_t n = here ? backtrace(all, k_most_frames) : stack_of(t, all, k_most_frames);
    void **from = all;
    if (limit > 0 && n > limit) n = limit;
    if (limit < 0 && limit > -n) {
        from += n + limit;
        n = -limit;
    }
    if (n == 0) return true;
    g->frames = static_cast<void **>(allocate(sizeof(void *) * static_cast<size_t>(n)));
    if (g->frames == nullptr) return false;
    for (int64_t i = 0; i < n; i++) g->frames[i] = from[i];
    g->frame_count = n;
    return true;
}

// The stack and the awaiters of g, which are graphs without either for now.
bool expand(call_graph *g, int64_t limit) {
    task *t = as_task(g->of);
    if (t != nullptr && !add_frames(g, t, limit)) return false;
    awaiters by;
    if (!by.find(g->of)) return false;
    if (by.count() == 0) return true;
    const size_t size = sizeof(call_graph *) * static_cast<size_t>(by.count());
    g->awaited_by = static_cast<call_graph **>(allocate(size));
    if (g->awaited_by == nullptr) return false;
    for (int64_t i = 0; i < by.count(); i++) {
        call_graph *one = create<call_graph>(by[i]);
        if (one == nullptr) return false;
        g->awaited_by[g->awaited_count++] = one;
    }
    return true;
}

// Where a graph is as it is being made: its levels, from the root to where it grows.
struct growth {
    call_graph *levels[k_most_levels];
    int64_t next[k_most_levels];  // of awaited_by
    int depth = 0;

    bool enter(call_graph *g, int64_t limit) {
        levels[depth] = g;
        next[depth++] = 0;
        if (g->of->type == kind::task) g->of->set(k_shown);
        return expand(g, limit);
    }
};

bool grow(call_graph *root, int64_t limit) {
    growth *at = create<growth>();
    bool ok = at != nullptr && at->enter(root, limit);
    while (ok && at->depth > 0) {
        call_graph *g = at->levels[at->depth - 1];
        int64_t &next = at->next[at->depth - 1];
        if (next == g->awaited_count) {
            at->depth--;
            continue;
        }
        call_graph *by = g->awaited_by[next++];
        if (by->of->has(k_shown)) {
            by->again = true;
        } else if (at->depth < k_most_levels) {
            ok = at->enter(by, limit);
        }
    }
    destroy(at);
    return ok;
}

void forget_shown(const call_graph *g) {
    if (g->of->type == kind::task) g->of->clear(k_shown);
    for (int64_t i = 0; i < g->awaited_count; i++) forget_shown(g->awaited_by[i]);
}

}  // namespace

call_graph::~call_graph() {
    for (int64_t i = 0; i < awaited_count; i++) unref(awaited_by[i]);
    release(awaited_by);
    release(frames);
    unref(of);
    count_live(kind::call_graph, -1);
}

call_graph *capture(future *f, int64_t limit) {
    ptr<call_graph> g(create<call_graph>(f));
    if (!g) return nullptr;
    const bool ok = grow(g.get(), limit);
    forget_shown(g.get());
    return ok ? g.detach() : nullptr;
}

namespace {

// Apart from describe_graph, whose levels lie on the stack in each other: a fiber's perhaps.
[[gnu::noinline]] void describe_head(writer &out, const call_graph *g, int indent) {
    const unsigned long id = reinterpret_cast<unsigned long>(g->of);
    if (const task *t = as_task(g->of)) {
        char name[128];
        describe_name(t, name, sizeof name);
        out.add("%*s* Task(name='%s', id=%#lx)%s\n", indent, "", name, id,
                g->again ? " (see above)" : "");
    } else {
        out.add("%*s* Future(id=%#lx)\n", indent, "", id);
    }
}

}  // namespace

void describe_graph(writer &out, const call_graph *g, int indent) {
    describe_head(out, g, indent);
    if (g->frame_count > 0) out.add("%*s  + Call stack:\n", indent, "");
    for (int64_t i = 0; i < g->frame_count; i++) {
        out.add("%*s  |   ", indent, "");
        out.add_code(g->frames[i]);
        out.add("\n");
    }
    if (g->awaited_count > 0) out.add("%*s  + Awaited by:\n", indent, "");
    for (int64_t i = 0; i < g->awaited_count; i++) {
        describe_graph(out, g->awaited_by[i], indent + 4);
    }
}

}  // namespace aloop
