// The load generator of `echo`, `accept` and `memory`: one thread, epoll, and a clock read a
// request. It speaks with the runner: says "ready" when the connections stand and are warm, and
// begins at the next line on its standard input; so that the runner can look at the server before
// and after.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include "../common/net.h"
#include "../common/tls.h"

enum { k_buckets = 1 << 20, k_bucket_ns = 250 };  // latencies up to 262 ms, in steps of 250 ns
enum { k_hangs_ms = 60000 };  // no machine is so slow

typedef struct {
    int fd;
    SSL *ssl;
    size_t to_send, to_receive;
    uint64_t sent_at;
} connection;

static int epoll_fd;
static size_t message, in_flight, requests;
static uint32_t latency[k_buckets];
static char request[1 << 20], reply[1 << 20];
static struct sockaddr_in server = {.sin_family = AF_INET};

static int connect_server(int flags) {
    int fd = must_ok(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    no_delay(fd);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        must_ok(-1);
    return fd;
}

static void ready_and_wait(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
}

static void die(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

// Sends what the socket takes; true when nothing is left.
static int put(connection *c) {
    ssize_t n;
    if (c->ssl) {
        n = SSL_write(c->ssl, request, (int)c->to_send);
        if (n <= 0) errno = tls_would_block(c->ssl, (int)n) ? EAGAIN : EPIPE;
    } else {
        n = write(c->fd, request, c->to_send);
    }
    if (n <= 0 && errno != EAGAIN) die("the server closed a connection");
    if (n > 0) c->to_send -= (size_t)n;
    return c->to_send == 0;
}

static ssize_t get(connection *c) {
    if (!c->ssl) return read(c->fd, reply, c->to_receive);
    int n = SSL_read(c->ssl, reply, (int)c->to_receive);
    if (n <= 0) errno = tls_would_block(c->ssl, n) ? EAGAIN : EPIPE;
    return n;
}

static void begin(connection *c, uint64_t now) {
    c->to_send = c->to_receive = message;
    c->sent_at = now;
    in_flight++;
}

// Moves a connection on until the socket has nothing more for it. A reply that is complete begins
// the next request, before `end`.
static void advance(connection *c, uint64_t end) {
    while (c->to_receive > 0) {
        if (c->to_send > 0) put(c);
        ssize_t n = get(c);
        if (n == 0 || (n < 0 && errno != EAGAIN)) die("the server closed a connection");
        if (n < 0) return;
        c->to_receive -= (size_t)n;
        if (c->to_receive > 0) continue;
        uint64_t now = now_ns(), bucket = (now - c->sent_at) / k_bucket_ns;
        latency[bucket < k_buckets ? bucket : k_buckets - 1]++;
        requests++;
        in_flight--;
        if (now < end) begin(c, now);
        // The reply cannot be there yet: send, and leave the reading to the next event.
        if (c->to_send > 0 && put(c)) return;
    }
}

static double run(connection *all, size_t n, double seconds) {
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    requests = 0;
    memset(latency, 0, sizeof latency);
    for (size_t i = 0; i < n; i++) {
        begin(&all[i], now_ns());
        advance(&all[i], end);
    }
    while (in_flight > 0) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, k_hangs_ms);
        if (count == 0) die("no answer for a minute");
        for (int i = 0; i < count; i++) advance(events[i].data.ptr, end);
    }
    return (double)requests * 1e9 / (double)(now_ns() - start);
}

static double percentile_us(double share) {
    double wanted = share * (double)requests, seen = 0;
    size_t bucket = 0;
    while (bucket < k_buckets - 1 && (seen += latency[bucket]) < wanted) bucket++;
    return ((double)bucket + 0.5) * k_bucket_ns / 1000;
}

// Every server is to compute the same, so the client leaves no choice of cipher.
static SSL_CTX *client_tls(void) {
    SSL_CTX *tls = must(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static void open_connection(connection *c, SSL_CTX *tls) {
    c->fd = connect_server(0);
    if (tls) {
        c->ssl = must(SSL_new(tls));
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1) die("the TLS handshake failed");
    }
    must_ok(fcntl(c->fd, F_SETFL, O_NONBLOCK));
    struct epoll_event both = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    must_ok(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &both));
}

static void echo(size_t n, double seconds, SSL_CTX *tls) {
    connection *all = must(calloc(n, sizeof *all));
    for (size_t i = 0; i < n; i++) open_connection(&all[i], tls);
    run(all, n, 0.2);
    ready_and_wait();
    double rate = run(all, n, seconds);
    printf("{\"requests\": %zu, \"rate\": %.6g, \"p50_us\": %.6g, \"p99_us\": %.6g}\n", requests,
           rate, percentile_us(0.5), percentile_us(0.99));
    ready_and_wait();
}

// Keeps 32 connections under way; the server closes each at once, and the client answers with a
// reset, so that neither side is left with a port in TIME_WAIT.
static void accept_rate(double seconds) {
    const struct linger reset = {1, 0};
    size_t closed = 0;
    for (intptr_t i = 0, fd; i < 32; i++) {
        fd = connect_server(SOCK_NONBLOCK);
        must_ok(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, (int)fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.fd = (int)fd}));
    }
    ready_and_wait();
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    do {
        struct epoll_event events[32];
        int count = epoll_wait(epoll_fd, events, 32, k_hangs_ms);
        if (count == 0) die("no connection closed for a minute");
        for (int i = 0; i < count; i++, closed++) {
            int fd = events[i].data.fd;
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(fd);
            fd = connect_server(SOCK_NONBLOCK);
            must_ok(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd,
                              &(struct epoll_event){.events = EPOLLIN, .data.fd = fd}));
        }
    } while (now_ns() < end);
    printf("{\"requests\": %zu, \"rate\": %.6g}\n", closed,
           (double)closed * 1e9 / (double)(now_ns() - start));
    ready_and_wait();
}

// A first hundred connections load what a server loads once; then the others, one request each, and
// silence.
static void idle(size_t n) {
    for (size_t i = 0; i < n + 100; i++) {
        if (i == 100) ready_and_wait();
        int fd = connect_server(0);
        if (write(fd, request, 64) != 64 || recv(fd, reply, 64, MSG_WAITALL) != 64) die("no echo");
    }
    ready_and_wait();
}

int main(int argc, char **argv) {
    const char *mode = argc > 3 ? argv[1] : "";
    server.sin_port = htons((uint16_t)atoi(argc > 2 ? argv[2] : "0"));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = must_ok(epoll_create1(EPOLL_CLOEXEC));
    if (!strcmp(mode, "accept") && argc == 4) {
        accept_rate(atof(argv[3]));
    } else if (!strcmp(mode, "idle") && argc == 4) {
        idle(strtoul(argv[3], NULL, 10));
    } else if ((!strcmp(mode, "echo") || !strcmp(mode, "tls")) && argc == 6) {
        message = strtoul(argv[4], NULL, 10);
        if (message > sizeof reply) die("BYTES is at most 1048576");
        echo(strtoul(argv[3], NULL, 10), atof(argv[5]), strcmp(mode, "tls") ? NULL : client_tls());
    } else {
        die("usage: load echo|tls PORT CONNECTIONS BYTES SECONDS | load accept PORT SECONDS | load "
            "idle PORT CONNECTIONS");
    }
}
