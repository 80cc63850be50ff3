/*
 * tls_raw.h: a peer that does as the test wants: OpenSSL between two buffers,
 * whose bytes travel over a plain stream when they are told to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_TLS_RAW_H
#define TESTS_UNIT_TLS_RAW_H

#include <openssl/ssl.h>

#include "tls_peer.h"

struct raw {
    aloop_stream *stream; /* owned; what it sends comes out at ours */
    aloop_stream *ours;   /* owned; the end that is tested, plain yet */
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* the ssl's */
};

/* Runs it in a task with room for OpenSSL on its stack, on the virtual clock. */
void in_roomy_task(aloop_coro_fn fn, void *arg);

/* Inside a task: one that is a server (with server_certificate) or a client, over
 * a pair in memory, which holds 64 KiB each way. version: of TLS, the only one. */
struct raw raw_peer(bool server, int version);
void drop_raw(struct raw *r);

/* Sends what it has written; how much that was. */
size_t raw_sends(struct raw *r);
/* Reads what has come, waiting for some: false at the end. */
bool raw_hears(struct raw *r);
/* Shakes hands with ours, which starts TLS as the other side. */
void raw_shakes(struct raw *r);

#endif
