// address.hpp: socket addresses: a value type, lists of them, their text.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>

namespace aloop {

// An internet address, or a path. Unix addresses are as long as they are.
struct address {
    union {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
        sockaddr_un path;
    };
    socklen_t size = 0;

    address() : path{} {}
    int family() const { return size != 0 ? any.sa_family : AF_UNSPEC; }
    int port() const;
    void set_port(int port);
    // The kernel has filled it in, and says how long it is: longer than there was room
    // where a path has no NUL in it, which the kernel counts.
    void filled(socklen_t n) { size = n < sizeof path ? n : socklen_t{sizeof path}; }
};

// What a name resolves to, in the resolver's order.
struct address_list {
    int64_t count = 0;
    address entries[1];  // as many as count; the block is as long as needed
};

// nullptr: out of memory.
address_list *make_addresses(int64_t count);
void free_addresses(void *list);  // the destructor of a future's value

// Big enough for every describe_address and format_address.
constexpr size_t k_address_text = 160;

// As Python shows it: ('127.0.0.1', 80), ('::1', 80, 0, 0), '/path'.
const char *describe_address(const address &a, char *text, size_t size);
// For programs: 127.0.0.1:80, [::1]:80, /path, @abstract.
const char *format_address(const address &a, char *text, size_t size);

// Without the port: 127.0.0.1, ::1, fe80::1%2, /path.
const char *format_host(const address &a, char *text, size_t size);

// False: host is no number. "%eth0" behind an IPv6 address is its scope.
bool numeric_address(const char *host, int port, address *out);
// A path, or an abstract name that begins with '@' or a NUL byte.
bool path_address(const char *path, size_t n, address *out);

}  // namespace aloop
