// A TLS context for the servers that use OpenSSL directly.
//
// SPDX-License-Identifier: MIT
#ifndef TLS_H
#define TLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bench.h"

static inline SSL_CTX *tls_server_context(const char *cert, const char *key) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    // No buffer is kept while a connection is idle, and a write that would block may be repeated
    // from elsewhere.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

// Whether a call of OpenSSL that answered `result` is only to be repeated when the socket is ready.
static inline int tls_would_block(const SSL *ssl, int result) {
    int reason = SSL_get_error(ssl, result);
    ERR_clear_error();
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
}

#endif
