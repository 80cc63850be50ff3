/*
 * tls.h: TLS for streams and servers. Python's ssl.SSLContext.
 *
 *     aloop_tls_context *tls = NULL;
 *     int64_t rc = aloop_tls_context_new_client(&tls);
 *     ...
 *     aloop_stream_options *options = aloop_stream_options_new();
 *     aloop_stream_options_set_tls(options, tls);
 *     rc = aloop_await(aloop_open_connection("example.org", 443, options), (void **)&stream);
 *
 * The stream is then used like any other, with four differences.
 * There is no half close (aloop_stream_can_write_eof is 0): when the peer's close_notify was
 * read, the stream closes itself.
 * close sends what is queued and a close_notify, then waits for the peer's (see
 * aloop_stream_options_set_tls_shutdown_timeout); abort does neither.
 * A connection that ends without a close_notify fails with ALOOP_ETLSTRUNCATED, because data
 * may be missing.
 * The water marks count what the program wrote, and are 512 and 128 KiB by default.
 *
 * Set up a context in one thread, before it is used. After that, any number of connections,
 * loops and threads may use it. In a build without TLS, all functions return ALOOP_ENOSYS.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_TLS_H
#define ASYNCLOOP_TLS_H

#include <asyncloop/base.h>
#include <asyncloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_tls_context aloop_tls_context;

/* Versions of TLS, with their numbers in the protocol. */
#define ALOOP_TLS_1_0 0x0301
#define ALOOP_TLS_1_1 0x0302
#define ALOOP_TLS_1_2 0x0303
#define ALOOP_TLS_1_3 0x0304

#define ALOOP_TLS_VERIFY_NONE 0     /* nothing is checked, not even the host name */
#define ALOOP_TLS_VERIFY_OPTIONAL 1 /* a client may have no certificate, but not a bad one */
#define ALOOP_TLS_VERIFY_REQUIRED 2

/* Making one ------------------------------------------------------------------------------
 *
 * *context is a reference. A client's context verifies that the server's certificate was
 * signed by an authority of the system, and that it is for the server's name
 * (ssl.create_default_context). A server's context requests no certificate. Both use at least
 * TLS 1.2. ALOOP_ENOMEM, ALOOP_ENOSYS, ALOOP_EINVAL for NULL.
 *
 * The contexts of a process share the authorities of the system. The first context that needs
 * them reads them (which blocks) from OpenSSL's default place, or from SSL_CERT_FILE and
 * SSL_CERT_DIR. A context created after one of these has changed reads them again; earlier
 * contexts keep theirs. */
ALOOP_API int64_t aloop_tls_context_new_client(aloop_tls_context **context);
ALOOP_API int64_t aloop_tls_context_new_server(aloop_tls_context **context);

/* Setting it up: each function returns 0 or a code; aloop_tls_context_error has the details until
 * the next call. Files are read at once (which blocks): -errno if this fails, ALOOP_ETLS for an
 * invalid content, with a message that names the file. ALOOP_EINVAL for bad arguments. */

/* The error of the last call, borrowed; NULL if it succeeded. */
ALOOP_API aloop_error *aloop_tls_context_error(aloop_tls_context *context);

/* The trusted certificate authorities, in place of the system's; call it again to add more. file:
 * certificates in PEM; directory: files named by hash (openssl rehash). One of them may be
 * NULL; if both are, adds the authorities of the system. */
ALOOP_API int64_t aloop_tls_context_load_verify(aloop_tls_context *context, const char *file,
                                                const char *directory);
/* The same from PEM text in memory. */
ALOOP_API int64_t aloop_tls_context_load_verify_memory(aloop_tls_context *context,
                                                       const char *pem);

/* The certificate of this side, followed by the intermediate ones, and its key, in PEM files. If
 * key_file is NULL, both are in cert_file. password: of the key, or NULL. The key must belong
 * to the certificate. */
ALOOP_API int64_t aloop_tls_context_load_cert_chain(aloop_tls_context *context,
                                                    const char *cert_file, const char *key_file,
                                                    const char *password);
ALOOP_API int64_t aloop_tls_context_load_cert_chain_memory(aloop_tls_context *context,
                                                           const char *cert_pem,
                                                           const char *key_pem,
                                                           const char *password);

/* Whether the peer needs a valid certificate: one of ALOOP_TLS_VERIFY_... */
ALOOP_API int64_t aloop_tls_context_set_verify_mode(aloop_tls_context *context, int32_t mode);
/* For clients: whether the certificate must be for the server's name; default 1. */
ALOOP_API int64_t aloop_tls_context_set_check_hostname(aloop_tls_context *context, int32_t check);
/* ALPN: the protocols spoken over TLS, the preferred one first, such as "h2,http/1.1". A server
 * refuses a client that offers only others. NULL: none. */
ALOOP_API int64_t aloop_tls_context_set_alpn(aloop_tls_context *context, const char *protocols);
/* The oldest and newest version, ALOOP_TLS_1_0 to ALOOP_TLS_1_3; 0: whatever OpenSSL supports. */
ALOOP_API int64_t aloop_tls_context_set_min_version(aloop_tls_context *context, int32_t version);
ALOOP_API int64_t aloop_tls_context_set_max_version(aloop_tls_context *context, int32_t version);
/* In OpenSSL's notation: a cipher list for TLS 1.2 and older; and names of TLS 1.3 suites
 * ("TLS_AES_128_GCM_SHA256"), separated by colons. */
ALOOP_API int64_t aloop_tls_context_set_ciphers(aloop_tls_context *context, const char *ciphers);
ALOOP_API int64_t aloop_tls_context_set_ciphersuites(aloop_tls_context *context,
                                                     const char *suites);
/* For servers: clients that ask for this name (SNI) get the certificate and the settings of
 * other, to which the context keeps a reference. A session is resumed only under the name with
 * which it began. "*.example.org" matches every name one level below. ALOOP_EINVAL if other has
 * names of its own, or is a client's. */
ALOOP_API int64_t aloop_tls_context_add_name(aloop_tls_context *context, const char *name,
                                             aloop_tls_context *other);
/* For clients: remembers the sessions of this many servers and resumes them, which saves a round
 * trip and the certificates; default 0. */
ALOOP_API int64_t aloop_tls_context_set_session_cache(aloop_tls_context *context, int32_t servers);
/* Appends the secrets of each connection to a file, for Wireshark. Whoever can read the file can
 * decrypt the connections. NULL: stops. */
ALOOP_API int64_t aloop_tls_context_set_keylog_file(aloop_tls_context *context, const char *path);

/* Options of connections and servers (stream.h) -------------------------------------------
 *
 * Setters return 0, or ALOOP_EINVAL for NULL or a value out of range. */

/* The context for a connection (a client's) or a server (a server's), to which the options keep a
 * reference. NULL: no TLS. A server's handler runs after the handshake. A failed handshake is
 * reported to the exception handler, and does not affect other connections. */
ALOOP_API int64_t aloop_stream_options_set_tls(aloop_stream_options *options,
                                               aloop_tls_context *context);
/* For clients: the name for which the certificate must be valid, and which is sent to the server;
 * default: the host. There is no default for Unix sockets. */
ALOOP_API int64_t aloop_stream_options_set_server_hostname(aloop_stream_options *options,
                                                           const char *name);
/* The time limit for handshakes in seconds, above 0; default 60; then ALOOP_ECONNABORTED. */
ALOOP_API int64_t aloop_stream_options_set_tls_handshake_timeout(aloop_stream_options *options,
                                                                 double seconds);
/* How many seconds close waits until everything is sent and the peer's close_notify has come;
 * default 30; then the stream ends with ALOOP_ETIMEDOUT. 0: does not wait for the peer, whose
 * later data then causes a reset. */
ALOOP_API int64_t aloop_stream_options_set_tls_shutdown_timeout(aloop_stream_options *options,
                                                                double seconds);
/* A session of an earlier connection to the same server, to be resumed; an unsuitable one is
 * ignored. It must come from a context that trusts the same authorities, because the server does
 * not present its certificate again, and a session does not tell who verified it. (Python
 * refuses sessions of another context.) */
ALOOP_API int64_t aloop_stream_options_set_tls_session(aloop_stream_options *options,
                                                       const aloop_bytes *session);

/* Streams ----------------------------------------------------------------------------------- */

/* An operation that starts TLS on an open connection: it drains, and then performs the handshake,
 * as client or server according to the context. Data that was received but not read, and all
 * later data, belongs to the handshake. Meanwhile reads fail with ALOOP_EBUSY, and a protocol
 * gets no callbacks; both continue if the handshake does not begin. If it does, reading is not
 * paused any more. Of the options (may be NULL), those above are used; a client's context that
 * checks names needs a server_hostname.
 * Fails, with a message that says why, with ALOOP_ETLSCERT (the certificate does not verify),
 * ALOOP_ETLS, ALOOP_ECONNRESET (the peer closed during the handshake) or ALOOP_ECONNABORTED (the
 * time is up). ALOOP_EBUSY while somebody reads or a file is sent, ALOOP_EINVALIDSTATE after
 * write_eof, ALOOP_EINVAL for bad arguments. A failure of the handshake, or a cancellation, ends
 * the connection. asyncio.StreamWriter.start_tls. */
ALOOP_API aloop_future *aloop_stream_start_tls(aloop_stream *stream, aloop_tls_context *context,
                                               const aloop_stream_options *options);

/* aloop_stream_get_extra_info has these names on a stream with TLS, until it is
 * closed: "tls_version" ("TLSv1.3"), "cipher" ("TLS_AES_256_GCM_SHA384 TLSv1.3
 * 256": name, version, bits), "alpn_protocol", "session_reused" ("1", "0"),
 * "verify_result" ("ok", or what is wrong), "server_hostname" (of a server's
 * side: what the client asked for), and of the peer's certificate "peercert"
 * (PEM), "peercert_subject", "peercert_issuer" ("CN=localhost,O=Example"),
 * "peercert_sans" ("DNS:localhost, IP Address:127.0.0.1"; a value that holds a
 * comma, a quote, a backslash or what is no printable ASCII is quoted as in JSON,
 * each odd byte as \u00xx),
 * "peercert_not_before", "peercert_not_after" ("Jan  1 00:00:00 2030 GMT"),
 * "peercert_serial" (hex). ALOOP_ENOENT where there is none. */

/* The peer's certificate in DER; *der is a reference. ALOOP_ENOENT if there is none. */
ALOOP_API int64_t aloop_stream_get_peer_certificate(aloop_stream *stream, aloop_bytes **der);
/* The session, for aloop_stream_options_set_tls_session; *session is a reference. It is a secret.
 * With TLS 1.3 it arrives after the handshake, with the first data. ALOOP_ENOENT if there is
 * none. */
ALOOP_API int64_t aloop_stream_get_tls_session(aloop_stream *stream, aloop_bytes **session);

#ifdef __cplusplus
}
#endif

#endif
