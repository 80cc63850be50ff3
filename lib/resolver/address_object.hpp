// address_object.hpp: an address as the program holds it, and lists of them.
//
// An address may live inside a bigger block, a received datagram's (`within`):
// then its last reference frees that block, which holds one of them itself. So
// who receives gets data and sender in one allocation, and may keep either.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/resolver.h>

#include "../base/memory.hpp"
#include "../base/object.hpp"
#include "address.hpp"

namespace aloop {

struct address_object final : object {
    address value;
    int32_t type = 0;
    int32_t protocol = 0;
    char *canonical = nullptr;
    void *within = nullptr;

    explicit address_object(const address &a) : object(kind::address), value(a) {
        count_live(kind::address, 1);
    }
    ~address_object() {
        count_live(kind::address, -1);
        release(canonical);
    }
};

struct addresses final : object {
    int64_t count = 0;
    address_object *entries[1];  // as many as count; the block is as long as needed

    addresses() : object(kind::addresses), entries{} { count_live(kind::addresses, 1); }
    ~addresses();
};

// Room for n; count grows with append. nullptr: out of memory.
addresses *make_address_list(int64_t n);
// False: out of memory.
bool append(addresses *list, const address &a, int32_t type, int32_t protocol,
            const char *canonical);
void free_address_list(void *list);  // the destructor of a future's value
void free_address(void *address);

bool same_address(const address &a, const address &b);
// A struct sockaddr of the known families; false: another, or a wrong size.
bool copy_sockaddr(const void *from, size_t size, address *to);

inline address_object *from_c(aloop_address *a) { return reinterpret_cast<address_object *>(a); }
inline const address_object *from_c(const aloop_address *a) {
    return reinterpret_cast<const address_object *>(a);
}
inline aloop_address *to_c(address_object *a) { return reinterpret_cast<aloop_address *>(a); }

}  // namespace aloop
