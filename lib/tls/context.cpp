// SPDX-License-Identifier: MIT
#include "context.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <strings.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "../base/memory.hpp"
#include "authorities.hpp"
#include "session.hpp"
#include "sessions.hpp"

namespace aloop {

namespace {

void destroy_context(object *o) { destroy(static_cast<tls_context *>(o)); }

const register_kind g_context(kind::tls_context, {"TLS context", destroy_context});

// The server's choice among what the client offers, by the server's order.
int choose_alpn(SSL *, const unsigned char **out, unsigned char *size, const unsigned char *offer,
                unsigned int offer_size, void *argument) {
    const tls_context *c = static_cast<tls_context *>(argument);
    unsigned char *chosen = nullptr;
    const int result =
        SSL_select_next_proto(&chosen, size, c->alpn, c->alpn_size, offer, offer_size);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

bool is_called(const char *pattern, const char *name) {
    if (strcasecmp(pattern, name) == 0) return true;
    if (pattern[0] != '*' || pattern[1] != '.') return false;
    const char *dot = std::strchr(name, '.');
    return dot != nullptr && dot != name && strcasecmp(pattern + 1, dot) == 0;
}

// The name in a client's hello (RFC 6066: a list with one entry), if it is one that
// fits; it is looked for in no other place so early.
bool asked_name(SSL *ssl, char *name, size_t room) {
    const unsigned char *at = nullptr;
    size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &size) != 1) return false;
    constexpr size_t k_head = 5;  // the list's length, the entry's type and length
    if (size <= k_head || at[2] != TLSEXT_NAMETYPE_host_name) return false;
    const size_t n = static_cast<size_t>(at[3]) << 8 | at[4];
    if (n != size - k_head || n >= room) return false;
    if (std::memchr(at + k_head, '\0', n) != nullptr) return false;
    std::memcpy(name, at + k_head, n);
    name[n] = '\0';
    return true;
}

// The server wanted another hello, with a key that it can use. All else in it must
// be as it was (RFC 8446, 4.1.2), and the context is chosen.
int check_second_hello(tls_session *t, const char *name, int *alert) {
    if (std::strcmp(t->host != nullptr ? t->host : "", name) == 0) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    t->rejection.reset(
        make_error(ALOOP_ETLS, "the client asks for another server name in its second hello"));
    t->no_memory = !t->rejection;
    return SSL_CLIENT_HELLO_ERROR;
}

// The context of the name that the client asks for; an unknown one gets ours. This
// is before a session is resumed, which must be one of the same context: another
// may ask for a certificate that the client never showed.
int choose_context(SSL *ssl, int *alert, void *argument) {
    const tls_context *c = static_cast<tls_context *>(argument);
    tls_session *t = session_of(ssl);
    char name[TLSEXT_MAXLEN_host_name + 1] = "";
    const bool asked = asked_name(ssl, name, sizeof name);
    if (std::exchange(t->greeted, true)) return check_second_hello(t, name, alert);
    if (!asked) return SSL_CLIENT_HELLO_SUCCESS;
    t->host = copy_string(name);
    if (t->host == nullptr) {
        t->no_memory = true;
        return SSL_CLIENT_HELLO_ERROR;
    }
    for (const tls_name *at = c->names; at != nullptr; at = at->next) {
        if (!is_called(at->pattern, name)) continue;
        SSL_CTX *other = static_cast<tls_context *>(at->context.get())->ctx;
        SSL_set_SSL_CTX(ssl, other);
        SSL_set_verify(ssl, SSL_CTX_get_verify_mode(other), SSL_get_verify_callback(ssl));
        SSL_set_min_proto_version(ssl, static_cast<int>(SSL_CTX_get_min_proto_version(other)));
        SSL_set_max_proto_version(ssl, static_cast<int>(SSL_CTX_get_max_proto_version(other)));
        break;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

// Whether the client is told that its name was known.
int answer_name(SSL *ssl, int *, void *) {
    const bool known = SSL_get_SSL_CTX(ssl) != session_of(ssl)->context->ctx;
    return known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// No two contexts of a process have the same.
bool set_session_id(SSL_CTX *ctx) {
    static std::atomic<uint64_t> made{0};
    unsigned char id[sizeof(uint64_t)];
    const uint64_t number = ++made;
    std::memcpy(id, &number, sizeof id);
    return SSL_CTX_set_session_id_context(ctx, id, sizeof id) == 1;
}

void log_keys(const SSL *ssl, const char *line) {
    const tls_context *c = context_of(SSL_get_SSL_CTX(ssl));
    if (c->keylog < 0) return;
    char text[512];
    const int n = std::snprintf(text, sizeof text, "%s\n", line);
    // One write in append mode: lines of several threads do not mix.
    if (n > 0 && n < static_cast<int>(sizeof text)) {
        [[maybe_unused]] const ssize_t written = write(c->keylog, text, static_cast<size_t>(n));
    }
}

bool configure(tls_context *c) {
    SSL_CTX *ctx = c->ctx;
    SSL_CTX_set_app_data(ctx, c);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_msg_callback(ctx, count_message);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) return false;
    X509_VERIFY_PARAM *rules = SSL_CTX_get0_param(ctx);
    // A certificate that the program trusts need not be an authority's own.
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_hostflags(
        rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (c->is_server) {
        SSL_CTX_set_client_hello_cb(ctx, choose_context, c);
        SSL_CTX_set_tlsext_servername_callback(ctx, answer_name);
        return set_session_id(ctx);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
    return trust_system(ctx);
}

}  // namespace

tls_context::~tls_context() {
    if (ctx != nullptr) SSL_CTX_free(ctx);
    while (tls_name *at = names) {
        names = at->next;
        release(at->pattern);
        destroy(at);
    }
    release(alpn);
    destroy(sessions);
    if (keylog >= 0) close(keylog);
    count_live(kind::tls_context, -1);
}

int64_t make_context(bool server, tls_context **out) {
    tls_context *c = create<tls_context>(server);
    if (c == nullptr) return ALOOP_ENOMEM;
    c->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (c->ctx == nullptr || !configure(c)) {
        ERR_clear_error();
        unref(c);
        return ALOOP_ENOMEM;
    }
    *out = c;
    return 0;
}

int64_t complain(tls_context *c, int64_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    c->last.reset(format_error_v(code, nullptr, format, args));
    va_end(args);
    ERR_clear_error();
    return code;
}

const char *openssl_reason(char *text, size_t size) {
    const unsigned long code = ERR_get_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    std::snprintf(text, size, "%s", reason != nullptr ? reason : "unknown reason");
    ERR_clear_error();
    return text;
}

int64_t set_alpn(tls_context *c, const char *protocols) {
    uint8_t *wire = nullptr;
    uint32_t size = 0;
    if (protocols != nullptr) {
        const size_t n = std::strlen(protocols);
        if (n > 65000) return complain(c, ALOOP_EINVAL, "the list of protocols is too long");
        wire = static_cast<uint8_t *>(allocate(n + 1));
        if (wire == nullptr) return ALOOP_ENOMEM;
        for (const char *at = protocols;; at++) {
            const size_t length = std::strcspn(at, ",");
            if (length == 0 || length > 255) {
                release(wire);
                return complain(c, ALOOP_EINVAL, "a protocol's name has 1 to 255 bytes: \"%s\"",
                                protocols);
            }
            wire[size++] = static_cast<uint8_t>(length);
            std::memcpy(wire + size, at, length);
            size += static_cast<uint32_t>(length);
            at += length;
            if (*at == '\0') break;
        }
    }
    release(std::exchange(c->alpn, wire));
    c->alpn_size = size;
    if (c->is_server) {
        SSL_CTX_set_alpn_select_cb(c->ctx, wire != nullptr ? choose_alpn : nullptr, c);
        return 0;
    }
    return SSL_CTX_set_alpn_protos(c->ctx, wire, size) == 0 ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t set_verify(tls_context *c, int32_t mode) {
    if (mode < ALOOP_TLS_VERIFY_NONE || mode > ALOOP_TLS_VERIFY_REQUIRED) {
        return complain(c, ALOOP_EINVAL, "no verify mode: %d", mode);
    }
    int flags = mode != ALOOP_TLS_VERIFY_NONE ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (mode == ALOOP_TLS_VERIFY_REQUIRED) flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(c->ctx, flags, nullptr);
    return 0;
}

int64_t set_version(tls_context *c, int32_t version, bool most) {
    const bool known = version == 0 || (version >= ALOOP_TLS_1_0 && version <= ALOOP_TLS_1_3);
    const unsigned number = static_cast<unsigned>(version);
    if (!known) return complain(c, ALOOP_EINVAL, "no TLS version: 0x%x", number);
    const long done = most ? SSL_CTX_set_max_proto_version(c->ctx, version)
                           : SSL_CTX_set_min_proto_version(c->ctx, version);
    if (done == 1) return 0;
    return complain(c, ALOOP_EINVAL, "this OpenSSL has no TLS version 0x%x", number);
}

int64_t set_ciphers(tls_context *c, const char *list, bool suites) {
    if (list == nullptr) return complain(c, ALOOP_EINVAL, "no list of ciphers");
    const long done = suites ? SSL_CTX_set_ciphersuites(c->ctx, list)
                             : SSL_CTX_set_cipher_list(c->ctx, list);
    return done == 1 ? 0 : complain(c, ALOOP_EINVAL, "no cipher can be selected of \"%s\"", list);
}

int64_t set_keylog(tls_context *c, const char *path) {
    int fd = -1;
    if (path != nullptr) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) {
            const int code = errno;
            return complain(c, -code, "cannot write keys to '%s': %s", path, describe(-code));
        }
    }
    if (c->keylog >= 0) close(c->keylog);
    c->keylog = fd;
    SSL_CTX_set_keylog_callback(c->ctx, fd >= 0 ? log_keys : nullptr);
    return 0;
}

int64_t add_name(tls_context *c, const char *name, tls_context *other) {
    const bool fits = c->is_server && other->is_server && other != c && !c->in_other;
    if (!fits || other->names != nullptr) {
        return complain(c, ALOOP_EINVAL, "a server's context gets names, and for each another "
                                         "server's that has none");
    }
    if (name == nullptr || name[0] == '\0') return complain(c, ALOOP_EINVAL, "no name");
    char *pattern = copy_string(name);
    tls_name *entry = pattern != nullptr ? create<tls_name>() : nullptr;
    if (entry == nullptr) {
        release(pattern);
        return ALOOP_ENOMEM;
    }
    entry->pattern = pattern;
    entry->context = ptr<object>::share(other);
    entry->next = nullptr;
    tls_name **at = &c->names;
    while (*at != nullptr) at = &(*at)->next;
    *at = entry;
    other->in_other = true;
    return 0;
}

}  // namespace aloop
