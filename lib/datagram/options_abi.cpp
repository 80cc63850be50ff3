// SPDX-License-Identifier: MIT
#include <asyncloop/datagram.h>

#include <cstring>

#include "../resolver/address.hpp"
#include "options.hpp"

using namespace aloop;

namespace {

datagram_options *good(aloop_datagram_options *o) { return options_from<datagram_options>(o); }

int64_t set_text(char **to, const char *text) {
    char *copy = copy_string(text);
    if (copy == nullptr) return ALOOP_ENOMEM;
    release(*to);
    *to = copy;
    return 0;
}

int64_t set_host(datagram_options *o, char *datagram_options::*which, const char *host,
                 int32_t port) {
    if (o == nullptr || port < 0 || port > 65535) return ALOOP_EINVAL;
    if (o->family == AF_UNIX) return ALOOP_EINVAL;
    const int64_t code = set_text(&(o->*which), host != nullptr ? host : "");
    if (code < 0) return code;
    (which == &datagram_options::local ? o->local_port : o->remote_port) = port;
    return 0;
}

int64_t set_path(datagram_options *o, char *datagram_options::*which, const char *path) {
    address at;
    if (o == nullptr || path == nullptr || !path_address(path, std::strlen(path), &at)) {
        return ALOOP_EINVAL;
    }
    const bool internet = o->family == AF_INET || o->family == AF_INET6;
    const bool has_host = o->family != AF_UNIX && (o->local != nullptr || o->remote != nullptr);
    if (internet || has_host) return ALOOP_EINVAL;
    const int64_t code = set_text(&(o->*which), path);
    if (code == 0) o->family = AF_UNIX;
    return code;
}

int64_t set_number(datagram_options *o, int32_t datagram_options::*which, int32_t value,
                   bool allowed) {
    if (o == nullptr || !allowed) return ALOOP_EINVAL;
    o->*which = value;
    return 0;
}

}  // namespace

aloop_datagram_options *aloop_datagram_options_new(void) {
    return reinterpret_cast<aloop_datagram_options *>(create<datagram_options>());
}

int64_t aloop_datagram_options_set_local_address(aloop_datagram_options *options, const char *host,
                                                 int32_t port) {
    return set_host(good(options), &datagram_options::local, host, port);
}

int64_t aloop_datagram_options_set_remote_address(aloop_datagram_options *options,
                                                  const char *host, int32_t port) {
    return set_host(good(options), &datagram_options::remote, host, port);
}

int64_t aloop_datagram_options_set_local_path(aloop_datagram_options *options, const char *path) {
    return set_path(good(options), &datagram_options::local, path);
}

int64_t aloop_datagram_options_set_remote_path(aloop_datagram_options *options, const char *path) {
    return set_path(good(options), &datagram_options::remote, path);
}

int64_t aloop_datagram_options_set_family(aloop_datagram_options *options, int32_t family) {
    datagram_options *o = good(options);
    if (o == nullptr) return ALOOP_EINVAL;
    const bool known = family == AF_INET || family == AF_INET6 || family == AF_UNIX;
    const bool any_address = o->local != nullptr || o->remote != nullptr;
    // A path is no host, and the other way round.
    const bool turned = any_address && (o->family == AF_UNIX) != (family == AF_UNIX);
    return set_number(o, &datagram_options::family, family,
                      (known || (family == 0 && o->family != AF_UNIX)) && !turned);
}

int64_t aloop_datagram_options_set_reuse_port(aloop_datagram_options *o, int32_t reuse) {
    return set_number(good(o), &datagram_options::reuse_port, reuse != 0, true);
}

int64_t aloop_datagram_options_set_broadcast(aloop_datagram_options *o, int32_t broadcast) {
    return set_number(good(o), &datagram_options::broadcast, broadcast != 0, true);
}

int64_t aloop_datagram_options_set_receive_buffer(aloop_datagram_options *o, int32_t bytes) {
    return set_number(good(o), &datagram_options::receive_buffer, bytes, bytes > 0);
}

int64_t aloop_datagram_options_set_descriptor(aloop_datagram_options *o, int32_t descriptor) {
    return set_number(good(o), &datagram_options::descriptor, descriptor, descriptor >= 0);
}

int64_t aloop_datagram_options_set_max_size(aloop_datagram_options *options, size_t bytes) {
    datagram_options *o = good(options);
    if (o == nullptr || bytes == 0 || bytes > k_most_size) return ALOOP_EINVAL;
    o->max_size = bytes;
    return 0;
}

int64_t aloop_datagram_options_set_batch(aloop_datagram_options *o, int32_t n) {
    return set_number(good(o), &datagram_options::batch, n, n >= 1 && n <= k_most_batch);
}

// The callback level ---------------------------------------------------------------------------

namespace {

template <typename Fn>
int64_t set(aloop_datagram_protocol *handle, Fn datagram_callbacks::*which, Fn fn) {
    datagram_protocol *p = options_from<datagram_protocol>(handle);
    if (p == nullptr) return ALOOP_EINVAL;
    p->*which = fn;
    return 0;
}

}  // namespace

aloop_datagram_protocol *aloop_datagram_protocol_new(void) {
    return reinterpret_cast<aloop_datagram_protocol *>(create<datagram_protocol>());
}

int64_t aloop_datagram_protocol_set_connection_made(aloop_datagram_protocol *protocol,
                                                    aloop_datagram_fn fn) {
    return set(protocol, &datagram_callbacks::connection_made, fn);
}

int64_t aloop_datagram_protocol_set_datagram_received(aloop_datagram_protocol *protocol,
                                                      aloop_datagram_received_fn fn) {
    return set(protocol, &datagram_callbacks::datagram_received, fn);
}

int64_t aloop_datagram_protocol_set_error_received(aloop_datagram_protocol *protocol,
                                                   aloop_error_received_fn fn) {
    return set(protocol, &datagram_callbacks::error_received, fn);
}

int64_t aloop_datagram_protocol_set_pause_writing(aloop_datagram_protocol *protocol,
                                                  aloop_datagram_fn fn) {
    return set(protocol, &datagram_callbacks::pause_writing, fn);
}

int64_t aloop_datagram_protocol_set_resume_writing(aloop_datagram_protocol *protocol,
                                                   aloop_datagram_fn fn) {
    return set(protocol, &datagram_callbacks::resume_writing, fn);
}

int64_t aloop_datagram_protocol_set_connection_lost(aloop_datagram_protocol *protocol,
                                                    aloop_datagram_lost_fn fn) {
    return set(protocol, &datagram_callbacks::connection_lost, fn);
}

int64_t aloop_datagram_options_set_protocol(aloop_datagram_options *options,
                                            const aloop_datagram_protocol *handle, void *data,
                                            aloop_free_fn free_fn) {
    datagram_options *o = good(options);
    const datagram_protocol *p = options_from<datagram_protocol>(handle);
    if (o == nullptr || p == nullptr) return ALOOP_EINVAL;
    o->protocol = *p;
    o->has_protocol = true;
    o->data = data;
    o->data_free = free_fn;
    return 0;
}
