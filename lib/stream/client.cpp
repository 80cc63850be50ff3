// client.cpp: what a server does with a connection: a task that runs the handler, or
// a protocol; over TLS the handshake before it, and without either a place among
// those that wait to be accepted.
//
// SPDX-License-Identifier: MIT
#include <algorithm>

#include "../context/context.hpp"
#include "../protocol/protocol.hpp"
#include "../task/task.hpp"
#include "../tls/tls.hpp"
#include "server.hpp"

namespace aloop {

namespace {

// Shared by the task, which owns the stream through it, and by what looks at
// the task's outcome.
struct client_call {
    stream *client;
    server *of;
    int refs = 1;
    bool shaking = false;  // hands

    client_call(stream *s, server *server_of) : client(s), of(server_of) {}
};

void drop_call(void *argument) {
    client_call *call = static_cast<client_call *>(argument);
    if (--call->refs > 0) return;
    stream *client = call->client;
    server *of = call->of;
    destroy(call);
    unref(static_cast<loop_object *>(client));
    unref(static_cast<loop_object *>(of));
}

// For who accepts next; without memory for that it is closed.
int64_t offer_secured(client_call *call) {
    server *s = call->of;
    if (s->closed) return 0;
    secured_client *ready = create<secured_client>();
    if (ready == nullptr) return ALOOP_ENOMEM;
    ready->client = call->client;
    ref(static_cast<loop_object *>(ready->client));
    s->secured.push(ready);
    s->unaccepted++;
    wake_acceptor(s);
    return 0;
}

int64_t run_client(void *argument, void **) {
    client_call *call = static_cast<client_call *>(argument);
    server *s = call->of;
    if (wants_tls(s->options)) {
        call->shaking = true;
        future *shaken =
            make_start_tls(call->client, s->options->tls.context.get(), s->options, nullptr);
        const int64_t code = aloop_await(to_c(shaken), nullptr);
        if (code < 0) return code;
        call->shaking = false;
    }
    if (s->how.handler != nullptr) return s->how.handler(to_c(call->client), s->how.data);
    if (s->how.by == nullptr) return offer_secured(call);
    return give_protocol(call->client, s->how.by, s->how.data, share(s->context));
}

// The failure of one connection is no more than that: it is reported.
const char *complaint_of(const client_call *call, int64_t status) {
    if (!call->shaking) return "Unhandled exception in client_connected_cb";
    // Closed or aborted here, which is no failure.
    if (call->client->loss == 0 && status != ALOOP_ENOMEM) return nullptr;
    return status == ALOOP_ETLSCERT ? "SSL handshake failed on verifying the certificate"
                                    : "SSL handshake failed";
}

int64_t client_done(aloop_future *handle, void *argument) {
    client_call *call = static_cast<client_call *>(argument);
    future *f = from_c(handle);
    if (f->state == k_finished && f->failed()) {
        const char *message = complaint_of(call, f->status());
        if (message != nullptr) loop_of(f)->report(message, f->status(), error_of(f), f, f);
        f->clear(k_unretrieved);
    }
    if (!f->pending() && f->status() < 0) close_stream(call->client);
    return 0;
}

// Gives the connection its task, in a copy of the server's context. Takes the
// stream over.
int64_t start_task(server *s, stream *client) {
    loop *l = loop_of(s);
    client_call *call = create<client_call>(client, s);
    if (call == nullptr) {
        unref(static_cast<loop_object *>(client));
        return ALOOP_ENOMEM;
    }
    ref(static_cast<loop_object *>(s));
    task_options *o = create<task_options>();
    if (o == nullptr) {
        drop_call(call);
        return ALOOP_ENOMEM;
    }
    o->fn = run_client;
    o->arg = call;
    o->arg_free = drop_call;
    call->refs++;  // for the observer
    o->context = create<context>(share(s->context));
    future *t = nullptr;
    if (o->context == nullptr) drop(s->context);
    else t = create_task(l, o);
    unref(o);
    int64_t code = t == nullptr ? int64_t{ALOOP_ENOMEM} : 0;
    if (t != nullptr && t->type != kind::task) {
        code = t->status();
        t->clear(k_unretrieved);
    }
    if (code != 0 || observe(t, client_done, call, drop_call) == nullptr) drop_call(call);
    if (t != nullptr) unref(t);
    return code;
}

// Gives the connection its protocol, which keeps it alive.
int64_t meet_client(server *s, stream *client) {
    const int64_t code = give_protocol(client, s->how.by, s->how.data, share(s->context));
    unref(static_cast<loop_object *>(client));
    return code;
}

}  // namespace

bool has_place(const server *s) {
    return s->how.any() || s->unaccepted < std::max(s->options->backlog, 1);
}

int64_t start_client(server *s, stream *client) {
    const bool meets = s->how.by != nullptr && !wants_tls(s->options);
    return meets ? meet_client(s, client) : start_task(s, client);
}

int64_t take_secured(server *s, stream **out) {
    secured_client *ready = static_cast<secured_client *>(s->secured.pop());
    if (ready == nullptr) return 0;
    *out = ready->client;
    destroy(ready);
    const bool was_full = !has_place(s);
    s->unaccepted--;
    if (was_full && has_place(s)) accept_more(s);
    return 1;
}

void drop_secured(server *s) {
    while (link *first = s->secured.pop()) {
        secured_client *ready = static_cast<secured_client *>(first);
        stream *client = ready->client;
        destroy(ready);
        s->unaccepted--;
        close_stream(client);
        unref(static_cast<loop_object *>(client));
    }
}

}  // namespace aloop
