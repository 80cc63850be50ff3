// SPDX-License-Identifier: MIT
#include "address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../base/memory.hpp"

namespace aloop {

namespace {

const char *unix_text(const address &a, char *text, size_t size, const char *quote) {
    const size_t n = a.size - offsetof(sockaddr_un, sun_path);
    if (a.size <= offsetof(sockaddr_un, sun_path)) {
        std::snprintf(text, size, "%s%s", quote, quote);
    } else if (a.path.sun_path[0] == '\0') {
        std::snprintf(text, size, "%s@%.*s%s", quote, static_cast<int>(n - 1), a.path.sun_path + 1,
                      quote);
    } else {
        std::snprintf(text, size, "%s%.*s%s", quote, static_cast<int>(n), a.path.sun_path, quote);
    }
    return text;
}

}  // namespace

int address::port() const {
    if (family() == AF_INET) return ntohs(v4.sin_port);
    return family() == AF_INET6 ? ntohs(v6.sin6_port) : 0;
}

void address::set_port(int port) {
    if (family() == AF_INET) v4.sin_port = htons(static_cast<uint16_t>(port));
    if (family() == AF_INET6) v6.sin6_port = htons(static_cast<uint16_t>(port));
}

address_list *make_addresses(int64_t count) {
    const size_t size = sizeof(address_list) + static_cast<size_t>(count) * sizeof(address);
    void *block = allocate(size);
    if (block == nullptr) return nullptr;
    address_list *list = new (block) address_list;
    list->count = count;
    address *entries = list->entries;
    for (int64_t i = 1; i < count; i++) new (&entries[i]) address;
    return list;
}

void free_addresses(void *list) { release(list); }

const char *describe_address(const address &a, char *text, size_t size) {
    char host[INET6_ADDRSTRLEN] = "";
    if (a.family() == AF_INET) {
        inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host);
        std::snprintf(text, size, "('%s', %d)", host, a.port());
        return text;
    }
    if (a.family() == AF_INET6) {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host);
        std::snprintf(text, size, "('%s', %d, %u, %u)", host, a.port(), ntohl(a.v6.sin6_flowinfo),
                      a.v6.sin6_scope_id);
        return text;
    }
    return unix_text(a, text, size, "'");
}

const char *format_address(const address &a, char *text, size_t size) {
    char host[INET6_ADDRSTRLEN] = "";
    if (a.family() == AF_INET) {
        inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host);
        std::snprintf(text, size, "%s:%d", host, a.port());
        return text;
    }
    if (a.family() == AF_INET6) {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host);
        std::snprintf(text, size, "[%s]:%d", host, a.port());
        return text;
    }
    return unix_text(a, text, size, "");
}

const char *format_host(const address &a, char *text, size_t size) {
    if (a.family() == AF_UNIX || a.family() == AF_UNSPEC) return format_address(a, text, size);
    const void *from = a.family() == AF_INET ? static_cast<const void *>(&a.v4.sin_addr)
                                             : &a.v6.sin6_addr;
    inet_ntop(a.family(), from, text, static_cast<socklen_t>(size));
    if (a.family() == AF_INET6 && a.v6.sin6_scope_id != 0) {
        const size_t n = std::strlen(text);
        std::snprintf(text + n, size - n, "%%%u", a.v6.sin6_scope_id);
    }
    return text;
}

namespace {

// The number behind '%', or the interface's; 0: there is none of that name.
uint32_t scope_of(const char *text) {
    char *end;
    const unsigned long number = std::strtoul(text, &end, 10);
    if (end != text && *end == '\0' && number <= UINT32_MAX) return static_cast<uint32_t>(number);
    return if_nametoindex(text);
}

}  // namespace

bool numeric_address(const char *host, int port, address *out) {
    *out = address();
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->size = sizeof out->v4;
        out->set_port(port);
        return true;
    }
    char plain[INET6_ADDRSTRLEN];
    const size_t n = std::strcspn(host, "%");
    if (n >= sizeof plain) return false;
    std::memcpy(plain, host, n);
    plain[n] = '\0';
    if (inet_pton(AF_INET6, plain, &out->v6.sin6_addr) != 1) return false;
    out->v6.sin6_family = AF_INET6;
    out->size = sizeof out->v6;
    out->set_port(port);
    if (host[n] == '%') {
        out->v6.sin6_scope_id = scope_of(host + n + 1);
        if (out->v6.sin6_scope_id == 0) return false;
    }
    return true;
}

bool path_address(const char *path, size_t n, address *out) {
    const bool abstract = path[0] == '@' || path[0] == '\0';
    if (n == 0 || n + (abstract ? 0 : 1) > sizeof out->path.sun_path) return false;
    out->path = {};
    out->path.sun_family = AF_UNIX;
    std::memcpy(out->path.sun_path, path, n);
    if (abstract) out->path.sun_path[0] = '\0';
    out->size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
    return true;
}

}  // namespace aloop
