// SPDX-License-Identifier: MIT
#include "sessions.hpp"

#include <cstring>

#include "../base/locked.hpp"
#include "../base/memory.hpp"
#include "session.hpp"

namespace aloop {

namespace {

// A session has come: 1 if it is kept.
int remember(SSL *ssl, SSL_SESSION *session) {
    const tls_session *t = session_of(ssl);
    session_cache *cache = t->context->sessions;
    return cache != nullptr && t->host != nullptr && cache->keep(t->host, session) ? 1 : 0;
}

}  // namespace

session_cache::~session_cache() {
    while (first != nullptr) drop(&first);
}

void session_cache::drop(entry **at) {
    entry *gone = *at;
    *at = gone->next;
    count--;
    SSL_SESSION_free(gone->session);
    release(gone->host);
    destroy(gone);
}

bool session_cache::keep(const char *host, SSL_SESSION *session) {
    char *name = copy_string(host);
    entry *made = name != nullptr ? create<entry>() : nullptr;
    if (made == nullptr) {
        release(name);
        return false;
    }
    locked hold(&mutex);
    *made = {first, session, name};
    first = made;
    count++;
    int32_t seen = 0;
    for (entry **at = &first; *at != nullptr;) {
        const bool older = *at != made && std::strcmp((*at)->host, host) == 0;
        if (older || ++seen > most) drop(at);
        else at = &(*at)->next;
    }
    return true;
}

SSL_SESSION *session_cache::take(const char *host) {
    SSL_SESSION *found = nullptr;
    {
        locked hold(&mutex);
        entry **at = &first;
        while (*at != nullptr && std::strcmp((*at)->host, host) != 0) at = &(*at)->next;
        if (*at != nullptr) {
            found = (*at)->session;
            SSL_SESSION_up_ref(found);
            const bool once = SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION;
            if (once || SSL_SESSION_is_resumable(found) != 1) drop(at);
        }
    }
    if (found != nullptr && SSL_SESSION_is_resumable(found) != 1) {
        SSL_SESSION_free(found);
        found = nullptr;
    }
    return found;
}

int64_t set_session_cache(tls_context *c, int32_t servers) {
    session_cache *made = servers > 0 ? create<session_cache>(servers) : nullptr;
    if (servers > 0 && made == nullptr) return ALOOP_ENOMEM;
    destroy(std::exchange(c->sessions, made));
    SSL_CTX_set_session_cache_mode(
        c->ctx, made != nullptr ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(c->ctx, made != nullptr ? remember : nullptr);
    return 0;
}

}  // namespace aloop
