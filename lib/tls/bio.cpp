// bio.cpp: how OpenSSL reads from the layer below, and where its writing goes.
//
// SPDX-License-Identifier: MIT
#include <openssl/bio.h>
#include <openssl/err.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "session.hpp"

namespace aloop {

namespace {

void note_first(tls_session *t, const char *data, int64_t n) {
    while (n-- > 0 && t->first_count < sizeof t->first) {
        t->first[t->first_count++] = static_cast<uint8_t>(*data++);
    }
}

int64_t read_before(tls_session *t, char *to, size_t n) {
    stash *b = t->before;
    const size_t have = b->end - b->begin;
    if (n > have) n = have;
    std::memcpy(to, b->data() + b->begin, n);
    b->begin += n;
    if (b->begin == b->end) release(std::exchange(t->before, nullptr));
    return static_cast<int64_t>(n);
}

int64_t read_below(tls_session *t, char *to, size_t n) {
    if (t->before != nullptr) return read_before(t, to, n);
    if (t->below_ended) return 0;
    const below_scope scope(t);
    int64_t got;
    do {
        got = t->under->read(t->of, to, n);
    } while (got == -EINTR);
    t->short_read = got < static_cast<int64_t>(n);
    if (got == 0) t->below_ended = true;
    if (got == -EAGAIN) t->of->ready_bits() &= static_cast<uint8_t>(~k_readable);
    else if (got < 0 && got != -EALREADY) t->below = got;
    return got;
}

// A share of an iteration. New keys or a ticket take OpenSSL 3 ten to thirty
// microseconds, a tiny record one.
constexpr uint32_t k_most_records = 256;
constexpr uint32_t k_most_messages = 8;
constexpr uint32_t k_flood = 64;  // messages, packed into few records
constexpr int k_at_once = 2;      // records, of which at most so many end

void count_anew(tls_session *t) {
    const uint32_t iteration = static_cast<uint32_t>(loop_of(t)->iteration());
    if (t->counted_in == iteration) return;
    t->counted_in = iteration;
    t->records = t->messages = 0;
}

bool had_its_share(tls_session *t) {
    count_anew(t);
    return t->records >= k_most_records || t->messages >= k_most_messages;
}

// Follows the records in the next n bytes until so many of them have ended; how
// many bytes that are.
size_t follow(tls_session *t, const char *data, size_t n, int ends) {
    constexpr uint8_t k_header = 5;  // its last two bytes are the length
    size_t at = 0;
    while (at < n && ends > 0) {
        if (t->header_count < k_header) {
            t->record_left = static_cast<uint16_t>(t->record_left << 8 |
                                                   static_cast<uint8_t>(data[at++]));
            if (++t->header_count < k_header) continue;
        }
        const size_t some = t->record_left < n - at ? t->record_left : n - at;
        at += some;
        t->record_left = static_cast<uint16_t>(t->record_left - some);
        if (t->record_left > 0) break;
        t->header_count = 0;
        t->records++;
        ends--;
    }
    return at;
}

// As read_below, but of small records only a few.
int64_t read_few(tls_session *t, char *to, size_t n) {
    if (stash *b = t->before) {
        const size_t have = b->end - b->begin;
        const char *data = reinterpret_cast<const char *>(b->data() + b->begin);
        return read_before(t, to, follow(t, data, n < have ? n : have, k_at_once));
    }
    const int64_t got = read_below(t, to, n);
    if (got <= 0) return got;
    const size_t all = static_cast<size_t>(got), some = follow(t, to, all, k_at_once);
    if (some == all) return got;
    stash *rest = static_cast<stash *>(allocate(sizeof(stash) + all - some));
    if (rest == nullptr) {
        t->no_memory = true;
        return ALOOP_ENOMEM;
    }
    *rest = {0, all - some, all - some};
    std::memcpy(rest->data(), to + some, all - some);
    t->before = rest;
    return static_cast<int64_t>(some);
}

int bio_read(BIO *bio, char *to, int n) {
    tls_session *t = static_cast<tls_session *>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (n <= 0) return 0;
    const int64_t got = had_its_share(t) ? -EALREADY : read_few(t, to, static_cast<size_t>(n));
    t->sated = got == -EALREADY;
    if (got >= 0) {
        if (t->first_count < sizeof t->first) note_first(t, to, got);
        return static_cast<int>(got);
    }
    if (got == -EAGAIN || t->sated) BIO_set_retry_read(bio);
    return -1;
}

int bio_write(BIO *bio, const char *data, int n) {
    tls_session *t = static_cast<tls_session *>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (n <= 0) return 0;
    if (!reserve_out(t, static_cast<size_t>(n))) {
        t->no_memory = true;
        return -1;
    }
    std::memcpy(t->out + t->out_end, data, static_cast<size_t>(n));
    t->out_end += static_cast<size_t>(n);
    return n;
}

long bio_control(BIO *bio, int command, long, void *) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return static_cast<tls_session *>(BIO_get_data(bio))->below_ended;
    return 0;
}

// One for the process; nullptr if there was no memory for it.
BIO_METHOD *make_method() {
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "asyncloop stream");
    if (m == nullptr) return nullptr;
    const bool done = BIO_meth_set_read(m, bio_read) == 1 &&
                      BIO_meth_set_write(m, bio_write) == 1 &&
                      BIO_meth_set_ctrl(m, bio_control) == 1;
    if (done) return m;
    BIO_meth_free(m);
    return nullptr;
}

}  // namespace

BIO *make_bio(tls_session *t) {
    static BIO_METHOD *method = make_method();
    BIO *bio = method != nullptr ? BIO_new(method) : nullptr;
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

int read_record(tls_session *t, void *to, size_t n) {
    const size_t had = t->out_end - t->out_begin;
    t->short_read = false;  // of records that are here already nothing follows about others
    ERR_clear_error();
    const int got = SSL_read(t->ssl, to, n < INT_MAX ? static_cast<int>(n) : INT_MAX);
    t->answers += t->out_end - t->out_begin - had;
    return got;
}

bool is_flooded(const tls_session *t) { return t->messages > k_flood; }

void count_message(int sent, int, int type, const void *, size_t, SSL *ssl, void *) {
    if (sent != 0 || type != SSL3_RT_HANDSHAKE) return;
    tls_session *t = session_of(ssl);
    count_anew(t);
    t->messages++;
}

void drop_input(tls_session *t) {
    uint8_t *scratch = read_buffer(loop_of(t));
    for (int i = 0; scratch != nullptr && i < 16; i++) {
        if (read_below(t, reinterpret_cast<char *>(scratch), k_read_size) <= 0) return;
    }
}

bool reserve_out(tls_session *t, size_t n) {
    if (t->out_room - t->out_end >= n) return true;
    const size_t have = t->out_end - t->out_begin;
    size_t room = t->out_room * 2;
    if (room < have + n) room = have + n;
    uint8_t *bigger = static_cast<uint8_t *>(allocate(room));
    if (bigger == nullptr) return false;
    if (have > 0) std::memcpy(bigger, t->out + t->out_begin, have);
    release(t->out);
    t->out = bigger;
    t->out_begin = 0;
    t->out_end = have;
    t->out_room = room;
    return true;
}

int64_t push(tls_session *t) {
    stream *s = t->of;
    const below_scope scope(t);
    while (t->out_begin < t->out_end) {
        const iovec part = {t->out + t->out_begin, t->out_end - t->out_begin};
        const int64_t sent = t->under->write(s, &part, 1);
        if (sent > 0) {
            t->out_begin += static_cast<size_t>(sent);
        } else if (sent != -EINTR) {
            if (sent != -EAGAIN) return sent;
            s->on(k_unsent);
            s->ready_bits() &= static_cast<uint8_t>(~k_writable);
            return sent;
        }
    }
    release(std::exchange(t->out, nullptr));
    t->out_begin = t->out_end = t->out_room = 0;
    t->answers = 0;
    s->off(k_unsent);
    return t->under->flush != nullptr ? t->under->flush(s) : 0;
}

}  // namespace aloop
