/*
 * tls_peer.h: certificates made when the test runs, contexts that use them, and
 * both ends of a connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_TLS_PEER_H
#define TESTS_UNIT_TLS_PEER_H

#include "../../docs/examples/certificate.h"
#include "support.h"

#define AWAIT(future) aloop_await((future), NULL)

/* Made once: an authority, and its certificate for localhost and 127.0.0.1. */
const struct certificate *authority(void);
const struct certificate *server_certificate(void);
void drop_certificates(void);
/* SUITE for those that use them. */
#define TLS_SUITE(...)                                                      \
    int main(void) {                                                        \
        const struct CMUnitTest cases[] = {__VA_ARGS__};                    \
        prepare_suite();                                                    \
        const int failed = cmocka_run_group_tests(cases, NULL, NULL);       \
        drop_certificates();                                                \
        return failed;                                                      \
    }
/* Its key in PEM under a password, to be freed. */
char *encrypt_key(const struct certificate *certificate, const char *password);

/* References. A client that trusts the authority, or nobody (NULL). */
aloop_tls_context *client_context(const struct certificate *trusted);
aloop_tls_context *server_context(const struct certificate *own);

/* Runs it in a simulated world, in which time costs nothing: three of them, with
 * delays and short reads and writes drawn from different seeds. */
void in_simulation(aloop_coro_fn fn, void *arg);

/* A connection without TLS: both are streams. */
struct plain_ends {
    aloop_stream *client, *server;
};
struct plain_ends plain_ends(void);
void drop_plain(struct plain_ends *ends);

/* What both sides of a connection come to; the contexts are consumed. Streams
 * are NULL where the status is no success. */
struct ends {
    aloop_stream *client, *server;
    int64_t client_status;
    int64_t server_status;
    char client_text[400]; /* of the error */
    char server_text[400];
};
struct tls_wish {
    aloop_tls_context *client, *server;
    const char *host; /* to be called; NULL: "localhost" */
    double shutdown_timeout; /* 0: the default */
    const aloop_bytes *session; /* that the client offers; borrowed */
};
/* Inside a task: one connects over TLS, the other accepts. */
struct ends secure_ends(struct tls_wish wish);
/* Both succeeded, or the test fails. */
struct ends good_ends(struct tls_wish wish);
struct ends usual_ends(void);
/* Aborts and drops what is there. */
void drop_ends(struct ends *ends);

/* Starts TLS on an open stream; the contexts are borrowed. */
int64_t start_tls(aloop_stream *stream, aloop_tls_context *context, const char *host, char *text,
                  size_t size);

/* Sends text and reads it at the other end. */
void passes(aloop_stream *from, aloop_stream *to, const char *text);
#define assert_info(stream, name, expected) \
    check_info((stream), (name), (expected), __FILE__, __LINE__)
void check_info(aloop_stream *stream, const char *name, const char *expected, const char *file,
                int line);

#endif
