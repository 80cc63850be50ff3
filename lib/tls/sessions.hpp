// sessions.hpp: the sessions that a client's context remembers, one a server
// name, the one that was not used for longest given up for a new one. Contexts
// are shared by threads, hence the mutex. A few dozen servers: a list will do.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>

#include <cstdint>

namespace aloop {

struct session_cache {
    struct entry {
        entry *next;
        SSL_SESSION *session;
        char *host;
    };
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    entry *first = nullptr;  // the latest
    int32_t count = 0;
    int32_t most;

    explicit session_cache(int32_t servers) : most(servers) {}
    ~session_cache();
    // Takes the session over if it keeps it, else false.
    bool keep(const char *host, SSL_SESSION *session);
    // The session to try next, owned by the caller; nullptr: none. A ticket of
    // TLS 1.3 is used once, so that connections cannot be linked by it.
    SSL_SESSION *take(const char *host);

private:
    void drop(entry **at);
};

struct tls_context;

// Has the context remember so many; 0: none. 0 or ALOOP_ENOMEM.
int64_t set_session_cache(tls_context *c, int32_t servers);

}  // namespace aloop
