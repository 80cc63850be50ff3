// entry.hpp: what the C entry points of streams, servers and protocols share.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/entry.hpp"
#include "options.hpp"
#include "server.hpp"
#include "stream.hpp"

namespace aloop {

inline int64_t check_stream(const aloop_stream *handle) {
    const stream *s = reinterpret_cast<const stream *>(handle);
    return is(s, kind::stream) ? loop_of(s)->check() : int64_t{ALOOP_EINVAL};
}

inline int64_t check_server(const aloop_server *handle) {
    const server *s = reinterpret_cast<const server *>(handle);
    return is(s, kind::server) ? loop_of(s)->check() : int64_t{ALOOP_EINVAL};
}

inline bool bad_options(const aloop_stream_options *options) {
    return options != nullptr && options_from<stream_options>(options) == nullptr;
}

// Of their own, to be taken over; nullptr: out of memory.
inline stream_options *taken(const aloop_stream_options *options) {
    return copy_options(options_from<stream_options>(options));
}

constexpr char k_bad_port[] = "port must be 0-65535.";
constexpr char k_bad_path[] = "no path, or one that is too long";
constexpr char k_bad_options[] = "no options of streams";
constexpr char k_host_too[] = "host/port and a descriptor can not be specified at the same time";
constexpr char k_path_too[] = "path and a descriptor can not be specified at the same time";

inline bool gives_socket(const aloop_stream_options *options) {
    const stream_options *o = options_from<stream_options>(options);
    return o != nullptr && o->descriptor >= 0;
}

// What is wrong with where to connect or to listen; nullptr: nothing.
inline const char *bad_place(const char *host, int32_t port, const aloop_stream_options *options) {
    if (port < 0 || port > 65535) return k_bad_port;
    if (bad_options(options)) return k_bad_options;
    if (!gives_socket(options)) return nullptr;
    const bool hosts = host != nullptr || options_from<stream_options>(options)->more_hosts;
    return hosts || port != 0 ? k_host_too : nullptr;
}

// The same for a path, which comes back as an address, of size 0 where there is a
// descriptor in its place.
inline const char *bad_path(const char *path, const aloop_stream_options *options, address *to) {
    if (bad_options(options)) return k_bad_options;
    to->size = 0;
    if (gives_socket(options)) return path != nullptr ? k_path_too : nullptr;
    return path == nullptr || !path_address(path, std::strlen(path), to) ? k_bad_path : nullptr;
}

}  // namespace aloop
