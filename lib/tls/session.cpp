// session.cpp: the layer's functions.
//
// SPDX-License-Identifier: MIT
#include "session.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aloop {

namespace {

void destroy_session(object *o) {
    tls_session *t = static_cast<tls_session *>(o);
    free_contents(t);
    loop_of(t)->free_object(t);
}

const register_kind g_session(kind::tls_session, {"TLS session", destroy_session});

constexpr size_t k_batch = 65536;      // plain text that is encrypted ahead
constexpr size_t k_record = 16384;     // of TLS
constexpr size_t k_overhead = 256;     // more than four records add

int64_t give_up(tls_session *t, const char *why) {
    lose(t->of, ALOOP_ETLS, make_error(ALOOP_ETLS, why));
    return ALOOP_ETLS;
}

// Reading may answer, with a refusal to renegotiate or new keys, also where no
// data came. A failure of the layer below shows with the next write; a peer that
// asks and asks and takes no answer would fill the memory.
int64_t answer(tls_session *t) {
    constexpr size_t k_most_answers = 65536;
    if (is_flooded(t)) return give_up(t, "the peer floods the connection with handshake messages");
    if (t->out_end > t->out_begin) push(t);
    // Data are encrypted into an empty `out` only, so what is left of them goes first.
    const size_t held = t->out_end - t->out_begin;
    if (std::min(held, t->answers) <= k_most_answers) return 0;
    return give_up(t, "the peer asks for new keys or handshakes over and over, and does not read "
                      "the answers");
}

// Why SSL_read gave no data.
int64_t read_failed(tls_session *t, int result) {
    stream *s = t->of;
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        if (const int64_t code = answer(t); code < 0) return code;
        return t->sated ? -EALREADY : -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    error *why = nullptr;
    const int64_t code = explain(t, &why);
    push(t);  // the alert, as far as it goes
    if (!s->is(k_lost)) lose(s, code, why);
    else if (why != nullptr) unref(why);
    return code;
}

int64_t tls_read(stream *s, void *to, size_t n) {
    tls_session *t = session_of(s);
    if (!t->established) return -EAGAIN;
    const int got = read_record(t, to, n);
    if (got <= 0) return read_failed(t, got);
    const int64_t code = answer(t);
    return code < 0 ? code : got;
}

// Small pieces share a record.
int64_t gather(tls_session *t, const iovec *parts, int n) {
    uint8_t *record = static_cast<uint8_t *>(allocate(k_record));
    if (record == nullptr) return ALOOP_ENOMEM;
    size_t have = 0;
    for (int i = 0; i < n && have < k_record; i++) {
        size_t size = parts[i].iov_len;
        if (size > k_record - have) size = k_record - have;
        if (size > 0) std::memcpy(record + have, parts[i].iov_base, size);
        have += size;
    }
    const int64_t written = SSL_write(t->ssl, record, static_cast<int>(have));
    release(record);
    return written;
}

int64_t encrypt(tls_session *t, const iovec *parts, int n) {
    ERR_clear_error();
    if (n > 1 && parts->iov_len < k_record) return gather(t, parts, n);
    int64_t taken = 0;
    const uint8_t *data = static_cast<const uint8_t *>(parts->iov_base);
    const size_t size = parts->iov_len < k_batch ? parts->iov_len : k_batch;
    if (!reserve_out(t, size + k_overhead)) return ALOOP_ENOMEM;
    while (static_cast<size_t>(taken) < size) {
        const int left = static_cast<int>(size) - static_cast<int>(taken);
        const int written = SSL_write(t->ssl, data + taken, left);
        if (written <= 0) return written;
        taken += written;
    }
    return taken;
}

// An alert that came before the connection failed tells why: asyncio, which reads,
// sees it first. Data on the way are kept for who reads.
void look_for_alert(tls_session *t) {
    stream *s = t->of;
    for (int i = 0; i < 16 && !s->is(k_lost); i++) {
        uint8_t *data = read_buffer(loop_of(s));
        if (data == nullptr) return;
        const int got = read_record(t, data, k_read_size);
        if (got > 0) {
            put_back(s, data, static_cast<size_t>(got));
            continue;
        }
        if (SSL_get_error(t->ssl, got) != SSL_ERROR_SSL) return;
        error *why = nullptr;
        const int64_t code = explain(t, &why);
        if (code == ALOOP_ETLS) lose(s, code, why);
        else if (why != nullptr) unref(why);
        return;
    }
}

int64_t write_failed(tls_session *t, int64_t code) {
    if (code == -EAGAIN || !t->established) return code;
    look_for_alert(t);
    return t->of->loss != 0 ? t->of->loss : code;
}

int64_t tls_write(stream *s, const iovec *parts, int n) {
    tls_session *t = session_of(s);
    int64_t code = push(t);
    if (code < 0) return write_failed(t, code);
    if (!t->established) return -EAGAIN;
    while (n > 1 && parts->iov_len == 0) {
        parts++;
        n--;
    }
    const int64_t taken = encrypt(t, parts, n);
    if (taken <= 0) {
        error *why = nullptr;
        code = taken < -1 ? taken : explain(t, &why);
        lose(s, code, why != nullptr ? why : make_error(code, nullptr));
        return code;
    }
    code = push(t);
    return code < 0 && code != -EAGAIN ? write_failed(t, code) : taken;
}

void shutdown_is_late(alarm *a) {
    stream *s = static_cast<tls_session *>(a->owner)->of;
    if (s == nullptr) return;
    lose(s, ALOOP_ETIMEDOUT, make_error(ALOOP_ETIMEDOUT, "SSL shutdown timed out"));
}

// Whether the peer's close_notify, or its end, has come; data before it are
// dropped, a bounded amount in each iteration.
bool peer_is_done(tls_session *t) {
    uint8_t *scratch = read_buffer(loop_of(t->of));
    if (scratch == nullptr) return true;
    for (int i = 0; i < 16; i++) {
        const int got = read_record(t, scratch, k_read_size);
        if (got > 0) continue;
        const int kind = SSL_get_error(t->ssl, got);
        ERR_clear_error();  // whatever it is, it is no failure any more
        if (kind != SSL_ERROR_WANT_READ) return true;
        if (t->sated) break;
        return false;
    }
    stream_again(t->of);
    return false;
}

int64_t tls_finish(stream *s) {
    tls_session *t = session_of(s);
    if (!t->established) return 0;
    if (!t->parting) {
        t->parting = true;
        if (t->shutdown_timeout > 0) {
            t->timer.set(t, shutdown_is_late,
                         deadline_after(loop_of(s)->now(), t->shutdown_timeout), false);
        }
    }
    if (s->queue_tail != nullptr) return -EAGAIN;
    int64_t code = push(t);
    if (code < 0) return code;
    if (!t->said_goodbye) {
        t->said_goodbye = true;
        ERR_clear_error();
        code = SSL_shutdown(t->ssl) < 0 ? int64_t{ALOOP_EPIPE} : push(t);
        if (code == -EAGAIN) return code;
    }
    // Whether the peer hears of it or not: the program wants no more.
    if (code == 0 && t->shutdown_timeout > 0) {
        if (!peer_is_done(t)) return -EAGAIN;
        if (t->below < 0) return t->below;  // a reset is one, as in asyncio
    }
    if (t->under->finish == nullptr) return 0;
    const below_scope scope(t);
    return t->under->finish(s);
}

void tls_close(stream *s) {
    tls_session *t = session_of(s);
    if (t->timer.is_set()) t->timer.clear();
    s->lower = t->under_lower;
    t->under->close(s);
    s->lower = nullptr;
    t->of = nullptr;
    free_contents(t);
    unref(static_cast<loop_object *>(t));
}

int64_t tls_flush(stream *s) { return push(session_of(s)); }

int64_t failure_below(tls_session *t) {
    const below_scope scope(t);
    return t->under->failure != nullptr ? t->under->failure(t->of) : 0;
}

int64_t tls_failure(stream *s) {
    tls_session *t = session_of(s);
    const int64_t code = failure_below(t);
    if (code < 0 && t->established) look_for_alert(t);
    return code;
}

bool tls_trusts(stream *s) {
    tls_session *t = session_of(s);
    if (!t->short_read || t->before != nullptr || SSL_has_pending(t->ssl) == 1) return false;
    const below_scope scope(t);
    return t->under->trusts_short_reads(s);
}

}  // namespace

const stream_layer k_tls = {tls_read,    tls_write, nullptr,   tls_close,  tls_trusts,
                            tls_failure, nullptr,   tls_flush, tls_finish, tls_info};

void free_contents(tls_session *t) {
    if (t->ssl != nullptr) SSL_free(std::exchange(t->ssl, nullptr));
    t->context.reset();
    t->rejection.reset();
    release(std::exchange(t->host, nullptr));
    release(std::exchange(t->before, nullptr));
    release(std::exchange(t->out, nullptr));
    ERR_clear_error();
}

int64_t install(stream *s, tls_session *t) {
    // What was queued goes out first, as it is.
    if (!reserve_out(t, s->queued_bytes + 1)) return ALOOP_ENOMEM;
    chunk *c = s->queue();
    for (size_t left = s->queued_bytes; left > 0; c = c->next) {
        const size_t n = c->end - c->begin;
        std::memcpy(t->out + t->out_end, c->data() + c->begin, n);
        t->out_end += n;
        left -= n;
    }
    drop_queue(s);
    t->before = std::exchange(s->unread, nullptr);
    s->layer = &k_tls;
    s->lower = t;
    s->off(k_drained);
    s->ready_bits() |= k_readable;
    return 0;
}

}  // namespace aloop
