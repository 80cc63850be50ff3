// session.hpp: TLS on one stream: a layer between the stream's buffers and what
// they stood on before, be it a socket, a pair in memory, or TLS again.
//
// OpenSSL reads what the layer below gives, with no buffer between; what it
// writes is gathered in `out`, so that the records of one write leave with one
// call. No more than a batch is ever encrypted ahead of what the layer below
// takes, and none while something is held: a huge write waits as plain text in
// the stream's queue, where the water marks count it.
//
// The stream's readiness bits stay those of the descriptor. They are cleared
// only when the layer below has said -EAGAIN, which OpenSSL asks for only when
// it has no whole record left: so nothing that was decrypted is forgotten.
//
// A peer can send without end what brings no data (new keys, tickets) or next to
// none (tiny records), and each call of OpenSSL would go on until there is some.
// So it is given a few records at a time, the rest waits in `before`; and once an
// iteration has seen its share, reading answers -EALREADY until the next one.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../loop/alarm.hpp"
#include "context.hpp"
#include "tls.hpp"

namespace aloop {

// A loop object for its timer's sake, which may stand in the ready queue when
// the stream has closed; the stream holds one reference.
struct tls_session final : loop_object {
    stream *of;  // nullptr once that is closed
    const stream_layer *under;
    void *under_lower;
    SSL *ssl = nullptr;
    ptr<tls_context> context;
    char *host = nullptr;   // the server's name: as a client's program, or its hello, has it
    stash *before = nullptr;  // to be read first: received before TLS began, or too much
    uint8_t *out = nullptr;
    size_t out_begin = 0, out_end = 0, out_room = 0;
    double handshake_timeout = 60;
    double shutdown_timeout = 30;
    aloop::alarm timer;     // of the handshake, then of the shutdown
    ptr<error> rejection;   // why we refuse the peer: its certificate, its hello
    int64_t below = 0;      // the code with which the layer below failed
    uint8_t first[8] = {};  // what came first: shows a peer that speaks no TLS
    uint8_t first_count = 0;
    uint8_t header_count = 0;  // of a record's header: bytes that have come
    uint16_t record_left = 0;  // of a record's body: bytes to come
    uint32_t counted_in = 0;   // the iteration of these:
    uint32_t records = 0;      // given to OpenSSL
    uint32_t messages = 0;     // of handshakes, and of what comes after those
    size_t answers = 0;        // in `out`, that the peer asked for by what it sent
    bool greeted = false;      // a server's: the client's first hello was read
    bool established = false;
    bool late = false;         // the handshake's time is up, but not all that came is read
    bool below_ended = false;
    bool short_read = false;   // the last record's read below got less than it asked for
    bool sated = false;        // what OpenSSL waits for is the next iteration
    bool no_memory = false;
    bool parting = false;      // the shutdown has begun
    bool said_goodbye = false; // our close_notify is written

    tls_session(domain *d, stream *s)
        : loop_object(kind::tls_session, d), of(s), under(s->layer), under_lower(s->lower) {}
};

extern const stream_layer k_tls;

inline tls_session *session_of(stream *s) { return static_cast<tls_session *>(s->lower); }
inline tls_session *session_of(const SSL *ssl) {
    return static_cast<tls_session *>(SSL_get_app_data(ssl));
}

// The stream as the layer below knows it, for one call.
class below_scope {
public:
    explicit below_scope(tls_session *t) : of_(t->of), above_(t->of->lower) {
        of_->lower = t->under_lower;
    }
    below_scope(const below_scope &) = delete;
    below_scope &operator=(const below_scope &) = delete;
    ~below_scope() { of_->lower = above_; }

private:
    stream *of_;
    void *above_;
};

// Puts TLS on a stream: from now on nothing goes out unencrypted, and what is
// queued or unread belongs to the layer below. 0, or ALOOP_ENOMEM.
int64_t install(stream *s, tls_session *t);
void free_contents(tls_session *t);

// Why this context cannot be used, by a client to reach host; nullptr: it can.
const char *context_complaint(const tls_context *c, const char *host);

// Reading and writing for OpenSSL (bio.cpp). nullptr: out of memory.
BIO *make_bio(tls_session *t);
// Sends what was written; 0, -EAGAIN while some of it is held, or why not.
int64_t push(tls_session *t);
// Reads and drops what has come: unread, it would turn the close into a reset,
// which can overtake the alert that tells the peer why.
void drop_input(tls_session *t);
bool reserve_out(tls_session *t, size_t n);
// SSL_read; counts what it answers to the peer.
int read_record(tls_session *t, void *to, size_t n);
// Whether the peer's messages are so many that they cannot be meant well.
bool is_flooded(const tls_session *t);
// OpenSSL's callback for each message of TLS.
void count_message(int sent, int version, int type, const void *data, size_t n, SSL *ssl,
                   void *argument);

// What went wrong in the last call of OpenSSL, in words that help (failure.cpp).
// Returns the code; *why is a new reference or nullptr.
int64_t explain(tls_session *t, error **why);
// OpenSSL's callback for each certificate of the peer's chain.
int check_certificate(int ok, X509_STORE_CTX *chain);

// The names of extra info (info.cpp).
int64_t tls_info(stream *s, const char *name, char *buffer, size_t size);
int64_t encode_peer(tls_session *t, bytes **out);
int64_t encode_session(tls_session *t, bytes **out);
// What a certificate says of itself, cut to size.
void print_name(const X509_NAME *name, char *text, size_t size);
void print_time(const ASN1_TIME *time, char *text, size_t size);
void print_names_of(X509 *certificate, char *text, size_t size);

}  // namespace aloop
