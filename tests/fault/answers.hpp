// answers.hpp: a resolver of the test's own: a name says which addresses it has.
//
// "x46" is one letter, then an IPv4 and an IPv6 address of the loopback; number i
// of the IPv4 ones is 127.0.0.(1 + i).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netdb.h>

#include <atomic>
#include <cstdlib>

#include "base/sys.hpp"

namespace answers {

constexpr int k_most_found = 8;
constexpr int k_ours = 0x5a5a;  // in ai_flags: not the real resolver's

inline std::atomic<int> g_made{0};  // answers that were not given back

// Entries and socket addresses in one block.
struct answer {
    addrinfo info[k_most_found];
    sockaddr_in v4[k_most_found];
    sockaddr_in6 v6[k_most_found];
};

inline addrinfo *make(const char *name, int port) {
    answer *a = static_cast<answer *>(std::calloc(1, sizeof(answer)));
    g_made++;
    const char *pattern = name + 1;
    for (int i = 0; pattern[i] != '\0' && i < k_most_found; i++) {
        addrinfo &info = a->info[i];
        info.ai_flags = k_ours;
        info.ai_socktype = SOCK_STREAM;
        if (pattern[i] == '4') {
            a->v4[i].sin_family = AF_INET;
            a->v4[i].sin_port = htons(static_cast<uint16_t>(port));
            a->v4[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<unsigned>(i));
            info.ai_addr = reinterpret_cast<sockaddr *>(&a->v4[i]);
            info.ai_addrlen = sizeof a->v4[i];
        } else {
            a->v6[i].sin6_family = AF_INET6;
            a->v6[i].sin6_port = htons(static_cast<uint16_t>(port));
            a->v6[i].sin6_addr = in6addr_loopback;
            info.ai_addr = reinterpret_cast<sockaddr *>(&a->v6[i]);
            info.ai_addrlen = sizeof a->v6[i];
        }
        info.ai_family = info.ai_addr->sa_family;
        if (i > 0) a->info[i - 1].ai_next = &info;
    }
    return a->info;
}

inline void give_back(addrinfo *found) {
    if (found->ai_flags == k_ours) {
        g_made--;
        std::free(found);
    } else {
        aloop::k_real_sys.freeaddrinfo(found);
    }
}

}  // namespace answers
