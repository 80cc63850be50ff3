// server: a protocol whose callback answers with what came.
//
// SPDX-License-Identifier: MIT
#include "serving.h"

static int64_t answer(aloop_stream *transport, const void *data, size_t n, void *unused) {
    (void)unused;
    // A client that is gone is no failure.
    aloop_stream_write(transport, data, n);
    return 0;
}

static int64_t close_at_once(aloop_stream *transport, void *unused) {
    (void)unused;
    return aloop_stream_close(transport);
}

struct request {
    server_mode mode;
    char **argv;
};

static int64_t listen_here(void *data, void **value) {
    struct request *r = data;
    void *server = NULL;
    (void)value;
    aloop_protocol *protocol = must(aloop_protocol_new());
    if (r->mode.accept_only) {
        must_code(aloop_protocol_set_connection_made(protocol, close_at_once));
    } else {
        must_code(aloop_protocol_set_data_received(protocol, answer));
    }
    aloop_stream_options *options = serving_options(r->mode, r->argv);
    must_code(
        aloop_await(aloop_create_server(protocol, NULL, "127.0.0.1", 0, options), &server));
    aloop_unref(options);
    announce_port((int)must_code(aloop_server_port(server, 0)));
    return aloop_await(aloop_server_serve_forever(server), NULL);
}

int main(int argc, char **argv) {
    struct request r = {serving_args(argc, argv), argv};
    serve_in_loop(listen_here, &r);
}
