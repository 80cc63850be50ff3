/*
 * Peers that speak TLS by its rules and against its sense: that send without end
 * what brings no data, ask for answers that they do not read, change their mind in
 * mid-handshake.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/kdf.h>
#include <string.h>

#include "peer.h"
#include "tls_raw.h"

/* What brings no data ------------------------------------------------------------------------ */

enum { FLOOD = 50000 }; /* three shares of an iteration, and less than the pair holds */

static int64_t iteration(void) { return aloop_loop_iteration(aloop_get_running_loop()); }

static void new_keys(struct raw *r) {
    assert_int_equal(SSL_key_update(r->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(r->ssl), 1);
}

static void new_keys_both_ways(struct raw *r) {
    assert_int_equal(SSL_key_update(r->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(r->ssl), 1);
}

static void ticket(struct raw *r) {
    assert_int_equal(SSL_new_session_ticket(r->ssl), 1);
    assert_int_equal(SSL_do_handshake(r->ssl), 1);
}

static void hello_request(struct raw *r) {
    assert_int_equal(SSL_renegotiate(r->ssl), 1);
    assert_int_equal(SSL_do_handshake(r->ssl), 1);
}

static void tiny_record(struct raw *r) { assert_int_equal(SSL_write(r->ssl, "x", 1), 1); }

struct flood {
    const char *what;
    void (*one)(struct raw *r);
    bool by_server;
    int version;
};

static const struct flood floods[] = {
    {"new keys", new_keys, false, TLS1_3_VERSION},
    {"new keys of a server", new_keys, true, TLS1_3_VERSION},
    {"new keys both ways", new_keys_both_ways, false, TLS1_3_VERSION},
    {"tickets", ticket, true, TLS1_3_VERSION},
    {"hello requests", hello_request, true, TLS1_2_VERSION},
    {"tiny records", tiny_record, false, TLS1_3_VERSION},
    {"tiny records of old", tiny_record, true, TLS1_2_VERSION},
};

static void send_flood(struct raw *r, const struct flood *f) {
    while (BIO_ctrl_pending(r->out) < FLOOD) f->one(r);
    assert_true(raw_sends(r) < 65536);
    assert_int_equal(aloop_stream_get_write_buffer_size(r->stream), 0);
}

static void take_line(struct raw *r) { assert_true(AWAIT(aloop_stream_readline(r->ours)) > 0); }

static int64_t note_line(aloop_stream *t, const void *bytes, size_t n, void *seen) {
    (void)t;
    if (memchr(bytes, '\n', n) != NULL) ++*(int *)seen;
    return 0;
}

static void be_told_of_line(struct raw *r) {
    int seen = 0;
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_data_received(p, note_line), 0);
    assert_code(aloop_stream_set_protocol(r->ours, p, &seen), 0);
    while (seen == 0) let_run(1);
    aloop_unref(p);
}

static void close_in_order(struct raw *r) {
    SSL_shutdown(r->ssl);
    raw_sends(r);
    assert_code(aloop_stream_close(r->ours), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(r->ours)), 0);
}

struct way {
    const struct flood *flood;
    void (*take)(struct raw *r);
};

/* How many iterations it takes to come to the line. */
static int64_t taking(const struct way *way, bool with_flood) {
    struct raw r = raw_peer(way->flood->by_server, way->flood->version);
    raw_shakes(&r);
    if (with_flood) send_flood(&r, way->flood);
    assert_int_equal(SSL_write(r.ssl, "\n", 1), 1);
    raw_sends(&r);
    const int64_t begun = iteration();
    way->take(&r);
    const int64_t took = iteration() - begun;
    drop_raw(&r);
    return took;
}

static int64_t take_behind(void *arg, void **value) {
    const struct way *way = arg;
    (void)value;
    const int64_t alone = taking(way, false);
    if (taking(way, true) <= alone) fail_msg("%s are taken at one go", way->flood->what);
    return 0;
}

static void behind_each(void (*take)(struct raw *r)) {
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        struct way way = {&floods[i], take};
        in_roomy_task(take_behind, &way);
    }
}

static void a_read_takes_turns(void **state) {
    (void)state;
    behind_each(take_line);
}

static void a_protocol_takes_turns(void **state) {
    (void)state;
    behind_each(be_told_of_line);
}

static void a_close_takes_turns(void **state) {
    (void)state;
    behind_each(close_in_order);
}

/* A client in mid-handshake skips the hellos it is asked for. */
static int64_t shaking(size_t requests) {
    static const char request[] = "\x16\x03\x03\x00\x04\x00\x00\x00\x00";
    static const char refusal[] = "\x15\x03\x03\x00\x02\x02\x28";
    aloop_stream *ours = NULL, *theirs = NULL;
    assert_code(aloop_stream_pair(&ours, &theirs, NULL), 0);
    for (size_t i = 0; i < requests; i++) {
        assert_code(aloop_stream_write(theirs, request, sizeof request - 1), 0);
    }
    assert_code(aloop_stream_write(theirs, refusal, sizeof refusal - 1), 0);
    aloop_tls_context *c = client_context(authority());
    const int64_t begun = iteration();
    assert_code(start_tls(ours, c, "localhost", NULL, 0), ALOOP_ETLS);
    const int64_t took = iteration() - begun;
    aloop_unref(c);
    drop_plain(&(struct plain_ends){ours, theirs});
    return took;
}

static int64_t shake_behind(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t alone = shaking(0);
    assert_true(shaking(FLOOD / 9) > alone);
    return 0;
}

static void a_handshake_takes_turns(void **state) {
    (void)state;
    in_roomy_task(shake_behind, NULL);
}

/* Handshake messages may also share a record: hundreds of them in one that OpenSSL
 * would not make, so it is made here, with the keys of TLS 1.2 (RFC 5246, 6.3). */

static void server_keys(const SSL *ssl, uint8_t key[16], uint8_t iv[4]) {
    uint8_t master[48], random[32], block[40];
    size_t size = sizeof block;
    EVP_PKEY_CTX *prf = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    EVP_PKEY_derive_init(prf);
    EVP_PKEY_CTX_set_tls1_prf_md(prf, EVP_sha256());
    assert_int_equal(SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master), 48);
    EVP_PKEY_CTX_set1_tls1_prf_secret(prf, master, sizeof master);
    EVP_PKEY_CTX_add1_tls1_prf_seed(prf, (const uint8_t *)"key expansion", 13);
    SSL_get_server_random(ssl, random, sizeof random);
    EVP_PKEY_CTX_add1_tls1_prf_seed(prf, random, sizeof random);
    SSL_get_client_random(ssl, random, sizeof random);
    EVP_PKEY_CTX_add1_tls1_prf_seed(prf, random, sizeof random);
    assert_int_equal(EVP_PKEY_derive(prf, block, &size), 1);
    EVP_PKEY_CTX_free(prf);
    memcpy(key, block + 16, 16); /* behind the client's */
    memcpy(iv, block + 36, 4);
}

enum { MOST_PACKED = 8192 };

static void send_record(struct raw *r, uint8_t number, uint8_t type, const void *data, int size) {
    const uint8_t head[5] = {type, 3, 3, (uint8_t)((size + 24) >> 8), (uint8_t)(size + 24)};
    uint8_t record[5 + 8 + MOST_PACKED + 16] = {0};
    const uint8_t sequence[13] = {
        0, 0, 0, 0, 0, 0, 0, number, type, 3, 3, (uint8_t)(size >> 8), (uint8_t)size};
    uint8_t key[16], nonce[12] = {0};
    server_keys(r->ssl, key, nonce);
    memcpy(record, head, sizeof head);
    record[12] = nonce[11] = number; /* the explicit part */
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, nonce);
    EVP_EncryptUpdate(c, NULL, &n, sequence, sizeof sequence);
    EVP_EncryptUpdate(c, record + 13, &n, data, size);
    EVP_EncryptFinal_ex(c, record + 13 + size, &n);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, record + 13 + size);
    EVP_CIPHER_CTX_free(c);
    assert_true(aloop_stream_write(r->stream, record, 13 + (size_t)size + 16) >= 0);
}

static int64_t packed(void *arg, void **value) {
    static const uint8_t requests[MOST_PACKED]; /* of type 0 and no length */
    const int count = *(const int *)arg;
    (void)value;
    struct raw r = raw_peer(true, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(r.ssl, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
    raw_shakes(&r);
    send_record(&r, 1, SSL3_RT_HANDSHAKE, requests, 4 * count);
    send_record(&r, 2, SSL3_RT_APPLICATION_DATA, "y", 1);
    aloop_future *read = aloop_stream_read(r.ours, 1);
    const int64_t status = AWAIT(aloop_ref(read));
    if (count <= 64) {
        assert_code(status, 1);
    } else {
        assert_code(status, ALOOP_ETLS);
        assert_string_equal(aloop_error_message(aloop_future_error(read)),
                            "the peer floods the connection with handshake messages");
    }
    aloop_unref(read);
    drop_raw(&r);
    return 0;
}

static void packed_messages_are_a_flood(void **state) {
    (void)state;
    int counts[] = {1, 63, 64, 65, 2000};
    for (int i = 0; i < 5; i++) in_roomy_task(packed, &counts[i]);
}

/* An iteration's share of records, to the record. */
static int64_t taking_tiny(int records) {
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    raw_shakes(&r);
    let_run(3);
    for (int i = 1; i < records; i++) tiny_record(&r);
    assert_int_equal(SSL_write(r.ssl, "\n", 1), 1);
    assert_true(raw_sends(&r) < 65536);
    const int64_t begun = iteration();
    assert_code(AWAIT(aloop_stream_readline(r.ours)), records);
    const int64_t took = iteration() - begun;
    drop_raw(&r);
    return took;
}

static int64_t share_of_records(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t one = taking_tiny(1);
    assert_int_equal(taking_tiny(255), one);
    assert_int_equal(taking_tiny(256), one);
    assert_int_equal(taking_tiny(257), one + 1);
    assert_int_equal(taking_tiny(512), one + 1);
    assert_int_equal(taking_tiny(513), one + 2);
    return 0;
}

static void a_share_is_so_many_records(void **state) {
    (void)state;
    in_roomy_task(share_of_records, NULL);
}

/* And of messages that bring no data, of which a share is eight. */
static int64_t taking_behind(int messages) {
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    raw_shakes(&r);
    let_run(3);
    for (int i = 0; i < messages; i++) new_keys(&r);
    assert_int_equal(SSL_write(r.ssl, "\n", 1), 1);
    raw_sends(&r);
    const int64_t begun = iteration();
    assert_code(AWAIT(aloop_stream_readline(r.ours)), 1);
    const int64_t took = iteration() - begun;
    drop_raw(&r);
    return took;
}

static int64_t share_of_messages(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t none = taking_behind(0);
    assert_int_equal(taking_behind(7), none);
    assert_int_equal(taking_behind(8), none + 1);
    assert_int_equal(taking_behind(15), none + 1);
    assert_int_equal(taking_behind(16), none + 2);
    return 0;
}

static void a_share_is_so_many_messages(void **state) {
    (void)state;
    in_roomy_task(share_of_messages, NULL);
}

/* Answers that nobody reads ------------------------------------------------------------------ */

/* One is a record of its own. The pair holds as many bytes as we do: so many fit, and
 * one more is too many. */
enum { ANSWER = 27, MOST_ASKED = (65536 + 65536) / ANSWER };

static void ask_for_keys(struct raw *r, int times) {
    for (int asked = 0; asked < times;) {
        for (int i = 0; i < 100 && asked < times; i++, asked++) new_keys_both_ways(r);
        raw_sends(r);
        let_run(40);
    }
}

/* OpenSSL may keep an answer until the next message comes. From now on there is one
 * for each request, be it for the one before. */
static void ask_for_first(struct raw *r) {
    ask_for_keys(r, 1);
    aloop_bytes *first = NULL;
    aloop_await(aloop_wait_for(aloop_stream_read(r->stream, 65536), 1), (void **)&first);
    aloop_bytes_unref(first);
}

static int64_t unread_answers(void *arg, void **value) {
    const int times = *(const int *)arg;
    (void)value;
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    raw_shakes(&r);
    let_run(3);
    assert_true(raw_hears(&r)); /* the tickets; nothing is left in the pair */
    struct reports seen; /* that nobody awaits it yet when it fails */
    capture_reports(aloop_get_running_loop(), &seen);
    aloop_future *read = aloop_stream_read(r.ours, 1);
    aloop_task *reading = aloop_ensure_future(aloop_ref(read));
    ask_for_first(&r);
    ask_for_keys(&r, times);
    assert_int_equal(aloop_future_done(reading), times > MOST_ASKED);
    if (times <= MOST_ASKED) {
        assert_int_equal(SSL_write(r.ssl, "y", 1), 1);
        raw_sends(&r);
        assert_code(AWAIT(reading), 1);
    } else {
        assert_code(AWAIT(reading), ALOOP_ETLS);
        assert_non_null(strstr(aloop_error_message(aloop_future_error(read)),
                               "asks for new keys or handshakes over and over"));
    }
    aloop_unref(read);
    drop_raw(&r);
    return 0;
}

static void unread_answers_do_not_pile_up(void **state) {
    (void)state;
    int times[] = {MOST_ASKED - 1, MOST_ASKED, MOST_ASKED + 1};
    for (int i = 0; i < 3; i++) in_roomy_task(unread_answers, &times[i]);
}

static int64_t read_on(void *arg, void **value) {
    static char got[1 << 16];
    struct raw *r = arg;
    (void)value;
    while (raw_hears(r)) {
        while (SSL_read(r->ssl, got, sizeof got) > 0) continue;
    }
    return 0;
}

/* Who reads them may ask for as many; some may wait behind data. */
static int64_t read_answers(void *arg, void **value) {
    (void)arg, (void)value;
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    raw_shakes(&r);
    static char block[1 << 20];
    aloop_task *reading = aloop_ensure_future(aloop_stream_readexactly(r.ours, 1)), *theirs = NULL;
    assert_true(aloop_stream_write(r.ours, block, sizeof block) > 0);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 2000; i++) new_keys_both_ways(&r); /* 54,000 bytes of answers */
        raw_sends(&r);
        let_run(400);
        if (round == 0) theirs = aloop_create_task(read_on, &r);
    }
    assert_int_equal(SSL_write(r.ssl, "y", 1), 1);
    raw_sends(&r);
    assert_code(AWAIT(reading), 1);
    assert_code(aloop_stream_get_write_buffer_size(r.ours), 0);
    aloop_stream_abort(r.ours);
    assert_code(AWAIT(theirs), 0);
    drop_raw(&r);
    return 0;
}

static void answers_that_are_read_may_be_many(void **state) {
    (void)state;
    in_roomy_task(read_answers, NULL);
}

/* Another name in the second hello ------------------------------------------------------------- */

/* Replaces it in what the peer is about to send; whether it was there. */
static bool replace(struct raw *r, const char *what, const char *by, size_t n) {
    char *data = NULL;
    const long size = BIO_get_mem_data(r->out, &data);
    char *at = memmem(data, (size_t)size, what, n);
    if (at != NULL) memcpy(at, by, n);
    return at != NULL;
}

static const char share[] = "\x00\x33\x00\x47\x00\x45\x00\x17";
static const char unknown_share[] = "\x00\x33\x00\x47\x00\x45\xfa\xfa";
static const char groups[] = "\x00\x0a\x00\x06\x00\x04\x00\x17";
static const char unknown_groups[] = "\x00\x0a\x00\x06\x00\x04\xfa\xfa";
static const char name[] = "\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhost";
static const char no_name[] = "\xfa\xfb\x00\x0e\x00\x0c\x00\x00\x09localhost";
static const char other_name[] = "\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhosz";

struct hellos {
    const char *first, *second; /* what stands for the name; NULL: itself */
    bool refused;
};

static int64_t shake_twice(void *arg, void **value) {
    const struct hellos *h = arg;
    (void)value;
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    assert_int_equal(SSL_set1_groups_list(r.ssl, "P-256:X25519"), 1);
    aloop_tls_context *c = server_context(server_certificate());
    struct reports seen; /* that nobody awaits it yet when it fails */
    capture_reports(aloop_get_running_loop(), &seen);
    aloop_future *starting = aloop_stream_start_tls(r.ours, c, NULL);
    aloop_task *ours = aloop_ensure_future(aloop_ref(starting));
    /* A hello with a key of an unknown kind must be sent again. */
    assert_int_equal(SSL_do_handshake(r.ssl), -1);
    assert_true(replace(&r, share, unknown_share, sizeof share - 1));
    assert_true(replace(&r, groups, unknown_groups, sizeof groups - 1));
    if (h->first != NULL) assert_true(replace(&r, name, h->first, sizeof name - 1));
    raw_sends(&r);
    assert_true(raw_hears(&r));
    assert_int_equal(SSL_do_handshake(r.ssl), -1);
    if (h->second != NULL) assert_true(replace(&r, name, h->second, sizeof name - 1));
    assert_true(raw_sends(&r) > 200);
    /* Whatever it says, the hello was changed on its way, and hands are not shaken. */
    assert_true(raw_hears(&r));
    if (h->refused) assert_int_equal(aloop_future_done(ours), 1);
    aloop_stream_abort(r.stream);
    const int64_t status = AWAIT(ours);
    const char *text = aloop_error_message(aloop_future_error(starting));
    assert_int_equal(strstr(text, "another server name in its second hello") != NULL, h->refused);
    assert_code(status, h->refused ? ALOOP_ETLS : ALOOP_ECONNRESET);
    aloop_unref(starting);
    aloop_unref(c);
    drop_raw(&r);
    return 0;
}

static void a_name_stays_what_it_was(void **state) {
    (void)state;
    static const struct hellos all[] = {{NULL, NULL, false},
                                        {no_name, no_name, false},
                                        {NULL, other_name, true},
                                        {NULL, no_name, true},
                                        {no_name, NULL, true}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        in_roomy_task(shake_twice, (void *)&all[i]);
    }
}

TLS_SUITE(CASE(a_read_takes_turns), CASE(a_protocol_takes_turns), CASE(a_close_takes_turns),
          CASE(a_handshake_takes_turns), CASE(packed_messages_are_a_flood),
          CASE(a_share_is_so_many_records), CASE(a_share_is_so_many_messages),
          CASE(unread_answers_do_not_pile_up),
          CASE(answers_that_are_read_may_be_many),
          CASE(a_name_stays_what_it_was))
