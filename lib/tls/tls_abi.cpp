// SPDX-License-Identifier: MIT
#include <asyncloop/tls.h>

#include <cmath>

#include "../stream/entry.hpp"
#include "session.hpp"
#include "sessions.hpp"

using namespace aloop;

namespace {

tls_context *good(aloop_tls_context *handle) {
    tls_context *c = from_c(handle);
    return is(c, kind::tls_context) ? c : nullptr;
}

// The answer of a setter: a failure's text is kept with the context, and goes to
// the task that called.
int64_t answer(tls_context *c, int64_t code) {
    if (code >= 0) return code;
    if (!c->last || c->last->code != code) c->last.reset(make_error(code, nullptr));
    if (c->last) aloop_raise_error(to_c(c->last.get()));
    return code;
}

template <typename... A, typename... B>
int64_t call(aloop_tls_context *handle, int64_t (*setter)(tls_context *, A...), B... arguments) {
    tls_context *c = good(handle);
    if (c == nullptr) return ALOOP_EINVAL;
    c->last.reset();
    return answer(c, setter(c, arguments...));
}

int64_t new_context(bool server, aloop_tls_context **out) {
    if (out == nullptr) return ALOOP_EINVAL;
    tls_context *c = nullptr;
    const int64_t code = make_context(server, &c);
    if (code == 0) *out = to_c(c);
    return code;
}

// A stream with TLS of the calling thread's loop; else why not.
int64_t check_tls(aloop_stream *handle) {
    if (const int64_t code = check_stream(handle); code < 0) return code;
    stream *s = from_c(handle);
    const bool open = s->layer == &k_tls && !s->is(k_over);
    return open && session_of(s)->established ? 0 : int64_t{ALOOP_ENOENT};
}

int64_t encoded(aloop_stream *handle, aloop_bytes **out,
                int64_t (*encode)(tls_session *, bytes **)) {
    if (out == nullptr) return ALOOP_EINVAL;
    int64_t code = check_tls(handle);
    bytes *b = nullptr;
    if (code == 0) code = encode(session_of(from_c(handle)), &b);
    if (code == 0) *out = to_c(b);
    return code;
}

int64_t check_names(tls_context *c, int32_t check) {
    c->checks_host = check != 0;
    return 0;
}

int64_t remember_servers(tls_context *c, int32_t servers) {
    if (c->is_server || servers < 0 || servers > 100000) {
        return complain(c, ALOOP_EINVAL, "a client's context remembers 0 to 100000 servers");
    }
    return set_session_cache(c, servers);
}

}  // namespace

int64_t aloop_tls_context_new_client(aloop_tls_context **context) {
    return new_context(false, context);
}

int64_t aloop_tls_context_new_server(aloop_tls_context **context) {
    return new_context(true, context);
}

aloop_error *aloop_tls_context_error(aloop_tls_context *handle) {
    const tls_context *c = good(handle);
    return c != nullptr ? to_c(c->last.get()) : nullptr;
}

int64_t aloop_tls_context_load_verify(aloop_tls_context *c, const char *file,
                                      const char *directory) {
    return call(c, trust, file, directory);
}

int64_t aloop_tls_context_load_verify_memory(aloop_tls_context *c, const char *pem) {
    return call(c, trust_text, pem);
}

int64_t aloop_tls_context_load_cert_chain(aloop_tls_context *c, const char *cert_file,
                                          const char *key_file, const char *password) {
    return call(c, use_files, cert_file, key_file, password);
}

int64_t aloop_tls_context_load_cert_chain_memory(aloop_tls_context *c, const char *cert_pem,
                                                 const char *key_pem, const char *password) {
    return call(c, use_texts, cert_pem, key_pem, password);
}

int64_t aloop_tls_context_set_verify_mode(aloop_tls_context *c, int32_t mode) {
    return call(c, set_verify, mode);
}

int64_t aloop_tls_context_set_check_hostname(aloop_tls_context *c, int32_t check) {
    return call(c, check_names, check);
}

int64_t aloop_tls_context_set_alpn(aloop_tls_context *c, const char *protocols) {
    return call(c, set_alpn, protocols);
}

int64_t aloop_tls_context_set_min_version(aloop_tls_context *c, int32_t version) {
    return call(c, set_version, version, false);
}

int64_t aloop_tls_context_set_max_version(aloop_tls_context *c, int32_t version) {
    return call(c, set_version, version, true);
}

int64_t aloop_tls_context_set_ciphers(aloop_tls_context *c, const char *ciphers) {
    return call(c, set_ciphers, ciphers, false);
}

int64_t aloop_tls_context_set_ciphersuites(aloop_tls_context *c, const char *suites) {
    return call(c, set_ciphers, suites, true);
}

int64_t aloop_tls_context_add_name(aloop_tls_context *c, const char *name,
                                   aloop_tls_context *other) {
    return good(other) != nullptr ? call(c, add_name, name, good(other)) : int64_t{ALOOP_EINVAL};
}

int64_t aloop_tls_context_set_session_cache(aloop_tls_context *c, int32_t servers) {
    return call(c, remember_servers, servers);
}

int64_t aloop_tls_context_set_keylog_file(aloop_tls_context *c, const char *path) {
    return call(c, set_keylog, path);
}

// Options ------------------------------------------------------------------------------------

int64_t aloop_stream_options_set_tls(aloop_stream_options *handle, aloop_tls_context *context) {
    stream_options *o = options_from<stream_options>(handle);
    tls_context *c = good(context);
    if (o == nullptr || (context != nullptr && c == nullptr)) return ALOOP_EINVAL;
    o->tls.context = ptr<object>::share(c);
    return 0;
}

// Streams --------------------------------------------------------------------------------------

aloop_future *aloop_stream_start_tls(aloop_stream *handle, aloop_tls_context *context,
                                     const aloop_stream_options *options) {
    if (const int64_t code = check_stream(handle); code < 0) return refused(code);
    stream *s = from_c(handle);
    tls_context *c = good(context);
    const stream_options *given = options_from<stream_options>(options);
    if (c == nullptr || bad_options(options)) return refused(ALOOP_EINVAL);
    const char *host = given != nullptr ? given->tls.server_hostname : nullptr;
    if (const char *complaint = context_complaint(c, host)) return refused(ALOOP_EINVAL, complaint);
    return made(loop_of(s), make_start_tls(s, c, given, nullptr));
}

int64_t aloop_stream_get_peer_certificate(aloop_stream *s, aloop_bytes **der) {
    return encoded(s, der, encode_peer);
}

int64_t aloop_stream_get_tls_session(aloop_stream *s, aloop_bytes **session) {
    return encoded(s, session, encode_session);
}
