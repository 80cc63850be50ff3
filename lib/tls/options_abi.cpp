// options_abi.cpp: what may be chosen for one connection; the same in builds
// without TLS.
//
// SPDX-License-Identifier: MIT
#include <asyncloop/tls.h>

#include "tls.hpp"

using namespace aloop;

namespace {

bool is_duration(double seconds) { return seconds >= 0 && seconds < 1e18; }

}  // namespace

int64_t aloop_stream_options_set_server_hostname(aloop_stream_options *handle, const char *name) {
    stream_options *o = options_from<stream_options>(handle);
    // Python's words: it cannot be an empty string or start with a leading dot.
    const bool bad = name != nullptr && (name[0] == '\0' || name[0] == '.');
    if (o == nullptr || bad) return ALOOP_EINVAL;
    return o->tls.set_name(name) ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t aloop_stream_options_set_tls_handshake_timeout(aloop_stream_options *handle,
                                                       double seconds) {
    stream_options *o = options_from<stream_options>(handle);
    if (o == nullptr || !is_duration(seconds) || seconds == 0) return ALOOP_EINVAL;
    o->tls.handshake_timeout = seconds;
    return 0;
}

int64_t aloop_stream_options_set_tls_shutdown_timeout(aloop_stream_options *handle,
                                                      double seconds) {
    stream_options *o = options_from<stream_options>(handle);
    if (o == nullptr || !is_duration(seconds)) return ALOOP_EINVAL;
    o->tls.shutdown_timeout = seconds;
    return 0;
}

int64_t aloop_stream_options_set_tls_session(aloop_stream_options *handle,
                                             const aloop_bytes *session) {
    stream_options *o = options_from<stream_options>(handle);
    bytes *b = from_c(const_cast<aloop_bytes *>(session));
    if (o == nullptr || (b != nullptr && b->type != kind::bytes)) return ALOOP_EINVAL;
    o->tls.session = ptr<bytes>::share(b);
    return 0;
}
