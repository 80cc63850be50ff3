/*
 * A web server for the files of a folder: HTTP/1.1 with connections that are kept,
 * GET, HEAD and POST (which is answered with what was posted), files sent by the
 * kernel, 1,000 connections at a time; Ctrl-C lets those under way finish.
 *
 *     http_server FOLDER [PORT]    8080 by default; 0: any free one
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

struct request {
    char method[8];
    char path[512];
    int64_t length; /* of the body */
    int keep;
};

/* Reads up to the empty line. 0, or the status to answer with, or an error. */
static int64_t read_head(aloop_stream *client, struct request *request) {
    aloop_bytes *head = NULL;
    const int64_t rc =
        aloop_await(aloop_wait_for(aloop_stream_readuntil(client, "\r\n\r\n", 4), 30),
                    (void **)&head);
    if (rc == ALOOP_ELIMITOVERRUN) return 431;
    if (rc < 0) return rc;
    char version = '1';
    const char *text = (const char *)aloop_bytes_data(head);
    const int found = sscanf(text, "%7s %511s HTTP/1.%c", request->method, request->path, &version);
    request->keep = version != '0';
    request->length = 0;
    for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, "content-length:", 15) == 0) request->length = atoll(line + 16);
        if (strncasecmp(line + 1, "connection: close", 17) == 0) request->keep = 0;
        if (strncasecmp(line + 1, "connection: keep-alive", 22) == 0) request->keep = 1;
    }
    aloop_bytes_unref(head);
    if (found != 3 || request->length < 0 || request->length > 1 << 20) return 400;
    return 0;
}

static void write_head(aloop_stream *client, const char *status, int64_t length, int keep) {
    char head[256];
    const int n = snprintf(head, sizeof head,
                           "HTTP/1.1 %s\r\nContent-Length: %lld\r\nConnection: %s\r\n\r\n", status,
                           (long long)length, keep ? "keep-alive" : "close");
    aloop_stream_write(client, head, (size_t)n);
}

static int64_t refuse(aloop_stream *client, const char *status, int keep) {
    write_head(client, status, 0, keep);
    return AWAIT(aloop_stream_drain(client));
}

/* The answer is the last, and the client may still be sending: closed on what nobody has read,
 * the connection would be reset, and the answer lost. So that is read, within limits. */
static void hear_out(aloop_stream *client) {
    char scraps[4096];
    aloop_stream_write_eof(client);
    for (int64_t left = 1 << 20, n = 1; n > 0 && left > 0; left -= n) {
        n = AWAIT(aloop_wait_for(aloop_stream_read_into(client, scraps, sizeof scraps), 5));
    }
}

static int64_t send_back(aloop_stream *client, const struct request *request) {
    aloop_bytes *body = NULL;
    int64_t rc = aloop_await(aloop_stream_readexactly(client, request->length), (void **)&body);
    if (rc < 0) return rc;
    write_head(client, "200 OK", rc, request->keep);
    aloop_stream_write(client, aloop_bytes_data(body), aloop_bytes_size(body));
    aloop_bytes_unref(body);
    return AWAIT(aloop_stream_drain(client));
}

static int64_t send_file(aloop_stream *client, const struct request *request, const char *folder) {
    char path[1024];
    const char *name = strcmp(request->path, "/") == 0 ? "/index.html" : request->path;
    if (strstr(name, "..") != NULL) return refuse(client, "403 Forbidden", request->keep);
    snprintf(path, sizeof path, "%s%s", folder, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0) close(fd);
        return refuse(client, "404 Not Found", request->keep);
    }
    write_head(client, "200 OK", info.st_size, request->keep);
    int64_t rc = 0;
    if (strcmp(request->method, "HEAD") != 0) {
        rc = AWAIT(aloop_stream_sendfile(client, fd, 0, -1));
    }
    close(fd);
    return rc;
}

static int64_t answer(aloop_stream *client, const struct request *request, const char *folder) {
    if (strcmp(request->method, "POST") == 0) return send_back(client, request);
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) {
        return send_file(client, request, folder);
    }
    return refuse(client, "405 Method Not Allowed", request->keep);
}

/* A connection: requests until one side wants no more. */
static int64_t handle(aloop_stream *client, void *folder) {
    struct request request = {.keep = 1};
    int64_t rc = 0;
    while (rc >= 0 && request.keep) {
        rc = read_head(client, &request);
        if (rc > 0) {
            rc = refuse(client, rc == 431 ? "431 Request Header Fields Too Large"
                                          : "400 Bad Request", 0);
            if (rc >= 0) hear_out(client);
            break;
        }
        if (rc == 0) rc = answer(client, &request, folder);
    }
    return 0; /* a client that went away, or was slow, is no failure */
}

static int64_t stop(void *server) { return aloop_server_close(server); }

static int64_t run(void *arg, void **value) {
    (void)value;
    char **argv = arg;
    aloop_stream_options *options = aloop_stream_options_new();
    aloop_stream_options_set_backlog(options, 4096);
    aloop_stream_options_set_max_connections(options, 1000);
    aloop_server *server = NULL;
    int64_t rc = aloop_await(aloop_start_server(handle, argv[1], "127.0.0.1",
                                                argv[2] != NULL ? atoi(argv[2]) : 8080, options),
                             (void **)&server);
    aloop_unref(options);
    if (rc < 0) return rc;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_loop_add_signal_handler(loop, SIGINT, stop, server, NULL);
    printf("Serving %s on 127.0.0.1:%d\n", argv[1], (int)aloop_server_port(server, 0));
    while (aloop_server_is_serving(server) == 1) AWAIT(aloop_sleep(0.1));
    rc = AWAIT(aloop_server_shutdown(server, 2));
    if (rc < 0) fprintf(stderr, "%s\n", aloop_error_message(aloop_last_error()));
    aloop_server_abort_clients(server);
    aloop_unref(server);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [PORT]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return aloop_main(run, argv);
}
