// SPDX-License-Identifier: MIT
#include "graph.hpp"

#include <execinfo.h>

namespace aloop {

namespace {

constexpr int k_most_levels = 64;
constexpr int64_t k_most_frames = 64;

void destroy_graph(object *o) { destroy(static_cast<call_graph *>(o)); }

const register_kind g_graph(kind::call_graph, {"call_graph", destroy_graph});

// Also through combinators that stand between f and the tasks.
int64_t find_awaiters(future *f, task **into, int64_t room, int64_t found, int level) {
    const auto add = [&](task *t) {
        if (t->pending() && found < room) into[found] = t;
        found += t->pending() ? 1 : 0;
    };
    const operation *op = as_operation(f);
    if (op != nullptr && op->pending() && op->driver != nullptr) add(op->driver);
    for (link *at = f->waiters.head(); at != nullptr; at = f->waiters.after(at)) {
        if (static_cast<node *>(at)->fn == run_task) {
            add(static_cast<task *>(static_cast<node *>(at)));
        } else if (future *behind = observing(at); behind != nullptr) {
            if (task *t = as_task(behind)) {
                add(t);
            } else if (level < k_most_levels) {
                found = find_awaiters(behind, into, room, found, level + 1);
            }
        }
    }
    return found;
}

bool add_frames(call_graph *g, task *t, int64_t limit) {
    void *all[k_most_frames];
    if (limit == 0) return true;
    const bool here = t->is(k_running) && on_own_fiber(t);
    int64_t n = here ? backtrace(all, k_most_frames) : stack_of(t, all, k_most_frames);
    void **from = all;
    if (limit > 0 && n > limit) n = limit;
    if (limit < 0 && n > -limit) {
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

call_graph *capture_level(future *f, int64_t limit, int level);

bool add_awaiters(call_graph *g, int64_t limit, int level) {
    const int64_t n = find_awaiters(g->of, nullptr, 0, 0, 0);
    if (n == 0 || level >= k_most_levels) return true;
    const size_t size = sizeof(void *) * static_cast<size_t>(n);
    task **tasks = static_cast<task **>(allocate(size));
    g->awaited_by = static_cast<call_graph **>(allocate(size));
    bool ok = tasks != nullptr && g->awaited_by != nullptr;
    if (ok) find_awaiters(g->of, tasks, n, 0, 0);
    for (int64_t i = 0; ok && i < n; i++) {
        call_graph *by = capture_level(tasks[i], limit, level + 1);
        ok = by != nullptr;
        if (ok) g->awaited_by[g->awaited_count++] = by;
    }
    release(tasks);
    return ok;
}

call_graph *capture_level(future *f, int64_t limit, int level) {
    call_graph *g = create<call_graph>(f);
    if (g == nullptr) return nullptr;
    task *t = as_task(f);
    const bool ok = (t == nullptr || add_frames(g, t, limit)) && add_awaiters(g, limit, level);
    if (ok) return g;
    unref(g);
    return nullptr;
}

}  // namespace

call_graph::~call_graph() {
    for (int64_t i = 0; i < awaited_count; i++) unref(awaited_by[i]);
    release(awaited_by);
    release(frames);
    unref(of);
    count_live(kind::call_graph, -1);
}

call_graph *capture(future *f, int64_t limit) { return capture_level(f, limit, 1); }

int64_t awaiters_of(future *f, task **into, int64_t room) {
    return find_awaiters(f, into, room, 0, 0);
}

void describe_graph(writer &out, const call_graph *g, int indent) {
    const unsigned long id = reinterpret_cast<unsigned long>(g->of);
    if (const task *t = as_task(g->of)) {
        char name[128];
        describe_name(t, name, sizeof name);
        out.add("%*s* Task(name='%s', id=%#lx)\n", indent, "", name, id);
    } else {
        out.add("%*s* Future(id=%#lx)\n", indent, "", id);
    }
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
