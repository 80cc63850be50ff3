// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>

#include "awaiters.hpp"
#include "graph.hpp"
#include "trace.hpp"
#include "watchdog.hpp"

using namespace aloop;

namespace {

// The future that is meant, or nullptr and why not in *code.
future *subject(aloop_future *handle, int64_t *code) {
    future *f = from_c(handle);
    if (f == nullptr) {
        const loop *l = running_loop();
        f = l != nullptr ? l->current_task : nullptr;
        *code = l == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_ENOTASK;
        return f;
    }
    *code = f->is_future() ? loop_of(f)->check() : ALOOP_EINVAL;
    return *code == 0 ? f : nullptr;
}

const call_graph *readable(const aloop_call_graph *handle) {
    const call_graph *g = from_c(handle);
    return is(g, kind::call_graph) ? g : nullptr;
}

// Writes what describe adds: once to learn the length, once more to write it.
template <typename Describe>
int64_t write_text(int fd, Describe describe) {
    writer measure(nullptr, 0);
    describe(measure);
    const size_t size = static_cast<size_t>(measure.length()) + 1;
    char *text = static_cast<char *>(allocate(size));
    if (text == nullptr) return ALOOP_ENOMEM;
    writer out(text, size);
    describe(out);
    const int64_t result = write_all(fd, text, out.written());
    release(text);
    return result;
}

}  // namespace

aloop_call_graph *aloop_capture_call_graph(aloop_future *handle, int64_t limit) {
    int64_t code = 0;
    future *f = subject(handle, &code);
    return f != nullptr ? to_c(capture(f, limit)) : nullptr;
}

aloop_future *aloop_call_graph_future(const aloop_call_graph *handle) {
    const call_graph *g = readable(handle);
    return g != nullptr ? to_c(g->of) : nullptr;
}

int64_t aloop_call_graph_frame_count(const aloop_call_graph *handle) {
    const call_graph *g = readable(handle);
    return g != nullptr ? g->frame_count : ALOOP_EINVAL;
}

void *aloop_call_graph_frame(const aloop_call_graph *handle, int64_t index) {
    const call_graph *g = readable(handle);
    return g != nullptr && index >= 0 && index < g->frame_count ? g->frames[index] : nullptr;
}

int64_t aloop_call_graph_awaited_by_count(const aloop_call_graph *handle) {
    const call_graph *g = readable(handle);
    return g != nullptr ? g->awaited_count : ALOOP_EINVAL;
}

aloop_call_graph *aloop_call_graph_awaited_by(const aloop_call_graph *handle, int64_t index) {
    const call_graph *g = readable(handle);
    const bool there = g != nullptr && index >= 0 && index < g->awaited_count;
    return there ? to_c(g->awaited_by[index]) : nullptr;
}

int64_t aloop_format_call_graph(aloop_future *handle, int64_t limit, char *buffer, size_t size) {
    int64_t code = 0;
    future *f = subject(handle, &code);
    if (f == nullptr) return code;
    ptr<call_graph> g(capture(f, limit));
    if (!g) return ALOOP_ENOMEM;
    writer out(buffer, size);
    describe_graph(out, g.get(), 0);
    return out.length();
}

int64_t aloop_print_call_graph(aloop_future *handle, int64_t limit, int32_t fd) {
    int64_t code = 0;
    future *f = subject(handle, &code);
    if (f == nullptr) return code;
    ptr<call_graph> g(capture(f, limit));
    if (!g) return ALOOP_ENOMEM;
    return write_text(fd, [&](writer &out) { describe_graph(out, g.get(), 0); });
}

// Loops ----------------------------------------------------------------------------------------

namespace {

const char *const k_metrics[] = {"iterations", "callbacks", "polls",  "slept",  "slow callbacks",
                                 "ready",      "timers",    "tasks",  "objects",  "busy"};
constexpr int32_t k_metric_count = sizeof k_metrics / sizeof k_metrics[0];

int64_t count_tasks(const loop *l) {
    int64_t n = 0;
    for (aloop::link *i = l->tasks.head(); i != nullptr; i = l->tasks.after(i)) n++;
    return n;
}

int64_t metric(const loop *l, int32_t which) {
    switch (which) {
    case ALOOP_METRIC_ITERATIONS: return l->iteration();
    case ALOOP_METRIC_CALLBACKS: return l->counters().callbacks;
    case ALOOP_METRIC_POLLS: return l->counters().polls;
    case ALOOP_METRIC_SLEPT: return l->counters().slept;
    case ALOOP_METRIC_SLOW_CALLBACKS: return l->counters().slow;
    case ALOOP_METRIC_READY: return l->ready_length();
    case ALOOP_METRIC_TIMERS: return l->timer_count();
    case ALOOP_METRIC_TASKS: return count_tasks(l);
    case ALOOP_METRIC_OBJECTS: return l->live;
    case ALOOP_METRIC_BUSY: return l->busy();
    default: return ALOOP_EINVAL;
    }
}

void describe_awaiters(writer &out, task *t) {
    awaiters by;
    by.find(t);  // as many as there is memory for
    const int64_t n = by.count();
    for (int64_t i = 0; i < n && i < 8; i++) {
        char name[128];
        describe_name(by[i], name, sizeof name);
        out.add("%s%s", i == 0 ? "  awaited by " : ", ", name);
    }
    if (n > 0) out.add("%s\n", n > 8 ? ", ..." : "");
}

}  // namespace

int64_t aloop_loop_dump(aloop_loop *handle, int32_t fd) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    if (code < 0) return code;
    int64_t written = write_text(fd, [&](writer &out) {
        out.add("Loop at %p:", static_cast<const void *>(l));
        for (int32_t i = 0; i < k_metric_count; i++) {
            out.add(" %ld %s%s", static_cast<long>(metric(l, i)), k_metrics[i],
                    i + 1 < k_metric_count ? "," : "\n");
        }
    });
    int64_t n = 0;
    for (aloop::link *i = l->tasks.head(); written >= 0 && i != nullptr; i = l->tasks.after(i)) {
        task *t = task_of(i);
        written = print_stack(t, 64, fd);
        if (written < 0) break;
        written = write_text(fd, [&](writer &out) {
            describe_awaiters(out, t);
            const origin *made = l->origin_of(t);
            if (made != nullptr) out.add("  created at (most recent call last):\n");
            describe_origin(out, made);
        });
        n++;
    }
    return written < 0 ? written : n;
}

int64_t aloop_loop_metrics(aloop_loop *handle, int32_t which) {
    const int64_t code = check_loop(from_c(handle));
    return code < 0 ? code : metric(from_c(handle), which);
}

const char *aloop_loop_metrics_name(int32_t which) {
    return which >= 0 && which < k_metric_count ? k_metrics[which] : nullptr;
}

// Tracing --------------------------------------------------------------------------------------

int64_t aloop_loop_set_trace_hook(aloop_loop *handle, aloop_trace_fn fn, void *data,
                                  aloop_free_fn free_fn) {
    const int64_t code = check_loop(from_c(handle));
    return code < 0 ? code : set_trace_hook(from_c(handle), fn, data, free_fn);
}

int32_t aloop_trace_event_kind(const aloop_trace_event *e) { return e != nullptr ? e->kind : 0; }

int64_t aloop_trace_event_time(const aloop_trace_event *e) { return e != nullptr ? e->time : 0; }

int64_t aloop_trace_event_duration(const aloop_trace_event *e) {
    return e != nullptr ? e->duration : 0;
}

aloop_task *aloop_trace_event_task(const aloop_trace_event *e) {
    return e != nullptr ? reinterpret_cast<aloop_task *>(e->task) : nullptr;
}

uint64_t aloop_trace_event_code(const aloop_trace_event *e) {
    return e != nullptr ? reinterpret_cast<uint64_t>(e->code) : 0;
}

int64_t aloop_loop_set_watchdog(aloop_loop *handle, double seconds, int32_t fd) {
    const int64_t code = check_loop(from_c(handle));
    if (code < 0) return code;
    if (std::isnan(seconds) || (seconds > 0 && fd < 0)) return ALOOP_EINVAL;
    return set_watchdog(from_c(handle), seconds > 0 ? to_ns(seconds) : 0, fd);
}
