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

// What is wrong with where to connect or to listen; nullptr: nothing.
inline const char *bad_place(int32_t port, const aloop_stream_options *options) {
    if (port < 0 || port > 65535) return k_bad_port;
    return bad_options(options) ? "no options of streams" : nullptr;
}

// The same for a path, which comes back as an address.
inline const char *bad_path(const char *path, const aloop_stream_options *options, address *to) {
    if (path == nullptr || !path_address(path, std::strlen(path), to)) return k_bad_path;
    return bad_options(options) ? "no options of streams" : nullptr;
}

}  // namespace aloop
