// tls.hpp: what the streams' folder asks of TLS; no word of OpenSSL here.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/tls.h>

#include "../stream/options.hpp"
#include "../stream/stream.hpp"

namespace aloop {

// Whether options ask for TLS.
inline bool wants_tls(const stream_options *o) { return o->tls.context.get() != nullptr; }

// Why a connection (host: where to, or nullptr) or a server cannot be made with
// the TLS side of these options (or nullptr); nullptr: it can.
const char *client_complaint(const aloop_stream_options *options, const char *host);
const char *server_complaint(const aloop_stream_options *options);

// The operation of aloop_stream_start_tls. context is a tls_context; options may
// be nullptr; host: the server's name where the options have none. nullptr: out
// of memory.
future *make_start_tls(stream *s, object *context, const stream_options *options,
                       const char *host);

}  // namespace aloop
