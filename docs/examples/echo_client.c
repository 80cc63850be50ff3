/*
 * Sends a line to echo_server and prints what comes back.
 *
 *     echo_client [MESSAGE [PORT]]
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    const char *text;
    int port;
};

static int64_t tcp_echo_client(void *arg, void **value) {
    (void)value;
    const struct message *message = arg;
    aloop_stream *stream = NULL;
    int64_t rc =
        aloop_await(aloop_open_connection("127.0.0.1", message->port, NULL), (void **)&stream);
    if (rc < 0) return rc;
    printf("Send: '%s'\n", message->text);
    aloop_stream_write(stream, message->text, strlen(message->text));
    rc = aloop_await(aloop_stream_drain(stream), NULL);

    aloop_bytes *data = NULL;
    if (rc >= 0) rc = aloop_await(aloop_stream_read(stream, 100), (void **)&data);
    if (rc >= 0) printf("Received: '%s'\n", (const char *)aloop_bytes_data(data));
    aloop_bytes_unref(data);

    puts("Close the connection");
    aloop_stream_close(stream);
    const int64_t closed = aloop_await(aloop_stream_wait_closed(stream), NULL);
    aloop_unref(stream);
    return rc < 0 ? rc : closed;
}

int main(int argc, char **argv) {
    struct message message = {"Hello World!", 8888};
    if (argc > 1) message.text = argv[1];
    if (argc > 2) message.port = atoi(argv[2]);
    return aloop_main(tcp_echo_client, &message);
}
