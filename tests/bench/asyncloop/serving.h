// What our two servers share: the options that a mode asks for, and running until they are killed.
//
// SPDX-License-Identifier: MIT
#ifndef SERVING_H
#define SERVING_H

#include "../common/net.h"
#include "ours.h"

// `server busy` is `server echo` in a loop that polls for 100 us before it sleeps.
static int busy;

static server_mode serving_args(int argc, char **argv) {
    busy = argc == 2 && !strcmp(argv[1], "busy");
    if (busy) argv[1] = "echo";
    return server_args(argc, argv);
}

static aloop_stream_options *serving_options(server_mode mode, char **argv) {
    aloop_stream_options *options = must(aloop_stream_options_new());
    must_code(aloop_stream_options_set_backlog(options, 4096));
    if (mode.tls) {
        aloop_tls_context *context = NULL;
        must_code(aloop_tls_context_new_server(&context));
        must_code(aloop_tls_context_load_cert_chain(context, argv[2], argv[3], NULL));
        must_code(aloop_stream_options_set_tls(options, context));
        aloop_unref(context);
    }
    return options;
}

// Runs fn(arg), which serves for ever.
static void serve_in_loop(aloop_coro_fn fn, void *arg) {
    aloop_runner *runner = NULL;
    aloop_loop_options *options = must(aloop_loop_options_new());
    must_code(aloop_loop_options_set_busy_poll(options, busy ? 0.0001 : 0));
    must_code(aloop_runner_new(&runner, options));
    aloop_unref(options);
    must_code(aloop_runner_run(runner, fn, arg, NULL));
}

#endif
