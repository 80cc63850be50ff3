// handshake.cpp: start_tls: draining what is to go unencrypted, then shaking
// hands, under a deadline. From the call on nobody else reads: what comes is the
// peer's hello, and what was slipped in before it must not pass for plain text.
// While hands are shaken the operation stands in the reader's place, and what is
// written meanwhile waits.
//
// Once begun there is no way back: a failure or a cancellation ends the
// connection.
//
// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "session.hpp"
#include "sessions.hpp"

namespace aloop {

namespace {

struct start_op final : operation {
    stream *on;              // owned
    ptr<tls_session> session;  // until it is installed
    ptr<bytes> resumed;      // what the program wants to resume
    bool reserves = false;   // what comes, by the stream's k_upgrading

    start_op(domain *d, stream *s);
    // Others may read on, and the protocol does.
    void let_read() {
        if (!std::exchange(reserves, false)) return;
        on->off(k_upgrading);
        if (!loop_of(on)->closed) look_again(on);
    }
    ~start_op() {
        let_read();
        stop_waiting(this, on);
        unref(static_cast<loop_object *>(on));
    }
};

// Names ------------------------------------------------------------------------------------

// What the certificate must be for, and what the server is told: no addresses
// there (RFC 6066).
bool set_host(tls_session *t) {
    SSL *ssl = t->ssl;
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    const bool checked = t->context->checks_host && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, t->host) == 1) {
        return checked || X509_VERIFY_PARAM_set1_ip(rules, nullptr, 0) == 1;
    }
    ERR_clear_error();
    if (SSL_set_tlsext_host_name(ssl, t->host) != 1) return false;
    return !checked || SSL_set1_host(ssl, t->host) == 1;
}

// As in set_host: an address is found among addresses only.
bool is_for_host(tls_session *t, X509 *certificate) {
    constexpr unsigned k_flags =
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    constexpr int k_no_address = -2;
    const int found = X509_check_ip_asc(certificate, t->host, 0);
    if (found != k_no_address) return found == 1;
    return X509_check_host(certificate, t->host, 0, k_flags, nullptr) == 1;
}

// Sessions ----------------------------------------------------------------------------------

void offer_session(tls_session *t, const bytes *given) {
    SSL_SESSION *session = nullptr;
    if (given != nullptr) {
        const unsigned char *at = given->data;
        session = d2i_SSL_SESSION(nullptr, &at, static_cast<long>(given->size));
    } else if (t->context->sessions != nullptr && t->host != nullptr) {
        session = t->context->sessions->take(t->host);
    }
    if (session != nullptr) {
        SSL_set_session(t->ssl, session);
        SSL_SESSION_free(session);
    }
    ERR_clear_error();
}

// A resumed session brings the certificate of the first handshake, which OpenSSL
// does not look at again.
error *check_resumed(tls_session *t) {
    const bool checked = SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE;
    if (t->context->is_server || !checked || SSL_session_reused(t->ssl) != 1) return nullptr;
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    const bool verified = SSL_get_verify_result(t->ssl) == X509_V_OK && certificate != nullptr;
    const bool named = !t->context->checks_host || t->host == nullptr;
    if (verified && (named || is_for_host(t, certificate))) return nullptr;
    return make_error(ALOOP_ETLSCERT, "certificate verify failed: the resumed session is another "
                                      "server's");
}

// Making --------------------------------------------------------------------------------------

bool make_ssl(tls_session *t, const bytes *resumed) {
    ERR_clear_error();
    t->ssl = SSL_new(t->context->ctx);
    BIO *bio = t->ssl != nullptr ? make_bio(t) : nullptr;
    if (bio == nullptr) return false;
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    SSL_set_verify(t->ssl, SSL_get_verify_mode(t->ssl), check_certificate);
    if (t->context->is_server) {
        SSL_set_accept_state(t->ssl);
        return true;
    }
    SSL_set_connect_state(t->ssl);
    if (t->host != nullptr && !set_host(t)) return false;
    offer_session(t, resumed);
    return true;
}

void give_up_late(tls_session *t) {
    lose(t->of, ALOOP_ECONNABORTED,
         format_error(ALOOP_ECONNABORTED,
                      "SSL handshake is taking longer than %.1f seconds: aborting the connection",
                      t->handshake_timeout));
}

// What has come already, in this iteration, was in time.
void handshake_is_late(alarm *a) {
    tls_session *t = static_cast<tls_session *>(a->owner);
    if (t->of == nullptr) return;
    const future *waits = t->of->reading;
    if (waits != nullptr && !waits->pending()) t->late = true;
    else give_up_late(t);
}

int64_t begin(start_op *op) {
    stream *s = op->on;
    loop *l = loop_of(s);
    tls_session *t = op->session.get();
    t->of = s;
    t->under = s->layer;
    t->under_lower = s->lower;
    if (!make_ssl(t, op->resumed.get())) return ALOOP_ENOMEM;
    if (const int64_t code = install(s, t); code < 0) return code;
    op->session.detach();  // the stream's
    op->reserves = false;
    s->off(k_upgrading | k_reading_paused);  // as asyncio's new transport
    s->on(k_connecting);
    t->timer.set(t, handshake_is_late, deadline_after(l->now(), t->handshake_timeout), false);
    return 0;
}

// asyncio's marks for TLS, where the program has not set its own.
void set_marks(stream *s) {
    if (s->high == 65536 && s->low == 16384) set_water_marks(s, 512 * 1024, 128 * 1024);
}

void end_handshake(stream *s) {
    tls_session *t = session_of(s);
    t->timer.clear();
    t->established = true;
    s->off(k_connecting);
    set_marks(s);
    s->ready_bits() |= k_readable;
    if (!s->is(k_unsent)) s->ready_bits() |= k_writable;  // refused writes only waited
    flush(s);
    look_again(s);
}

// Shaking hands ---------------------------------------------------------------------------------

int64_t shake(tls_session *t, error **why) {
    ERR_clear_error();
    const int result = SSL_do_handshake(t->ssl);
    const int kind = result == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, result);
    int64_t code = 1;
    if (kind == SSL_ERROR_NONE) {
        *why = check_resumed(t);
        if (*why != nullptr) code = (*why)->code;
    } else if (kind == SSL_ERROR_WANT_READ) {
        code = -EAGAIN;
        if (t->sated) stream_again(t->of);
    } else {
        code = explain(t, why);
    }
    const int64_t sent = push(t);  // also the alert that tells the peer
    if (sent >= 0 || sent == -EAGAIN) return code;
    // A server that is done has all it needs, and there may be data from who is gone.
    const bool needed = code == -EAGAIN || (code > 0 && !t->context->is_server);
    return needed ? sent : code;
}

int64_t fail_handshake(start_op *op, int64_t code, error *why) {
    stream *s = op->on;
    if (why == nullptr) why = make_error(code, nullptr);
    if (why != nullptr) ref(why);
    drop_input(session_of(s));
    lose(s, code, why);
    s->off(k_connecting);
    return op->raise(code, why);
}

int64_t go_on(start_op *op) {
    stream *s = op->on;
    if (s->is(k_lost)) {
        s->off(k_connecting);
        return s->loss != 0 ? fail_as(op, s) : op->fail(ALOOP_ECONNRESET, "Connection lost");
    }
    error *why = nullptr;
    const int64_t code = shake(session_of(s), &why);
    if (code > 0) {
        end_handshake(s);
        return s->loss != 0 ? fail_as(op, s) : 0;
    }
    if (code == -EAGAIN && session_of(s)->late) {
        give_up_late(session_of(s));
        return go_on(op);
    }
    if (code == -EAGAIN) return wait_for_data(op, s, "start_tls");
    return fail_handshake(op, code, why);
}

// Why it cannot begin.
int64_t check(start_op *op) {
    stream *s = op->on;
    if (s->loss != 0) return fail_as(op, s);
    if (s->is(k_closing)) return op->fail(ALOOP_ESTALE, "cannot start TLS: the stream is closing");
    if (s->is(k_end_wanted)) {
        return op->fail(ALOOP_EINVALIDSTATE, "Cannot call start_tls() after write_eof()");
    }
    if (s->is(k_sending_file)) return op->fail(ALOOP_EBUSY, "sendfile is in progress");
    if (s->reading != nullptr || (s->is(k_upgrading) && !op->reserves)) {
        return op->fail(ALOOP_EBUSY, "start_tls() called while another coroutine is already "
                                     "waiting for incoming data");
    }
    return 0;
}

enum : uint32_t { k_begin, k_drained, k_ready, k_shaking };

int64_t advance(start_op *op, int64_t status) {
    if (status < 0) {
        if (op->phase == k_shaking) abort_stream(op->on);
        return status;
    }
    switch (op->phase) {
    case k_begin:
        status = check(op);
        if (status < 0) return status;
        op->reserves = true;
        op->on->on(k_upgrading);
        op->phase = k_drained;
        return op->await(make_drain(op->on));
    case k_drained:
        op->phase = k_ready;
        return op->yield();  // a handshake wants more stack than a fiber may have
    case k_ready:
        status = check(op);
        if (status == 0) status = begin(op);
        if (status < 0) return status;
        op->phase = k_shaking;
        break;
    default:
        break;
    }
    return go_on(op);
}

int64_t step_start(operation *base, task *, int64_t status) {
    start_op *op = static_cast<start_op *>(base);
    stop_waiting(op, op->on);
    status = advance(op, status);
    if (status != ALOOP_PENDING) op->let_read();
    return status;
}

const op_info k_start = {"start_tls", step_start, free_operation<start_op>};

start_op::start_op(domain *d, stream *s) : operation(d, &k_start), on(s) {
    ref(static_cast<loop_object *>(s));
}

// A name as the protocol has it, without the dot at its end.
bool copy_host(const char *from, char **to) {
    if (from == nullptr || from[0] == '\0') return true;
    *to = copy_string(from);
    if (*to == nullptr) return false;
    const size_t n = std::strlen(*to);
    if (n > 1 && (*to)[n - 1] == '.') (*to)[n - 1] = '\0';
    return true;
}

tls_session *make_session(stream *s, tls_context *c, const stream_options *o, const char *host) {
    tls_session *t = loop_of(s)->make_object<tls_session>(s);
    if (t == nullptr) return nullptr;
    t->context = ptr<tls_context>::share(c);
    if (o != nullptr) {
        const tls_choice &chosen = o->tls;
        if (chosen.handshake_timeout >= 0) t->handshake_timeout = chosen.handshake_timeout;
        if (chosen.shutdown_timeout >= 0) t->shutdown_timeout = chosen.shutdown_timeout;
        if (chosen.server_hostname != nullptr) host = chosen.server_hostname;
    }
    if (c->is_server || copy_host(host, &t->host)) return t;
    unref(static_cast<loop_object *>(t));
    return nullptr;
}

const char *timeout_complaint(const stream_options *o) {
    if (o->tls.handshake_timeout >= 0) return "ssl_handshake_timeout is only meaningful with ssl";
    if (o->tls.shutdown_timeout >= 0) return "ssl_shutdown_timeout is only meaningful with ssl";
    return nullptr;
}

}  // namespace

const char *context_complaint(const tls_context *c, const char *host) {
    if (c->is_server) {
        const bool certified = SSL_CTX_get0_certificate(c->ctx) != nullptr || c->names != nullptr;
        return certified ? nullptr : "the server's context has no certificate: see "
                                     "aloop_tls_context_load_cert_chain";
    }
    const bool checked = c->checks_host && SSL_CTX_get_verify_mode(c->ctx) != SSL_VERIFY_NONE;
    if (!checked || (host != nullptr && host[0] != '\0')) return nullptr;
    return "You must set server_hostname when using ssl without a host";
}

const char *client_complaint(const aloop_stream_options *options, const char *host) {
    const stream_options *o = options_from<stream_options>(options);
    if (o == nullptr) return nullptr;
    const tls_context *c = static_cast<tls_context *>(o->tls.context.get());
    if (c == nullptr) {
        if (o->tls.server_hostname != nullptr) return "server_hostname is only meaningful with ssl";
        return timeout_complaint(o);
    }
    if (c->is_server) return "a client needs a context made by aloop_tls_context_new_client";
    return context_complaint(c, o->tls.server_hostname != nullptr ? o->tls.server_hostname : host);
}

const char *server_complaint(const aloop_stream_options *options) {
    const stream_options *o = options_from<stream_options>(options);
    if (o == nullptr) return nullptr;
    const tls_context *c = static_cast<tls_context *>(o->tls.context.get());
    if (c == nullptr) return timeout_complaint(o);
    if (!c->is_server) return "a server needs a context made by aloop_tls_context_new_server";
    return context_complaint(c, nullptr);
}

future *make_start_tls(stream *s, object *context, const stream_options *o, const char *host) {
    tls_context *c = static_cast<tls_context *>(context);
    start_op *op = loop_of(s)->make_object<start_op>(s);
    if (op == nullptr) return nullptr;
    op->session.reset(make_session(s, c, o, host));
    if (!op->session) {
        unref(op);
        return nullptr;
    }
    if (o != nullptr) op->resumed = ptr<bytes>::share(o->tls.session.get());
    return op;
}

}  // namespace aloop
