// SPDX-License-Identifier: MIT
#include "address_object.hpp"

#include <cstring>

namespace aloop {

namespace {

void destroy_address(object *o) {
    address_object *a = static_cast<address_object *>(o);
    void *block = a->within != nullptr ? a->within : a;
    a->~address_object();
    release(block);
}

void destroy_list(object *o) { destroy(static_cast<addresses *>(o)); }

const register_kind g_address(kind::address, {"address", destroy_address});
const register_kind g_list(kind::addresses, {"addresses", destroy_list});

}  // namespace

addresses::~addresses() {
    count_live(kind::addresses, -1);
    address_object **all = entries;
    for (int64_t i = 0; i < count; i++) unref(all[i]);
}

addresses *make_address_list(int64_t n) {
    void *block = allocate(sizeof(addresses) + static_cast<size_t>(n) * sizeof(address_object *));
    return block != nullptr ? new (block) addresses : nullptr;
}

bool append(addresses *list, const address &a, int32_t type, int32_t protocol,
            const char *canonical) {
    address_object *entry = create<address_object>(a);
    if (entry == nullptr) return false;
    entry->type = type;
    entry->protocol = protocol;
    if (canonical != nullptr) {
        entry->canonical = copy_string(canonical);
        if (entry->canonical == nullptr) {
            unref(entry);
            return false;
        }
    }
    address_object **all = list->entries;
    all[list->count++] = entry;
    return true;
}

void free_address_list(void *list) { unref(static_cast<addresses *>(list)); }

void free_address(void *a) { unref(static_cast<address_object *>(a)); }

bool same_address(const address &a, const address &b) {
    if (a.family() != b.family()) return false;
    switch (a.family()) {
    case AF_INET:
        return a.v4.sin_port == b.v4.sin_port && a.v4.sin_addr.s_addr == b.v4.sin_addr.s_addr;
    case AF_INET6:
        return a.v6.sin6_port == b.v6.sin6_port && a.v6.sin6_scope_id == b.v6.sin6_scope_id &&
               std::memcmp(&a.v6.sin6_addr, &b.v6.sin6_addr, sizeof a.v6.sin6_addr) == 0;
    default:
        return a.size == b.size && std::memcmp(&a.path, &b.path, a.size) == 0;
    }
}

bool copy_sockaddr(const void *from, size_t size, address *to) {
    *to = address();
    if (size < sizeof(sa_family_t) || size > sizeof to->path) return false;
    std::memcpy(&to->any, from, size);
    to->size = static_cast<socklen_t>(size);
    switch (to->any.sa_family) {
    case AF_INET: return size == sizeof to->v4;
    case AF_INET6: return size == sizeof to->v6;
    case AF_UNIX: return true;
    default: return false;
    }
}

}  // namespace aloop
