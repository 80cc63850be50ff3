// SPDX-License-Identifier: MIT
#include "resolver.hpp"

#include <netdb.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "address_object.hpp"

namespace aloop {

namespace {

// What a lookup's answer becomes: for the library, or for the program.
using make_answer = void (*)(future *f, const addrinfo *found);

struct lookup final : side_job {
    const sys_table *sys;
    make_answer answer;
    char *host;
    char *service;
    addrinfo hints = {};
    int64_t code = 0;
    int system_error = 0;
    addrinfo *found = nullptr;
};

int64_t count_of(const addrinfo *found) {
    int64_t n = 0;
    for (const addrinfo *a = found; a != nullptr; a = a->ai_next) n++;
    return n;
}

void answer_library(future *f, const addrinfo *found) {
    address_list *list = make_addresses(count_of(found));
    if (list == nullptr) {
        fail(f, ALOOP_ENOMEM, nullptr);
        return;
    }
    address *to = list->entries;
    for (const addrinfo *a = found; a != nullptr; a = a->ai_next, to++) {
        to->size = a->ai_addrlen < sizeof to->path ? a->ai_addrlen : sizeof to->path;
        std::memcpy(&to->any, a->ai_addr, to->size);
    }
    finish(f, list->count, list, free_addresses);
}

void answer_program(future *f, const addrinfo *found) {
    addresses *list = make_address_list(count_of(found));
    bool ok = list != nullptr;
    for (const addrinfo *a = found; ok && a != nullptr; a = a->ai_next) {
        address value;
        if (!copy_sockaddr(a->ai_addr, a->ai_addrlen, &value)) continue;
        ok = append(list, value, a->ai_socktype, a->ai_protocol, a->ai_canonname);
    }
    if (ok) {
        finish(f, list->count, list, free_address_list);
        return;
    }
    if (list != nullptr) unref(list);
    fail(f, ALOOP_ENOMEM, nullptr);
}

void give_outcome(future *f, make_answer answer, const char *host, int64_t code, int system_error,
                  const addrinfo *found) {
    if (code == 0) {
        answer(f, found);
    } else {
        fail_lookup(f, host, code, system_error);
    }
}

void free_lookup(side_job *base) {
    lookup *j = static_cast<lookup *>(base);
    if (j->found != nullptr) j->sys->freeaddrinfo(j->found);
    release(j->host);
    release(j->service);
    destroy(j);
}

void look_up_in_thread(side_job *base) {
    lookup *j = static_cast<lookup *>(base);
    j->code = j->sys->getaddrinfo(j->host, j->service, &j->hints, &j->found);
    j->system_error = errno;
}

void lookup_arrives(side_job *base, future *f) {
    lookup *j = static_cast<lookup *>(base);
    if (f->pending()) give_outcome(f, j->answer, j->host, j->code, j->system_error, j->found);
}

future *start_lookup(loop *l, const char *host, const char *service, const addrinfo &hints,
                     make_answer answer) {
    side_pool *p = resolver_pool(l);
    lookup *j = p != nullptr ? create<lookup>() : nullptr;
    if (j == nullptr) return nullptr;
    j->work = look_up_in_thread;
    j->arrive = lookup_arrives;
    j->free_job = free_lookup;
    j->sys = l->sys();
    j->answer = answer;
    j->hints = hints;
    j->host = host != nullptr ? copy_string(host) : nullptr;
    j->service = service != nullptr ? copy_string(service) : nullptr;
    if ((host != nullptr && j->host == nullptr) || (service != nullptr && j->service == nullptr)) {
        free_lookup(j);
        return nullptr;
    }
    return submit(p, j);
}

bool is_number(const char *text) {
    return text == nullptr || text[std::strspn(text, "0123456789")] == '\0';
}

// At once what needs no file and no network, the rest in a thread.
future *resolve_any(loop *l, const char *host, const char *service, addrinfo hints,
                    make_answer answer) {
    if (!is_number(service)) return start_lookup(l, host, service, hints, answer);
    const bool only_numeric = host == nullptr || (hints.ai_flags & AI_NUMERICHOST) != 0;
    const int flags = hints.ai_flags;
    // The name of a numeric host is a lookup, too.
    if (!only_numeric && (flags & AI_CANONNAME) != 0) {
        return start_lookup(l, host, service, hints, answer);
    }
    hints.ai_flags |= AI_NUMERICHOST;
    addrinfo *found = nullptr;
    const int64_t code = l->sys()->getaddrinfo(host, service, &hints, &found);
    if (code == EAI_NONAME && !only_numeric) {
        hints.ai_flags = flags;
        return start_lookup(l, host, service, hints, answer);
    }
    future *f = make_future(l);
    if (f != nullptr) give_outcome(f, answer, host, code, errno, found);
    if (found != nullptr) l->sys()->freeaddrinfo(found);
    return f;
}

}  // namespace

side_pool *resolver_pool(loop *l) {
    return side_pool_of(l, &l->resolver, {"aloop-names", 4, false});
}

void fail_lookup(future *f, const char *what, int64_t code, int system_error) {
    if (code == EAI_MEMORY) {
        fail(f, ALOOP_ENOMEM, nullptr);
        return;
    }
    const char *text = code == EAI_SYSTEM ? strerrordesc_np(system_error)
                                          : gai_strerror(static_cast<int>(code));
    fail(f, ALOOP_ERESOLVE,
         format_error(ALOOP_ERESOLVE, "%s: '%s'", text != nullptr ? text : "Unknown error",
                      what != nullptr ? what : ""));
}

future *resolve(loop *l, const char *host, int port, int family, bool passive, int type,
                int protocol) {
    char service[8];
    std::snprintf(service, sizeof service, "%d", port & 0xffff);
    addrinfo hints = {};
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_protocol = protocol;
    hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
    const bool empty = host == nullptr || host[0] == '\0';
    return resolve_any(l, empty ? nullptr : host, service, hints, answer_library);
}

future *look_up(loop *l, const char *host, const char *service, const addrinfo_options &options) {
    addrinfo hints = {};
    hints.ai_family = options.family;
    hints.ai_socktype = options.type;
    hints.ai_protocol = options.protocol;
    hints.ai_flags = options.flags;
    return resolve_any(l, host, service, hints, answer_program);
}

}  // namespace aloop
