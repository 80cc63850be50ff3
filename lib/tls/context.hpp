// context.hpp: what connections have in common: certificates, authorities, and
// what is allowed. An SSL_CTX, and what OpenSSL does not keep itself.
//
// A client trusts the system's authorities, in a store that contexts share
// (authorities.hpp), until the program names its own; the first of these replaces
// the store.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/tls.h>
#include <openssl/ssl.h>

#include "../base/error.hpp"
#include "../base/object.hpp"

namespace aloop {

struct session_cache;

// A name that clients ask for, and the context that answers to it.
struct tls_name {
    char *pattern;
    ptr<object> context;
    tls_name *next;
};

struct tls_context final : object {
    SSL_CTX *ctx = nullptr;
    const bool is_server;
    bool checks_host = true;
    bool owns_store = false;    // the authorities': until one is loaded it may be the system's
    bool keeps_system = false;  // what is loaded is added to the system's
    bool in_other = false;  // it stands in another's names, and has none itself
    tls_name *names = nullptr;
    uint8_t *alpn = nullptr;  // as on the wire: length, name, length, name
    uint32_t alpn_size = 0;
    session_cache *sessions = nullptr;
    int keylog = -1;
    ptr<error> last;

    explicit tls_context(bool server) : object(kind::tls_context), is_server(server) {
        count_live(kind::tls_context, 1);
    }
    ~tls_context();
};

inline tls_context *from_c(aloop_tls_context *c) { return reinterpret_cast<tls_context *>(c); }
inline aloop_tls_context *to_c(tls_context *c) { return reinterpret_cast<aloop_tls_context *>(c); }
inline tls_context *context_of(const SSL_CTX *ctx) {
    return static_cast<tls_context *>(SSL_CTX_get_app_data(ctx));
}

// 0 with *out, or ALOOP_ENOMEM.
int64_t make_context(bool server, tls_context **out);

// Setters: 0, or a code whose detail is in `last`.
int64_t set_alpn(tls_context *c, const char *protocols);
int64_t set_verify(tls_context *c, int32_t mode);
int64_t set_version(tls_context *c, int32_t version, bool most);
int64_t set_ciphers(tls_context *c, const char *list, bool suites);
int64_t set_keylog(tls_context *c, const char *path);
int64_t add_name(tls_context *c, const char *name, tls_context *other);

// Certificates (certificates.cpp).
int64_t trust(tls_context *c, const char *file, const char *directory);
int64_t trust_text(tls_context *c, const char *pem);
int64_t use_files(tls_context *c, const char *cert, const char *key, const char *password);
int64_t use_texts(tls_context *c, const char *cert, const char *key, const char *password);

// Sets `last`; returns code.
int64_t complain(tls_context *c, int64_t code, const char *format, ...) ALOOP_PRINTF(3, 4);
// OpenSSL's words for the first error in this thread's queue, which is emptied.
const char *openssl_reason(char *text, size_t size);

}  // namespace aloop
