/*
 * A TCP server that sends back what it gets. Ctrl-C ends it.
 *
 *     echo_server [PORT]    8888 by default; 0: any free one
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Runs as a task of its own for each connection. */
static int64_t handle_echo(aloop_stream *client, void *unused) {
    (void)unused;
    aloop_bytes *data = NULL;
    int64_t rc = aloop_await(aloop_stream_read(client, 100), (void **)&data);
    if (rc < 0) return rc;
    const char *message = (const char *)aloop_bytes_data(data);
    char address[64];
    aloop_stream_get_extra_info(client, "peername", address, sizeof address);
    printf("Received '%s' from %s\n", message, address);
    printf("Send: '%s'\n", message);
    aloop_stream_write(client, message, aloop_bytes_size(data));
    aloop_bytes_unref(data);
    rc = aloop_await(aloop_stream_drain(client), NULL);
    puts("Close the connection");
    aloop_stream_close(client);
    return rc;
}

static int64_t run(void *port, void **value) {
    (void)value;
    aloop_server *server = NULL;
    int64_t rc = aloop_await(aloop_start_server(handle_echo, NULL, "127.0.0.1", *(int *)port, NULL),
                             (void **)&server);
    if (rc < 0) {
        fprintf(stderr, "%s\n", aloop_error_message(aloop_last_error()));
        return rc;
    }
    printf("Serving on 127.0.0.1:%d\n", (int)aloop_server_port(server, 0));
    rc = aloop_await(aloop_server_serve_forever(server), NULL);
    aloop_unref(server);
    return rc;
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    setvbuf(stdout, NULL, _IOLBF, 0);
    const int64_t rc = aloop_run(run, &port, NULL);
    return rc == -EINTR ? 0 : rc < 0;
}
