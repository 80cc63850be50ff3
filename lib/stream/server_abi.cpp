// SPDX-License-Identifier: MIT
#include <asyncloop/server.h>

#include <cmath>
#include <cstring>

#include "../tls/tls.hpp"
#include "entry.hpp"

using namespace aloop;

namespace {

// An operation on a server that can be used.
aloop_future *operate(aloop_server *handle, future *(*make)(server *)) {
    const int64_t code = check_server(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make(from_c(handle)));
}

}  // namespace

aloop_future *aloop_start_server(aloop_client_fn handler, void *data, const char *host,
                                 int32_t port, const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (const char *why = bad_place(host, port, options)) return refused(ALOOP_EINVAL, why);
    if (const char *why = server_complaint(options)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    if (o == nullptr) return made(l, nullptr);
    return made(l, make_start_server(l, {handler, nullptr, data}, host, port, o));
}

aloop_future *aloop_start_unix_server(aloop_client_fn handler, void *data, const char *path,
                                      const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    address at;
    if (const char *why = bad_path(path, options, &at)) return refused(ALOOP_EINVAL, why);
    if (const char *why = server_complaint(options)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    if (o == nullptr) return made(l, nullptr);
    return made(l, make_start_unix_server(l, {handler, nullptr, data}, at, o));
}

aloop_future *aloop_server_accept(aloop_server *handle) {
    const int64_t code = check_server(handle);
    if (code == 0 && from_c(handle)->how.any()) {
        return refused(ALOOP_EINVAL, "the server has a handler, which gets its connections");
    }
    return operate(handle, make_accept);
}

int64_t aloop_server_sockets(aloop_server *handle, int32_t *descriptors, int64_t n) {
    const int64_t code = check_server(handle);
    if (code < 0) return code;
    const server *s = from_c(handle);
    if (s->closed) return 0;
    for (int64_t i = 0; descriptors != nullptr && i < n && i < s->count; i++) {
        descriptors[i] = s->listeners[i].fd;
    }
    return s->count;
}

int64_t aloop_server_port(aloop_server *handle, int64_t index) {
    const int64_t code = check_server(handle);
    if (code < 0) return code;
    const server *s = from_c(handle);
    if (s->closed || index < 0 || index >= s->count) return ALOOP_EINVAL;
    address a;
    a.size = sizeof a.path;
    const int64_t got =
        loop_of(s)->sys()->getsockname(s->listeners[index].fd, &a.any, &a.size);
    return got < 0 ? got : a.port();
}

int64_t aloop_server_is_serving(aloop_server *handle) {
    const int64_t code = check_server(handle);
    return code < 0 ? code : from_c(handle)->serving;
}

aloop_future *aloop_server_start_serving(aloop_server *handle) {
    return operate(handle, make_start_serving);
}

aloop_future *aloop_server_serve_forever(aloop_server *handle) {
    return operate(handle, make_serve_forever);
}

int64_t aloop_server_close(aloop_server *handle) {
    const int64_t code = check_server(handle);
    if (code == 0) close_server(from_c(handle));
    return code;
}

aloop_future *aloop_server_wait_closed(aloop_server *handle) {
    return operate(handle, make_server_wait_closed);
}

aloop_future *aloop_server_shutdown(aloop_server *handle, double timeout) {
    const int64_t code = check_server(handle);
    if (code < 0) return refused(code);
    if (std::isnan(timeout)) return refused(ALOOP_EINVAL);
    return made(loop_of(from_c(handle)), make_shutdown(from_c(handle), timeout));
}

int64_t aloop_server_connections(aloop_server *handle, aloop_stream **streams, int64_t n) {
    const int64_t code = check_server(handle);
    if (code < 0) return code;
    const server *s = from_c(handle);
    int64_t i = 0;
    for (aloop::link *l = s->clients.head(); l != nullptr && i < n; l = s->clients.after(l)) {
        if (streams == nullptr) break;
        streams[i++] = to_c(static_cast<stream *>(static_cast<self_held *>(l)));
    }
    return s->active;
}

int64_t aloop_server_close_clients(aloop_server *handle) {
    const int64_t code = check_server(handle);
    if (code == 0) close_clients(from_c(handle), false);
    return code;
}

int64_t aloop_server_abort_clients(aloop_server *handle) {
    const int64_t code = check_server(handle);
    if (code == 0) close_clients(from_c(handle), true);
    return code;
}
