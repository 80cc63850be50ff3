/*
 * Checks web sites, all at once: for each URL the status line that the server
 * answers with, or what went wrong, in the order given. It takes as long as the
 * slowest of them, not as long as all together.
 *
 *     status_checker [-t SECONDS] http://example.org https://example.net/page ...
 *
 * Without URLs it starts servers of its own, good ones and bad ones, and checks
 * those; their certificates it makes itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "certificate.h"

#define NOT_A_URL (ALOOP_EUSER - 1)
#define NOT_HTTP (ALOOP_EUSER - 2)

struct site {
    char url[512];
    char host[256];
    int port;
    int secure;
    char path[256];
};

static double timeout = 1.5;   /* seconds, for each check */
static aloop_tls_context *tls; /* whom https trusts */

static struct {
    int done, total;
    double started;
} progress;

static double now(void) { return aloop_loop_time(aloop_get_running_loop()); }

/* Checking ----------------------------------------------------------------------------- */

/* http[s]://host[:port][/path] */
static int64_t parse_url(struct site *site) {
    strcpy(site->path, "/");
    const char *rest = site->url;
    site->secure = strncmp(rest, "https://", 8) == 0;
    site->port = site->secure ? 443 : 80;
    if (!site->secure && strncmp(rest, "http://", 7) != 0) {
        return aloop_raise(NOT_A_URL, "not a URL that begins with http:// or https://");
    }
    rest = strstr(rest, "://") + 3;
    const size_t length = strcspn(rest, ":/");
    if (length == 0 || length >= sizeof site->host) return aloop_raise(NOT_A_URL, "no host");
    snprintf(site->host, sizeof site->host, "%.*s", (int)length, rest);
    rest += length;
    if (*rest == ':') site->port = (int)strtol(rest + 1, (char **)&rest, 10);
    if (*rest != '\0') snprintf(site->path, sizeof site->path, "%s", rest);
    return 0;
}

/* Asks for the page; the value is the first line of the answer. */
static int64_t ask(aloop_stream *stream, const struct site *site) {
    char request[1024];
    const int length = snprintf(request, sizeof request,
                                "HEAD %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                                site->path, site->host);
    aloop_stream_write(stream, request, (size_t)length);
    int64_t rc = aloop_await(aloop_stream_drain(stream), NULL);
    if (rc < 0) return rc;

    aloop_bytes *line = NULL;
    rc = aloop_await(aloop_stream_readline(stream), (void **)&line);
    if (rc < 0) return rc;
    const char *text = (const char *)aloop_bytes_data(line);
    if (strncmp(text, "HTTP/", 5) != 0) {
        rc = rc == 0 ? aloop_raise(NOT_HTTP, "closed the connection without an answer")
                     : aloop_raise(NOT_HTTP, "not HTTP: %.*s", (int)strcspn(text, "\r\n"), text);
        aloop_bytes_unref(line);
        return rc;
    }
    return aloop_return(rc, line, aloop_unref);
}

/* Over https the certificate is verified, and that it is for this host. */
static aloop_future *open_site(const struct site *site) {
    aloop_stream_options *options = aloop_stream_options_new();
    if (site->secure) aloop_stream_options_set_tls(options, tls);
    aloop_future *opening = aloop_open_connection(site->host, site->port, options);
    aloop_unref(options);
    return opening;
}

static int64_t get_status(void *arg, void **value) {
    (void)value;
    struct site *site = arg;
    int64_t rc = parse_url(site);
    if (rc < 0) return rc;

    aloop_stream *stream = NULL;
    rc = aloop_await(open_site(site), (void **)&stream);
    if (rc < 0) return rc;
    rc = ask(stream, site);
    aloop_stream_close(stream);
    aloop_unref(stream);
    return rc;
}

/* One site under its timeout; says so when it is done. */
static int64_t check(void *arg, void **value) {
    (void)value;
    struct site *site = arg;
    aloop_bytes *line = NULL;
    const int64_t rc = aloop_await(
        aloop_wait_for(aloop_create_task(get_status, site), timeout), (void **)&line);
    fprintf(stderr, "[%d/%d] %.2f s  %s\n", ++progress.done, progress.total,
            now() - progress.started, site->url);
    if (rc == ALOOP_ETIMEDOUT) return aloop_raise(rc, "no answer within %.1f seconds", timeout);
    return rc < 0 ? rc : aloop_return(rc, line, aloop_unref);
}

static void print(const struct site *site, aloop_results *results, int i) {
    const aloop_error *error = aloop_results_error(results, i);
    if (error != NULL) {
        printf("%s: %s\n", site->url, aloop_error_message(error));
    } else {
        const char *line = (const char *)aloop_bytes_data(aloop_results_value(results, i));
        printf("%s: %.*s\n", site->url, (int)strcspn(line, "\r\n"), line);
    }
}

static int64_t check_all(struct site *sites, int n) {
    aloop_future **checks = malloc(sizeof *checks * (size_t)n);
    if (checks == NULL) return ALOOP_ENOMEM;
    progress.total = n;
    progress.started = now();
    for (int i = 0; i < n; i++) checks[i] = aloop_create_task(check, &sites[i]);

    aloop_results *results = NULL;
    const int64_t rc = aloop_await(aloop_gather(checks, n, ALOOP_RETURN_EXCEPTIONS),
                                   (void **)&results);
    free(checks);
    if (rc < 0) return rc;
    for (int i = 0; i < n; i++) print(&sites[i], results, i);
    printf("%d sites checked in %.2f seconds\n", n, now() - progress.started);
    aloop_unref(results);
    return 0;
}

/* Servers to check -------------------------------------------------------------------------- */

enum manner { ANSWERS, GREETS, STAYS_SILENT, RESETS, IS_NOT_THERE };
enum security { PLAIN, TRUSTED, EXPIRED, SELF_SIGNED, UNKNOWN_AUTHORITY, OTHER_NAME, NO_TLS };

static const struct demo {
    const char *path;
    enum manner manner;
    double delay; /* seconds before it answers */
    const char *answer;
    enum security security; /* other than PLAIN: https */
} demos[] = {
    {"/fast", ANSWERS, 0.0, "HTTP/1.1 200 OK\r\n\r\n", PLAIN},
    {"/slower", ANSWERS, 0.3, "HTTP/1.1 200 OK\r\n\r\n", PLAIN},
    {"/slow", ANSWERS, 0.9, "HTTP/1.1 200 OK\r\n\r\n", PLAIN},
    {"/no-such-page", ANSWERS, 0.1, "HTTP/1.1 404 Not Found\r\n\r\n", PLAIN},
    {"/broken", ANSWERS, 0.2, "HTTP/1.1 500 Internal Server Error\r\n\r\n", PLAIN},
    {"/silent", STAYS_SILENT, 0, NULL, PLAIN},
    {"/resets", RESETS, 0.1, NULL, PLAIN},
    {"/mail", ANSWERS, 0.1, "220 mail.example.org ESMTP ready\r\n", PLAIN},
    {"/nobody-there", IS_NOT_THERE, 0, NULL, PLAIN},
    {"/secure", ANSWERS, 0.2, "HTTP/1.1 200 OK\r\n\r\n", TRUSTED},
    {"/secure-and-silent", STAYS_SILENT, 0, NULL, TRUSTED},
    {"/expired", ANSWERS, 0, "", EXPIRED},
    {"/self-signed", ANSWERS, 0, "", SELF_SIGNED},
    {"/unknown-authority", ANSWERS, 0, "", UNKNOWN_AUTHORITY},
    {"/other-name", ANSWERS, 0, "", OTHER_NAME},
    {"/not-secure", GREETS, 0, "220 mail.example.org ESMTP ready\r\n", NO_TLS},
};
#define DEMOS ((int)(sizeof demos / sizeof demos[0]))

/* Runs as a task of its own for each connection. */
static int64_t serve(aloop_stream *client, void *data) {
    const struct demo *demo = data;
    if (demo->manner == GREETS) {
        aloop_stream_write(client, demo->answer, strlen(demo->answer));
        return aloop_await(aloop_stream_read(client, -1), NULL);
    }
    int64_t rc = aloop_await(aloop_stream_readuntil(client, "\r\n\r\n", 4), NULL);
    if (rc < 0) return rc;
    rc = aloop_await(aloop_sleep(demo->delay), NULL);
    if (rc < 0) return rc;

    if (demo->manner == STAYS_SILENT) {
        return aloop_await(aloop_stream_read(client, -1), NULL); /* until the client gives up */
    }
    if (demo->manner == RESETS) {
        const struct linger none = {.l_onoff = 1, .l_linger = 0};
        const int fd = (int)aloop_stream_get_extra_info(client, "fd", NULL, 0);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        return aloop_stream_abort(client);
    }
    aloop_stream_write(client, demo->answer, strlen(demo->answer));
    return aloop_await(aloop_stream_drain(client), NULL);
}

/* A certificate as the demo has it, signed by ours, by another authority or by itself. */
static struct certificate certificate_for(const struct demo *demo, const struct certificate *ours) {
    struct certificate_wish wish = {.name = "127.0.0.1", .for_names = "IP:127.0.0.1"};
    if (demo->security == EXPIRED) wish.from_days = -30, wish.to_days = -1;
    if (demo->security == OTHER_NAME) wish.for_names = "DNS:www.example.org";
    if (demo->security == SELF_SIGNED) return make_certificate(wish, NULL);
    if (demo->security != UNKNOWN_AUTHORITY) return make_certificate(wish, ours);
    struct certificate other = make_certificate((struct certificate_wish){.name = "Others"}, NULL);
    struct certificate made = make_certificate(wish, &other);
    drop_certificate(&other);
    return made;
}

/* Whether the demo's server speaks TLS; then options say how. */
static int64_t secure(aloop_stream_options *options, const struct demo *demo,
                      const struct certificate *ours) {
    if (demo->security == PLAIN || demo->security == NO_TLS) return 0;
    struct certificate own = certificate_for(demo, ours);
    aloop_tls_context *context = NULL;
    int64_t rc = aloop_tls_context_new_server(&context);
    if (rc == 0) rc = aloop_tls_context_load_cert_chain_memory(context, own.cert, own.key, NULL);
    if (rc == 0) rc = aloop_stream_options_set_tls(options, context);
    aloop_unref(context);
    drop_certificate(&own);
    return rc;
}

/* Starts the server of a demo and makes its URL. */
static int64_t start_demo(const struct demo *demo, const struct certificate *ours,
                          aloop_server **server, struct site *site) {
    aloop_stream_options *options = aloop_stream_options_new();
    int64_t rc = secure(options, demo, ours);
    if (demo->manner == IS_NOT_THERE) {
        aloop_stream_options_set_start_serving(options, 0); /* it keeps the port from others */
    }
    if (rc == 0) {
        rc = aloop_await(aloop_start_server(serve, (void *)demo, "127.0.0.1", 0, options),
                         (void **)server);
    }
    aloop_unref(options);
    if (rc < 0) return rc;
    snprintf(site->url, sizeof site->url, "http%s://127.0.0.1:%d%s",
             demo->security == PLAIN ? "" : "s", (int)aloop_server_port(*server, 0), demo->path);
    return 0;
}

static int64_t start_demos(aloop_server **servers, struct site *sites) {
    struct certificate ours = make_certificate((struct certificate_wish){.name = "Demo"}, NULL);
    int64_t rc = aloop_tls_context_load_verify_memory(tls, ours.cert);
    for (int i = 0; i < DEMOS && rc >= 0; i++) {
        rc = start_demo(&demos[i], &ours, &servers[i], &sites[i]);
    }
    drop_certificate(&ours);
    return rc;
}

/* That clients do not like our certificates is what they are for. */
static void ignore_handshakes(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)data;
    if (strcmp(aloop_exception_context_message(context), "SSL handshake failed") == 0) return;
    aloop_loop_default_exception_handler(loop, context);
}

static int64_t check_demos(void) {
    static struct site sites[DEMOS];
    aloop_server *servers[DEMOS] = {NULL};
    aloop_loop_set_exception_handler(aloop_get_running_loop(), ignore_handshakes, NULL, NULL);
    int64_t rc = start_demos(servers, sites);
    if (rc >= 0) rc = check_all(sites, DEMOS);
    for (int i = 0; i < DEMOS; i++) {
        if (servers[i] == NULL) continue;
        aloop_server_close(servers[i]);
        aloop_await(aloop_server_wait_closed(servers[i]), NULL);
        aloop_unref(servers[i]);
    }
    return rc;
}

/* The program -------------------------------------------------------------------------------- */

static int64_t check_urls(char **urls, int n) {
    struct site *sites = calloc((size_t)n, sizeof *sites);
    if (sites == NULL) return ALOOP_ENOMEM;
    for (int i = 0; i < n; i++) snprintf(sites[i].url, sizeof sites[i].url, "%s", urls[i]);
    const int64_t rc = check_all(sites, n);
    free(sites);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)value;
    char **urls = arg;
    int n = 0;
    while (urls[n] != NULL) n++;
    int64_t rc = aloop_tls_context_new_client(&tls); /* trusts whom the system trusts */
    if (rc == 0) rc = n == 0 ? check_demos() : check_urls(urls, n);
    aloop_unref(tls);
    return rc;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        timeout = atof(argv[2]);
        argv += 2;
    }
    return aloop_main(run, argv + 1);
}
