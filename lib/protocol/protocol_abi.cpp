// SPDX-License-Identifier: MIT
#include <cstring>

#include "../context/context.hpp"
#include "../stream/connect.hpp"
#include "../stream/entry.hpp"
#include "../stream/pipe.hpp"
#include "../tls/tls.hpp"
#include "protocol.hpp"

using namespace aloop;

namespace {

template <typename Fn>
int64_t set(aloop_protocol *handle, Fn protocol::*which, Fn fn) {
    protocol *p = from_c(handle);
    if (p == nullptr) return ALOOP_EINVAL;
    p->*which = fn;
    return 0;
}

constexpr char k_no_protocol[] = "no protocol";

// Gives a stream that is there its protocol, and waits until that was told.
aloop_future *meet(loop *l, stream *s, protocol *p, void *data) {
    const int64_t code = give_protocol(s, p, data, capture_context());
    if (code < 0) {
        discard_stream(s);
        return refused(code);
    }
    return made(l, make_wait_made(s));
}

aloop_future *over_pipe(int64_t (*connect)(loop *, int, size_t, stream **), int32_t fd,
                        protocol *p, void *data, const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (p == nullptr || bad_options(options)) return refused(ALOOP_EINVAL);
    const stream_options *o = options_from<stream_options>(options);
    stream *s = nullptr;
    const int64_t code = connect(l, fd, o != nullptr ? o->limit : 65536, &s);
    return code < 0 ? refused(code) : meet(l, s, p, data);
}

}  // namespace

aloop_protocol *aloop_protocol_new(void) { return to_c(create<protocol>()); }

int64_t aloop_protocol_set_connection_made(aloop_protocol *p, aloop_transport_fn fn) {
    return set(p, &protocol::connection_made, fn);
}

int64_t aloop_protocol_set_data_received(aloop_protocol *p, aloop_data_received_fn fn) {
    return set(p, &protocol::data_received, fn);
}

int64_t aloop_protocol_set_get_buffer(aloop_protocol *p, aloop_get_buffer_fn fn) {
    return set(p, &protocol::get_buffer, fn);
}

int64_t aloop_protocol_set_buffer_updated(aloop_protocol *p, aloop_buffer_updated_fn fn) {
    return set(p, &protocol::buffer_updated, fn);
}

int64_t aloop_protocol_set_eof_received(aloop_protocol *p, aloop_transport_fn fn) {
    return set(p, &protocol::eof_received, fn);
}

int64_t aloop_protocol_set_pause_writing(aloop_protocol *p, aloop_transport_fn fn) {
    return set(p, &protocol::pause_writing, fn);
}

int64_t aloop_protocol_set_resume_writing(aloop_protocol *p, aloop_transport_fn fn) {
    return set(p, &protocol::resume_writing, fn);
}

int64_t aloop_protocol_set_connection_lost(aloop_protocol *p, aloop_connection_lost_fn fn) {
    return set(p, &protocol::connection_lost, fn);
}

int64_t aloop_protocol_set_factory(aloop_protocol *p, aloop_protocol_factory_fn fn) {
    return set(p, &protocol::factory, fn);
}

int64_t aloop_protocol_set_data_free(aloop_protocol *p, aloop_free_fn fn) {
    return set(p, &protocol::data_free, fn);
}

aloop_future *aloop_create_connection(aloop_protocol *handle, void *data, const char *host,
                                      int32_t port, const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    protocol *p = from_c(handle);
    if (p == nullptr) return refused(ALOOP_EINVAL, k_no_protocol);
    if (const char *why = bad_place(host, port, options)) return refused(ALOOP_EINVAL, why);
    if (const char *why = client_complaint(options, host)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    return made(l, o != nullptr ? make_connect(l, host, port, o, {p, data}) : nullptr);
}

aloop_future *aloop_create_unix_connection(aloop_protocol *handle, void *data, const char *path,
                                           const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    protocol *p = from_c(handle);
    if (p == nullptr) return refused(ALOOP_EINVAL, k_no_protocol);
    address to;
    if (const char *why = bad_path(path, options, &to)) return refused(ALOOP_EINVAL, why);
    if (const char *why = client_complaint(options, nullptr)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    return made(l, o != nullptr ? make_unix_connect(l, to, o, {p, data}) : nullptr);
}

aloop_future *aloop_create_read_pipe(aloop_protocol *protocol, void *data, int32_t descriptor,
                                     const aloop_stream_options *options) {
    return over_pipe(connect_read_pipe, descriptor, from_c(protocol), data, options);
}

aloop_future *aloop_create_write_pipe(aloop_protocol *protocol, void *data, int32_t descriptor,
                                      const aloop_stream_options *options) {
    return over_pipe(connect_write_pipe, descriptor, from_c(protocol), data, options);
}

aloop_future *aloop_create_server(aloop_protocol *handle, void *data, const char *host,
                                  int32_t port, const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    protocol *p = from_c(handle);
    if (p == nullptr) return refused(ALOOP_EINVAL, k_no_protocol);
    if (const char *why = bad_place(host, port, options)) return refused(ALOOP_EINVAL, why);
    if (const char *why = server_complaint(options)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    if (o == nullptr) return made(l, nullptr);
    return made(l, make_start_server(l, {nullptr, p, data}, host, port, o));
}

aloop_future *aloop_create_unix_server(aloop_protocol *handle, void *data, const char *path,
                                       const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    protocol *p = from_c(handle);
    if (p == nullptr) return refused(ALOOP_EINVAL, k_no_protocol);
    address at;
    if (const char *why = bad_path(path, options, &at)) return refused(ALOOP_EINVAL, why);
    if (const char *why = server_complaint(options)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    if (o == nullptr) return made(l, nullptr);
    return made(l, make_start_unix_server(l, {nullptr, p, data}, at, o));
}

int64_t aloop_stream_set_protocol(aloop_stream *handle, aloop_protocol *protocol, void *data) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    if (protocol != nullptr && from_c(protocol) == nullptr) return ALOOP_EINVAL;
    return change_protocol(from_c(handle), from_c(protocol), data);
}

aloop_protocol *aloop_stream_get_protocol(aloop_stream *handle, void **data) {
    return check_stream(handle) < 0 ? nullptr : to_c(protocol_of(from_c(handle), data));
}
