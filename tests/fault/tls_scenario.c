/* SPDX-License-Identifier: MIT */
#include "tls_scenario.h"

#include <string.h>

#include "../../docs/examples/certificate.h"

#define LIMIT 2.0
#define MUCH 200000

static struct certificate own;
static char much[MUCH];

void prepare_tls(void) {
    own = make_certificate(
        (struct certificate_wish){.name = "localhost", .for_names = "DNS:localhost"}, NULL);
}

void clean_up_tls(void) { drop_certificate(&own); }

static int64_t limited(aloop_future *future, void *value) {
    return aloop_await(aloop_wait_for(future, LIMIT), (void **)value);
}

static int64_t make_contexts(aloop_tls_context **client, aloop_tls_context **server) {
    int64_t rc = aloop_tls_context_new_client(client);
    if (rc == 0) rc = aloop_tls_context_load_verify_memory(*client, own.cert);
    if (rc == 0) rc = aloop_tls_context_set_alpn(*client, "echo");
    if (rc == 0) rc = aloop_tls_context_set_session_cache(*client, 2);
    if (rc == 0) rc = aloop_tls_context_new_server(server);
    if (rc == 0) rc = aloop_tls_context_load_cert_chain_memory(*server, own.cert, own.key, NULL);
    return rc == 0 ? aloop_tls_context_set_alpn(*server, "echo") : rc;
}

static aloop_stream_options *options_with(aloop_tls_context *context) {
    aloop_stream_options *options = aloop_stream_options_new();
    if (options == NULL) return NULL;
    int64_t rc = aloop_stream_options_set_tls(options, context);
    if (rc == 0) rc = aloop_stream_options_set_tls_shutdown_timeout(options, LIMIT / 2);
    if (rc == 0) return options;
    aloop_unref(options);
    return NULL;
}

static int64_t echo(aloop_stream *client, void *unused) {
    (void)unused;
    int64_t rc = 1;
    while (rc > 0) {
        aloop_bytes *some = NULL;
        rc = limited(aloop_stream_read(client, 65536), &some);
        if (rc > 0) aloop_stream_write(client, aloop_bytes_data(some), (size_t)rc);
        aloop_bytes_unref(some);
        if (rc > 0 && limited(aloop_stream_drain(client), NULL) < 0) return 0;
    }
    return 0;
}

static int64_t converse(aloop_stream *s) {
    int64_t rc = aloop_stream_write(s, "hello\n", 6);
    if (rc >= 0) rc = limited(aloop_stream_drain(s), NULL);
    aloop_bytes *bytes = NULL;
    if (rc >= 0) rc = limited(aloop_stream_readline(s), &bytes);
    aloop_bytes_unref(bytes);
    bytes = NULL;
    const aloop_buf parts[2] = {{much, 10}, {much + 10, MUCH - 10}};
    if (rc >= 0) rc = aloop_stream_writelines(s, parts, 2);
    if (rc >= 0) rc = limited(aloop_stream_readexactly(s, MUCH), &bytes);
    aloop_bytes_unref(bytes);
    return rc;
}

static int64_t visit(aloop_server *server, aloop_stream_options *options) {
    aloop_stream *s = NULL;
    int64_t rc = aloop_stream_options_set_server_hostname(options, "localhost");
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    if (rc == 0) rc = limited(aloop_open_connection("127.0.0.1", port, options), &s);
    if (rc < 0) return rc;
    rc = converse(s);
    aloop_stream_close(s);
    const int64_t closed = limited(aloop_stream_wait_closed(s), NULL);
    aloop_unref(s);
    return rc < 0 ? rc : closed;
}

static int64_t with_server(aloop_stream_options *client, aloop_stream_options *server_side) {
    if (client == NULL || server_side == NULL) return ALOOP_ENOMEM;
    aloop_server *server = NULL;
    int64_t rc = limited(aloop_start_server(echo, NULL, "127.0.0.1", 0, server_side), &server);
    if (rc < 0) return rc;
    rc = visit(server, client);
    if (rc >= 0) rc = visit(server, client); /* once more, resumed */
    aloop_server_close(server);
    aloop_server_abort_clients(server);
    limited(aloop_server_wait_closed(server), NULL);
    aloop_unref(server);
    return rc;
}

int64_t talk_over_tls(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_tls_context *client = NULL, *server = NULL;
    int64_t rc = make_contexts(&client, &server);
    if (rc == 0) {
        aloop_stream_options *of_client = options_with(client);
        aloop_stream_options *of_server = options_with(server);
        rc = with_server(of_client, of_server);
        aloop_unref(of_client);
        aloop_unref(of_server);
    }
    aloop_unref(client);
    aloop_unref(server);
    return rc < 0 ? rc : 0;
}
