/*
 * A peer with TLS, for others to talk to.
 *
 *     tls_peer echo|http|smtp CERT KEY [CA]     a server on a port that it prints; with
 *                                               CA clients must show a certificate
 *     tls_peer client HOST PORT CA [CERT KEY]   sends its input, prints the answer
 *
 * echo sends back what comes. http answers GET: / with a greeting, else with three
 * megabytes. smtp speaks as much of it as STARTTLS needs, then echoes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIG 3000000

static char big[BIG];
static aloop_tls_context *upgrade_with; /* of the smtp server */

static int64_t echo(aloop_stream *client, void *unused) {
    (void)unused;
    int64_t rc = 1;
    while (rc > 0) {
        aloop_bytes *some = NULL;
        rc = aloop_await(aloop_stream_read(client, 65536), (void **)&some);
        if (rc > 0) aloop_stream_write(client, aloop_bytes_data(some), (size_t)rc);
        aloop_bytes_unref(some);
        if (rc > 0 && aloop_await(aloop_stream_drain(client), NULL) < 0) return 0;
    }
    return rc;
}

static int64_t answer(aloop_stream *client, void *unused) {
    (void)unused;
    for (;;) {
        aloop_bytes *request = NULL;
        const int64_t rc = aloop_await(aloop_stream_readuntil(client, "\r\n\r\n", 4),
                                       (void **)&request);
        if (rc < 0) return rc == ALOOP_EINCOMPLETEREAD ? 0 : rc;
        const int small = strncmp((const char *)aloop_bytes_data(request), "GET / ", 6) == 0;
        aloop_bytes_unref(request);
        char head[128];
        const size_t size = small ? 6 : BIG;
        const int n = snprintf(head, sizeof head,
                               "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
        const aloop_buf parts[2] = {{head, (size_t)n}, {small ? "hello\n" : big, size}};
        aloop_stream_writelines(client, parts, 2);
        const int64_t drained = aloop_await(aloop_stream_drain(client), NULL);
        if (drained < 0) return drained;
    }
}

static int64_t say(aloop_stream *client, const char *line) {
    aloop_stream_write(client, line, strlen(line));
    aloop_bytes *answered = NULL;
    const int64_t rc = aloop_await(aloop_stream_readline(client), (void **)&answered);
    aloop_bytes_unref(answered);
    return rc;
}

static int64_t speak_smtp(aloop_stream *client, void *unused) {
    int64_t rc = say(client, "220 localhost ESMTP\r\n");
    if (rc > 0) rc = say(client, "250-localhost\r\n250 STARTTLS\r\n");
    if (rc <= 0) return rc;
    aloop_stream_write(client, "220 go on\r\n", 11);
    rc = aloop_await(aloop_stream_start_tls(client, upgrade_with, NULL), NULL);
    return rc < 0 ? rc : echo(client, unused);
}

static int64_t serve(char **arguments, int n) {
    aloop_tls_context *tls = NULL;
    int64_t rc = aloop_tls_context_new_server(&tls);
    if (rc == 0) rc = aloop_tls_context_load_cert_chain(tls, arguments[1], arguments[2], NULL);
    if (rc == 0) rc = aloop_tls_context_set_alpn(tls, "http/1.1,echo");
    if (rc == 0 && n > 3) {
        rc = aloop_tls_context_load_verify(tls, arguments[3], NULL);
        if (rc == 0) rc = aloop_tls_context_set_verify_mode(tls, ALOOP_TLS_VERIFY_REQUIRED);
    }
    const int plain = strcmp(arguments[0], "smtp") == 0;
    const aloop_client_fn handler =
        plain ? speak_smtp : strcmp(arguments[0], "http") == 0 ? answer : echo;
    upgrade_with = tls;
    aloop_stream_options *options = aloop_stream_options_new();
    if (rc == 0 && !plain) rc = aloop_stream_options_set_tls(options, tls);
    aloop_server *server = NULL;
    if (rc == 0) {
        rc = aloop_await(aloop_start_server(handler, NULL, "127.0.0.1", 0, options),
                         (void **)&server);
    }
    aloop_unref(options);
    if (rc == 0) {
        printf("port:%d\n", (int)aloop_server_port(server, 0));
        fflush(stdout);
        rc = aloop_await(aloop_server_serve_forever(server), NULL);
    }
    aloop_unref(server);
    aloop_unref(tls);
    return rc;
}

static int64_t exchange(aloop_stream *s) {
    static char input[1 << 20];
    const size_t n = fread(input, 1, sizeof input, stdin);
    aloop_stream_write(s, input, n);
    char version[32] = "";
    aloop_stream_get_extra_info(s, "tls_version", version, sizeof version);
    fprintf(stderr, "%s\n", version);
    int64_t left = (int64_t)n, rc = 0;
    while (left > 0) {
        aloop_bytes *some = NULL;
        rc = aloop_await(aloop_stream_read(s, 65536), (void **)&some);
        if (rc > 0) fwrite(aloop_bytes_data(some), 1, (size_t)rc, stdout);
        aloop_bytes_unref(some);
        if (rc <= 0) return rc;
        left -= rc;
    }
    aloop_stream_close(s);
    return aloop_await(aloop_stream_wait_closed(s), NULL);
}

static int64_t connect_to(char **arguments, int n) {
    aloop_tls_context *tls = NULL;
    int64_t rc = aloop_tls_context_new_client(&tls);
    if (rc == 0) rc = aloop_tls_context_load_verify(tls, arguments[3], NULL);
    if (rc == 0 && n > 5) {
        rc = aloop_tls_context_load_cert_chain(tls, arguments[4], arguments[5], NULL);
    }
    aloop_stream_options *options = aloop_stream_options_new();
    if (rc == 0) rc = aloop_stream_options_set_tls(options, tls);
    if (rc == 0) rc = aloop_stream_options_set_server_hostname(options, arguments[1]);
    aloop_stream *s = NULL;
    if (rc == 0) {
        rc = aloop_await(aloop_open_connection("127.0.0.1", atoi(arguments[2]), options),
                         (void **)&s);
    }
    aloop_unref(options);
    aloop_unref(tls);
    if (rc == 0) rc = exchange(s);
    aloop_unref(s);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)value;
    char **arguments = arg;
    int n = 0;
    while (arguments[n] != NULL) n++;
    const int is_client = n >= 4 && strcmp(arguments[0], "client") == 0;
    const int64_t rc = is_client ? connect_to(arguments, n) : n >= 3 ? serve(arguments, n) : -22;
    if (rc < 0 && rc != ALOOP_ECANCELED) {
        const aloop_error *error = aloop_last_error();
        fprintf(stderr, "%s: %s\n", aloop_errname(rc), aloop_error_message(error));
    }
    return rc;
}

int main(int argc, char **argv) {
    (void)argc;
    for (int i = 0; i < BIG; i++) big[i] = (char)(i * 7 % 251);
    const int64_t rc = aloop_run(run, argv + 1, NULL);
    return rc < 0 && rc != ALOOP_ECANCELED;
}
