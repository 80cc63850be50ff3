/*
 * Sessions: resumed from a context's memory and from the program's, by clients
 * with and without a certificate; and those that must not be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "peer.h"
#include "tls_peer.h"

/* A connection between two contexts (borrowed) that is used and ended in order,
 * without which TLS 1.2 resumes nothing. */
struct visit {
    aloop_tls_context *client, *server;
    const char *host;           /* NULL: "localhost" */
    const aloop_bytes *offered; /* or NULL */
    const char *reused;         /* what both sides must say */
    aloop_bytes *got;           /* of the client; wanted where wants is set */
    bool wants;
};

static void visit(struct visit *v) {
    aloop_ref(v->client), aloop_ref(v->server);
    struct ends ends = good_ends((struct tls_wish){
        .client = v->client, .server = v->server, .host = v->host, .session = v->offered});
    passes(ends.server, ends.client, "a ticket comes with it");
    assert_info(ends.client, "session_reused", v->reused);
    assert_info(ends.server, "session_reused", v->reused);
    assert_info(ends.client, "peercert_subject", "CN=server");
    assert_info(ends.server, "server_hostname", v->host != NULL ? v->host : "localhost");
    if (v->wants) assert_code(aloop_stream_get_tls_session(ends.client, &v->got), 0);
    assert_code(aloop_stream_close(ends.server), 0);
    assert_reads(aloop_stream_read(ends.client, 1), "");
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), 0);
    drop_ends(&ends);
}

static aloop_tls_context *client_up_to(int32_t version) {
    aloop_tls_context *c = client_context(authority());
    assert_code(aloop_tls_context_set_max_version(c, version), 0);
    return c;
}

/* The usual two, of which nothing is to be resumed yet; version: the client's most. */
static struct visit first_visit(const void *version, bool wants) {
    return (struct visit){.client = client_up_to(*(const int32_t *)version),
                          .server = server_context(server_certificate()),
                          .reused = "0", .wants = wants};
}

static int64_t last_visit(struct visit *v) {
    aloop_bytes_unref(v->got);
    aloop_unref(v->client);
    aloop_unref(v->server);
    return 0;
}

/* Runs it with TLS 1.3 and with TLS 1.2. */
static void in_both(aloop_coro_fn fn) {
    int32_t version = ALOOP_TLS_1_3;
    in_simulation(fn, &version);
    version = ALOOP_TLS_1_2;
    in_simulation(fn, &version);
}

static int64_t remembered(void *arg, void **value) {
    (void)value;
    struct visit v = first_visit(arg, false);
    visit(&v);
    visit(&v); /* not unless it was told to */
    assert_code(aloop_tls_context_set_session_cache(v.client, 1), 0);
    visit(&v);
    v.reused = "1";
    visit(&v);
    visit(&v);
    assert_code(aloop_tls_context_set_session_cache(v.client, 0), 0);
    v.reused = "0";
    visit(&v);
    return last_visit(&v);
}

static void a_context_remembers_sessions(void **state) {
    (void)state;
    in_both(remembered);
}

/* The program keeps them, and another context of its own resumes them. */
static int64_t kept(void *arg, void **value) {
    (void)value;
    struct visit v = first_visit(arg, true);
    visit(&v);
    aloop_unref(v.client);
    v.client = client_up_to(*(const int32_t *)arg);
    v.offered = v.got;
    v.reused = "1";
    visit(&v);
    aloop_bytes_unref((aloop_bytes *)v.offered);
    v.offered = v.got;
    v.wants = false;
    visit(&v); /* and what a resumed connection gave */
    aloop_unref(v.server);

    /* Another server knows nothing of it, and shakes hands as with anybody. */
    v.server = server_context(server_certificate());
    v.reused = "0";
    visit(&v);
    aloop_unref(v.client);
    v.client = client_context(server_certificate()); /* trusts the server, and not who made it */
    visit(&v);
    return last_visit(&v);
}

static void a_program_keeps_sessions(void **state) {
    (void)state;
    in_both(kept);
}

/* What is no session, or half of one, is ignored. */
static int64_t not_one(void *arg, void **value) {
    (void)value;
    struct visit v = first_visit(arg, true);
    visit(&v);
    const size_t size = aloop_bytes_size(v.got);
    aloop_bytes *half = aloop_bytes_new(aloop_bytes_data(v.got), size / 2);
    aloop_bytes *words = aloop_bytes_new("no session at all", 17);
    aloop_bytes *nothing = aloop_bytes_new("", 0);
    aloop_bytes_unref(v.got);
    v.wants = false;
    const aloop_bytes *const bad[] = {half, words, nothing};
    for (int i = 0; i < 3; i++) {
        v.offered = bad[i];
        visit(&v);
    }
    aloop_bytes_unref(half), aloop_bytes_unref(words), aloop_bytes_unref(nothing);
    aloop_unref(v.client);
    aloop_unref(v.server);
    return 0;
}

static void what_is_no_session_is_ignored(void **state) {
    (void)state;
    in_both(not_one);
}

static int64_t get_elsewhere(void *stream) {
    aloop_bytes *session = NULL;
    return aloop_stream_get_tls_session(stream, &session);
}

static int64_t errors(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_bytes *session = NULL;
    assert_code(aloop_stream_get_tls_session(NULL, &session), ALOOP_EINVAL);
    struct plain_ends plain = plain_ends();
    assert_code(aloop_stream_get_tls_session(plain.client, &session), ALOOP_ENOENT);
    drop_plain(&plain);
    struct ends ends = usual_ends();
    passes(ends.server, ends.client, "with a ticket");
    assert_code(aloop_stream_get_tls_session(ends.client, NULL), ALOOP_EINVAL);
    assert_code(on_foreign_thread(get_elsewhere, ends.client), ALOOP_EWRONGTHREAD);
    aloop_stream_abort(ends.client);
    AWAIT(aloop_stream_wait_closed(ends.client));
    assert_code(aloop_stream_get_tls_session(ends.client, &session), ALOOP_ENOENT);
    drop_ends(&ends);
    assert_null(session);
    return 0;
}

static void a_session_is_not_everywhere(void **state) {
    (void)state;
    in_simulation(errors, NULL);
}

static void show_certificate(aloop_tls_context *client) {
    struct certificate own =
        make_certificate((struct certificate_wish){.name = "me"}, authority());
    assert_code(aloop_tls_context_load_cert_chain_memory(client, own.cert, own.key, NULL), 0);
    drop_certificate(&own);
}

static void want_certificate(aloop_tls_context *server) {
    assert_code(aloop_tls_context_load_verify_memory(server, authority()->cert), 0);
    assert_code(aloop_tls_context_set_verify_mode(server, ALOOP_TLS_VERIFY_REQUIRED), 0);
}

/* Once as it is, and once more with the session that it got. */
static void visit_twice(struct visit *v) {
    visit(v);
    v->offered = v->got;
    v->reused = "1";
    v->wants = false;
    visit(v);
}

/* A client that showed its certificate is known again by its session. */
static int64_t with_certificate(void *arg, void **value) {
    (void)value;
    struct visit v = first_visit(arg, true);
    show_certificate(v.client);
    want_certificate(v.server);
    visit_twice(&v);
    last_visit(&v);
    return 0;
}

static void a_client_with_a_certificate_resumes(void **state) {
    (void)state;
    in_both(with_certificate);
}

/* A server with a name that is open to all and one that asks for certificates: a
 * session of the first opens no door at the second. */
static int64_t other_name(void *arg, void **value) {
    (void)value;
    struct certificate both = make_certificate(
        (struct certificate_wish){.name = "server",
                                  .for_names = "DNS:open.example,DNS:shut.example"},
        authority());
    struct visit v = {.client = client_up_to(*(const int32_t *)arg),
                      .server = server_context(&both), .host = "open.example", .reused = "0",
                      .wants = true};
    aloop_tls_context *shut = server_context(&both);
    want_certificate(shut);
    assert_code(aloop_tls_context_add_name(v.server, "shut.example", shut), 0);
    aloop_unref(shut);
    visit_twice(&v); /* at its own */
    aloop_ref(v.client), aloop_ref(v.server);
    struct ends ends = secure_ends((struct tls_wish){
        .client = v.client, .server = v.server, .host = "shut.example", .session = v.offered});
    assert_code(ends.server_status, ALOOP_ETLSCERT);
    drop_ends(&ends);
    aloop_bytes_unref(v.got);
    /* With a certificate that door opens, and opens again. */
    show_certificate(v.client);
    v.host = "shut.example";
    v.offered = NULL;
    v.reused = "0";
    v.wants = true;
    visit_twice(&v);
    last_visit(&v);
    drop_certificate(&both);
    return 0;
}

static void a_session_is_of_one_name(void **state) {
    (void)state;
    in_both(other_name);
}

/* Neither a name that is another's, nor an address that is written as a name. */
static int64_t other_host(void *arg, void **value) {
    (void)value;
    struct certificate named = make_certificate(
        (struct certificate_wish){.name = "server",
                                  .for_names = "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.2"},
        authority());
    struct visit v = first_visit(arg, true);
    aloop_unref(v.server);
    v.server = server_context(&named);
    visit(&v);
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2"};
    for (int i = 0; i < 2; i++) {
        aloop_ref(v.client), aloop_ref(v.server);
        struct ends ends = secure_ends((struct tls_wish){
            .client = v.client, .server = v.server, .host = hosts[i], .session = v.got});
        assert_code(ends.client_status, i == 0 ? ALOOP_ETLSCERT : 0);
        if (i == 0) assert_non_null(strstr(ends.client_text, "resumed session is another server"));
        else assert_info(ends.client, "session_reused", "1");
        drop_ends(&ends);
    }
    last_visit(&v);
    drop_certificate(&named);
    return 0;
}

static void an_address_is_no_name(void **state) {
    (void)state;
    in_both(other_host);
}

TLS_SUITE(CASE(a_context_remembers_sessions), CASE(a_program_keeps_sessions),
          CASE(what_is_no_session_is_ignored), CASE(a_session_is_not_everywhere),
          CASE(a_client_with_a_certificate_resumes), CASE(a_session_is_of_one_name),
          CASE(an_address_is_no_name))
