// stats.cpp: how many live things of each kind the process holds.
//
// Free objects are counted where they are made. Loop objects are counted by
// their loop; the registry of loops sums them up.
//
// SPDX-License-Identifier: MIT
#include "stats.hpp"

#include <pthread.h>

#include "fork.hpp"
#include "locked.hpp"
#include "object.hpp"

namespace aloop {

namespace {

struct counter {
    const char *name;
    kind of;
};

// Append only: programs know these by their index.
const counter k_counters[] = {
    {"loops", kind::loop},
    {"loop objects", kind::count},
    {"errors", kind::error},
    {"bytes", kind::bytes},
    {"results", kind::results},
    {"contexts", kind::context},
    {"context variables", kind::contextvar},
    {"context tokens", kind::context_token},
    {"options", kind::option_set},
    {"runners", kind::runner},
    {"executors", kind::executor},
    {"wakers", kind::waker},
    {"locks", kind::lock},
    {"events", kind::event},
    {"conditions", kind::condition},
    {"semaphores", kind::semaphore},
    {"barriers", kind::barrier},
    {"queues", kind::queue},
    {"channels", kind::channel},
    {"TLS contexts", kind::tls_context},
    {"thread futures", kind::thread_future},
    {"others", kind::free_other},
    {"exit stacks", kind::exit_stack},
    {"call graphs", kind::call_graph},
    {"read-write locks", kind::rwlock},
    {"addresses", kind::address},
    {"address lists", kind::addresses},
    {"host names", kind::host_name},
    {"datagrams", kind::packet},
    {"datagram lists", kind::packets},
    {"file statistics", kind::file_stat},
    {"file name lists", kind::file_names},
    {"file events", kind::file_event},
    {"capacity limiters", kind::limiter},
    {"rate limiters", kind::rate_limiter},
    {"once cells", kind::once},
    {"inlets", kind::inlet},
};

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
whole_at_fork g_whole(&g_mutex);
domain *g_domains = nullptr;

int64_t loop_objects() {
    int64_t sum = 0;
    locked hold(&g_mutex);
    for (const domain *d = g_domains; d != nullptr; d = d->next_domain) {
        sum += d->live.load(std::memory_order_relaxed);
    }
    return sum;
}

}  // namespace

void enlist_domain(domain *d) {
    locked hold(&g_mutex);
    d->next_domain = g_domains;
    g_domains = d;
}

void delist_domain(domain *d) {
    locked hold(&g_mutex);
    domain **at = &g_domains;
    while (*at != nullptr && *at != d) at = &(*at)->next_domain;
    if (*at != nullptr) *at = d->next_domain;
}

int64_t stat(int32_t which) {
    if (stat_name(which) == nullptr) return ALOOP_EINVAL;
    const kind k = k_counters[which].of;
    if (k == kind::count) return loop_objects();
    return g_live[static_cast<int>(k)].load(std::memory_order_relaxed);
}

const char *stat_name(int32_t which) {
    const int32_t n = sizeof k_counters / sizeof k_counters[0];
    return which >= 0 && which < n ? k_counters[which].name : nullptr;
}

}  // namespace aloop
