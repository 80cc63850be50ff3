// names.cpp: addresses to names: getnameinfo.
//
// SPDX-License-Identifier: MIT
#include <netdb.h>

#include <cerrno>
#include <cstring>

#include "resolver.hpp"

namespace aloop {

namespace {

struct texts {
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";
};

struct reverse_lookup final : side_job {
    const sys_table *sys;
    address of;
    int flags;
    int64_t code = 0;
    int system_error = 0;
    texts found;
};

int64_t ask(const sys_table *sys, const address &of, int flags, texts *out) {
    return sys->getnameinfo(&of.any, of.size, out->host, sizeof out->host, out->service,
                            sizeof out->service, flags);
}

void destroy_name(object *o) { destroy(static_cast<host_name *>(o)); }

const register_kind g_name(kind::host_name, {"host name", destroy_name});

void free_name(void *name) { unref(static_cast<host_name *>(name)); }

// Header and both texts in one block.
host_name *make_name(const texts &t) {
    const size_t host = std::strlen(t.host) + 1;
    const size_t service = std::strlen(t.service) + 1;
    void *block = allocate(sizeof(host_name) + host + service);
    if (block == nullptr) return nullptr;
    host_name *n = new (block) host_name;
    n->host = reinterpret_cast<char *>(n + 1);
    n->service = n->host + host;
    std::memcpy(n->host, t.host, host);
    std::memcpy(n->service, t.service, service);
    return n;
}

void give_name(future *f, const address &of, int64_t code, int system_error, const texts &t) {
    if (code != 0) {
        char text[k_address_text];
        fail_lookup(f, format_address(of, text, sizeof text), code, system_error);
        return;
    }
    host_name *n = make_name(t);
    if (n != nullptr) {
        finish(f, 0, n, free_name);
    } else {
        fail(f, ALOOP_ENOMEM, nullptr);
    }
}

void ask_in_thread(side_job *base) {
    reverse_lookup *j = static_cast<reverse_lookup *>(base);
    j->code = ask(j->sys, j->of, j->flags, &j->found);
    j->system_error = errno;
}

void name_arrives(side_job *base, future *f) {
    reverse_lookup *j = static_cast<reverse_lookup *>(base);
    if (f->pending()) give_name(f, j->of, j->code, j->system_error, j->found);
}

void free_reverse(side_job *base) { destroy(static_cast<reverse_lookup *>(base)); }

}  // namespace

future *look_up_name(loop *l, const address &of, int flags) {
    constexpr int k_numeric = NI_NUMERICHOST | NI_NUMERICSERV;
    if ((flags & k_numeric) == k_numeric) {
        future *f = make_future(l);
        texts found;
        if (f != nullptr) {
            const int64_t code = ask(l->sys(), of, flags, &found);
            give_name(f, of, code, errno, found);
        }
        return f;
    }
    side_pool *p = resolver_pool(l);
    reverse_lookup *j = p != nullptr ? create<reverse_lookup>() : nullptr;
    if (j == nullptr) return nullptr;
    j->work = ask_in_thread;
    j->arrive = name_arrives;
    j->free_job = free_reverse;
    j->sys = l->sys();
    j->of = of;
    j->flags = flags;
    return submit(p, j);
}

}  // namespace aloop
