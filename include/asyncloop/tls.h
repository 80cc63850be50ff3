/*
 * tls.h: encrypted connections. Python's ssl.SSLContext, for streams and servers.
 *
 *     aloop_tls_context *tls = NULL;
 *     int64_t rc = aloop_tls_context_new_client(&tls);
 *     ...
 *     aloop_stream_options *options = aloop_stream_options_new();
 *     aloop_stream_options_set_tls(options, tls);
 *     rc = aloop_await(aloop_open_connection("example.org", 443, options), (void **)&stream);
 *
 * From there on the stream is used as any other. What differs is said here:
 * there is no half close (aloop_stream_can_write_eof is 0): when the peer's
 * close_notify was read, the stream closes itself in order. close sends what
 * waits and a close_notify, then waits for the peer's (see
 * set_tls_shutdown_timeout); abort does neither. A connection that ends without
 * a close_notify fails with ALOOP_ETLSTRUNCATED: what came may not be all.
 * Water marks count what the program wrote; the default is 512 and 128 KiB.
 *
 * A context may be used by any number of connections and loops, and from any
 * thread once it is set up; it is set up by one thread, before it is used.
 * aloop_unref drops it. In a build without TLS, new_client and new_server, and
 * all else here, give ALOOP_ENOSYS.
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

/* What TLS calls its versions on the wire. */
#define ALOOP_TLS_1_0 0x0301
#define ALOOP_TLS_1_1 0x0302
#define ALOOP_TLS_1_2 0x0303
#define ALOOP_TLS_1_3 0x0304

#define ALOOP_TLS_VERIFY_NONE 0     /* nothing is checked, the host name neither */
#define ALOOP_TLS_VERIFY_OPTIONAL 1 /* a server asks; no certificate is fine, a bad one not */
#define ALOOP_TLS_VERIFY_REQUIRED 2

/* Making one ------------------------------------------------------------------------------
 *
 * A client's context verifies the server's certificate against the system's
 * authorities, and its name (ssl.create_default_context); a server's asks for
 * no certificate. TLS 1.2 at least. *context is a reference. ALOOP_ENOMEM,
 * ALOOP_ENOSYS, ALOOP_EINVAL for NULL.
 *
 * The contexts of a process share the system's authorities. They are read (which
 * blocks) for the first that wants them, from where OpenSSL has them or where
 * SSL_CERT_FILE and SSL_CERT_DIR name them; again for one that is made after these
 * or the file have changed. Those made before keep what they have. */
ALOOP_API int64_t aloop_tls_context_new_client(aloop_tls_context **context);
ALOOP_API int64_t aloop_tls_context_new_server(aloop_tls_context **context);

/* Setting it up: each returns 0 or a code, whose detail is also in
 * aloop_tls_context_error until the next call. Files are read at once (this
 * blocks): -errno where that fails, ALOOP_ETLS for what is in them, with a
 * text that names the file; ALOOP_EINVAL for bad arguments. */

/* Borrowed; NULL if the last call succeeded. */
ALOOP_API aloop_error *aloop_tls_context_error(aloop_tls_context *context);

/* The authorities that certificates must come from, instead of the system's; may
 * be called again to add more. file: certificates in PEM; directory: named by
 * hash (openssl rehash). One of them may be NULL; both: the system's. */
ALOOP_API int64_t aloop_tls_context_load_verify(aloop_tls_context *context, const char *file,
                                                const char *directory);
/* The same from PEM text in memory. */
ALOOP_API int64_t aloop_tls_context_load_verify_memory(aloop_tls_context *context,
                                                       const char *pem);

/* The own certificate, with those between it and the authority behind it, and
 * its key: PEM files; key_file NULL: both are in cert_file. password of the key,
 * or NULL. The key must belong to the certificate. */
ALOOP_API int64_t aloop_tls_context_load_cert_chain(aloop_tls_context *context,
                                                    const char *cert_file, const char *key_file,
                                                    const char *password);
ALOOP_API int64_t aloop_tls_context_load_cert_chain_memory(aloop_tls_context *context,
                                                           const char *cert_pem,
                                                           const char *key_pem,
                                                           const char *password);

/* Whether the peer must have a certificate that verifies: ALOOP_TLS_VERIFY_. */
ALOOP_API int64_t aloop_tls_context_set_verify_mode(aloop_tls_context *context, int32_t mode);
/* Of clients: whether it must be for the server's name; default 1. */
ALOOP_API int64_t aloop_tls_context_set_check_hostname(aloop_tls_context *context, int32_t check);
/* The protocols spoken over TLS, the preferred first: "h2,http/1.1". A server
 * that shares none with a client that offers some refuses it. NULL: none. */
ALOOP_API int64_t aloop_tls_context_set_alpn(aloop_tls_context *context, const char *protocols);
/* ALOOP_TLS_1_0 to ALOOP_TLS_1_3; 0: whatever OpenSSL can. */
ALOOP_API int64_t aloop_tls_context_set_min_version(aloop_tls_context *context, int32_t version);
ALOOP_API int64_t aloop_tls_context_set_max_version(aloop_tls_context *context, int32_t version);
/* In OpenSSL's words: a cipher list for TLS 1.2 and older, or names of TLS 1.3
 * suites ("TLS_AES_128_GCM_SHA256"), separated by colons. */
ALOOP_API int64_t aloop_tls_context_set_ciphers(aloop_tls_context *context, const char *ciphers);
ALOOP_API int64_t aloop_tls_context_set_ciphersuites(aloop_tls_context *context,
                                                     const char *suites);
/* Of servers: clients that ask for this name (SNI) get the certificate and the
 * settings of other, which is shared; a session is resumed only under the name
 * it began with. "*.example.org" is every name one level below. ALOOP_EINVAL if
 * other has names of its own, or is a client's. */
ALOOP_API int64_t aloop_tls_context_add_name(aloop_tls_context *context, const char *name,
                                             aloop_tls_context *other);
/* Of clients: remembers the sessions of so many servers and resumes them, which
 * saves a round trip and the certificates; default 0. */
ALOOP_API int64_t aloop_tls_context_set_session_cache(aloop_tls_context *context, int32_t servers);
/* Appends the secrets of each connection to a file, for Wireshark: whoever reads
 * it reads the connections. NULL: no more. */
ALOOP_API int64_t aloop_tls_context_set_keylog_file(aloop_tls_context *context, const char *path);

/* Options of connections and servers (stream.h) -------------------------------------------
 *
 * Setters return 0, or ALOOP_EINVAL for NULL or a value out of range. */

/* Shared: the context of open_connection (a client's) and start_server (a
 * server's). NULL: no TLS. A server's handler runs after the handshake; a
 * handshake that fails is reported to the exception handler, others go on. */
ALOOP_API int64_t aloop_stream_options_set_tls(aloop_stream_options *options,
                                               aloop_tls_context *context);
/* Of clients: the name that the certificate must be for, and that is sent to the
 * server; default: the host. Over Unix sockets there is no default. */
ALOOP_API int64_t aloop_stream_options_set_server_hostname(aloop_stream_options *options,
                                                           const char *name);
/* Seconds, above 0; default 60. A handshake that takes longer fails with
 * ALOOP_ECONNABORTED. */
ALOOP_API int64_t aloop_stream_options_set_tls_handshake_timeout(aloop_stream_options *options,
                                                                 double seconds);
/* Seconds; default 30. How long close waits until all is sent and the peer's
 * close_notify has come; then the stream ends with ALOOP_ETIMEDOUT. 0: once all
 * is sent it does not wait for the peer, whose later data then meet a reset. */
ALOOP_API int64_t aloop_stream_options_set_tls_shutdown_timeout(aloop_stream_options *options,
                                                                double seconds);
/* A session of an earlier connection to the same server, to be resumed; what
 * does not fit any more is ignored. It must come from a context that trusts the
 * same authorities: the server shows its certificate no second time, and a
 * session does not tell who verified it. (Python takes none of another context.) */
ALOOP_API int64_t aloop_stream_options_set_tls_session(aloop_stream_options *options,
                                                       const aloop_bytes *session);

/* Streams ----------------------------------------------------------------------------------- */

/* Upgrades a connection in place: an operation that drains, then shakes hands
 * as the context's side; 0. What was received and not read yet, and all that
 * comes from then on, belongs to the handshake: reads fail with ALOOP_EBUSY
 * meanwhile, and a protocol is told of nothing; both go on if no handshake
 * begins. Where one does, reading is no longer paused. Of options (may be
 * NULL) those above count; a client's context that checks names needs a
 * server_hostname. Fails with ALOOP_ETLSCERT (the certificate does not
 * verify), ALOOP_ETLS, ALOOP_ECONNRESET (the peer closed in mid-handshake),
 * ALOOP_ECONNABORTED (the time is up), each with a text that says why;
 * ALOOP_EBUSY while somebody reads or a file is sent, ALOOP_EINVALIDSTATE
 * after write_eof, ALOOP_EINVAL for bad arguments. A failure after the
 * beginning, or a cancellation, ends the connection.
 * asyncio.StreamWriter.start_tls. */
ALOOP_API aloop_future *aloop_stream_start_tls(aloop_stream *stream, aloop_tls_context *context,
                                               const aloop_stream_options *options);

/* aloop_stream_get_extra_info knows these names on a stream with TLS, until it is
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

/* The peer's certificate in DER, as a reference in *der; ALOOP_ENOENT. */
ALOOP_API int64_t aloop_stream_get_peer_certificate(aloop_stream *stream, aloop_bytes **der);
/* The session, for aloop_stream_options_set_tls_session: a secret. With TLS 1.3
 * it comes after the handshake, with the first data. ALOOP_ENOENT. */
ALOOP_API int64_t aloop_stream_get_tls_session(aloop_stream *stream, aloop_bytes **session);

#ifdef __cplusplus
}
#endif

#endif
