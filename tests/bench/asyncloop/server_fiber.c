// server: a stream and a fiber for each connection.
//
// SPDX-License-Identifier: MIT
#include "serving.h"

static int64_t serve(aloop_stream *stream, void *accept_only) {
    if (accept_only) return 0;
    for (;;) {
        void *got = NULL;
        if (aloop_await(aloop_stream_read(stream, 64 * 1024), &got) < 0) return 0;
        size_t n = aloop_bytes_size(got);
        int64_t code = n ? aloop_stream_write(stream, aloop_bytes_data(got), n) : -1;
        aloop_bytes_unref(got);
        // A client that is gone is no failure.
        if (code < 0 || aloop_await(aloop_stream_drain(stream), NULL) < 0) return 0;
    }
}

struct request {
    server_mode mode;
    char **argv;
};

static int64_t listen_here(void *data, void **value) {
    struct request *r = data;
    void *server = NULL;
    (void)value;
    aloop_stream_options *options = serving_options(r->mode, r->argv);
    void *accept_only = r->mode.accept_only ? r : NULL;
    must_code(
        aloop_await(aloop_start_server(serve, accept_only, "127.0.0.1", 0, options), &server));
    aloop_unref(options);
    announce_port((int)must_code(aloop_server_port(server, 0)));
    return aloop_await(aloop_server_serve_forever(server), NULL);
}

int main(int argc, char **argv) {
    struct request r = {serving_args(argc, argv), argv};
    serve_in_loop(listen_here, &r);
}
