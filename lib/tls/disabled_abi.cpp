// disabled_abi.cpp: the functions of tls.h in a build without OpenSSL. There is no
// context, so that whatever needs one is refused.
//
// SPDX-License-Identifier: MIT
#include <asyncloop/tls.h>

#include "tls.hpp"

using namespace aloop;

namespace {

constexpr char k_text[] = "this build of asyncloop has no TLS: it was configured with "
                          "-Dtls=disabled, or OpenSSL was not there";

int64_t missing() { return aloop_raise_message(ALOOP_ENOSYS, k_text); }

}  // namespace

namespace aloop {

const char *client_complaint(const aloop_stream_options *options, const char *) {
    const stream_options *o = options_from<stream_options>(options);
    const bool named = o != nullptr && o->tls.server_hostname != nullptr;
    return named ? "server_hostname is only meaningful with ssl" : nullptr;
}

const char *server_complaint(const aloop_stream_options *) { return nullptr; }

future *make_start_tls(stream *s, object *, const stream_options *, const char *) {
    return failed_future(loop_of(s), make_error(ALOOP_ENOSYS, k_text), ALOOP_ENOSYS);
}

}  // namespace aloop

#define ALOOP_MISSING(name, ...) \
    int64_t name(__VA_ARGS__) { return missing(); }

using tls = aloop_tls_context;
using text = const char;

ALOOP_MISSING(aloop_tls_context_new_client, tls **)
ALOOP_MISSING(aloop_tls_context_new_server, tls **)
ALOOP_MISSING(aloop_tls_context_load_verify, tls *, text *, text *)
ALOOP_MISSING(aloop_tls_context_load_verify_memory, tls *, text *)
ALOOP_MISSING(aloop_tls_context_load_cert_chain, tls *, text *, text *, text *)
ALOOP_MISSING(aloop_tls_context_load_cert_chain_memory, tls *, text *, text *, text *)
ALOOP_MISSING(aloop_tls_context_set_verify_mode, tls *, int32_t)
ALOOP_MISSING(aloop_tls_context_set_check_hostname, tls *, int32_t)
ALOOP_MISSING(aloop_tls_context_set_alpn, tls *, text *)
ALOOP_MISSING(aloop_tls_context_set_min_version, tls *, int32_t)
ALOOP_MISSING(aloop_tls_context_set_max_version, tls *, int32_t)
ALOOP_MISSING(aloop_tls_context_set_ciphers, tls *, text *)
ALOOP_MISSING(aloop_tls_context_set_ciphersuites, tls *, text *)
ALOOP_MISSING(aloop_tls_context_add_name, tls *, text *, tls *)
ALOOP_MISSING(aloop_tls_context_set_session_cache, tls *, int32_t)
ALOOP_MISSING(aloop_tls_context_set_keylog_file, tls *, text *)
ALOOP_MISSING(aloop_stream_options_set_tls, aloop_stream_options *, tls *)
ALOOP_MISSING(aloop_stream_get_peer_certificate, aloop_stream *, aloop_bytes **)
ALOOP_MISSING(aloop_stream_get_tls_session, aloop_stream *, aloop_bytes **)

aloop_error *aloop_tls_context_error(tls *) { return nullptr; }

aloop_future *aloop_stream_start_tls(aloop_stream *, tls *, const aloop_stream_options *) {
    loop *l = current_loop();
    if (l == nullptr || l->check() < 0) return nullptr;
    return to_c(failed_future(l, make_error(ALOOP_ENOSYS, k_text), ALOOP_ENOSYS));
}
