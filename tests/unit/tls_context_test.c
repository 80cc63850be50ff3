/*
 * Contexts of TLS: what they load and refuse, and what each setting does to a
 * connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"
#include "tls_peer.h"

/* Asserts what a setter answered, and a part of its text. */
#define assert_refused(call, context, code, part)                                          \
    do {                                                                                   \
        assert_code((call), (code));                                                       \
        const char *text_ = aloop_error_message(aloop_tls_context_error(context));         \
        if (strstr(text_, (part)) == NULL) fail_msg("it says \"%s\"", text_);              \
    } while (0)

static char directory[64];

static const char *path_of(const char *name) {
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static const char *file_with(const char *name, const char *first, const char *second) {
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%s%s", first, second);
    fclose(f);
    return path;
}

static void files_are_loaded_and_refused(void **state) {
    (void)state;
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_server(&c), 0);
    const struct certificate *own = server_certificate();
    const char *cert = strdup(file_with("cert.pem", own->cert, authority()->cert));
    const char *key = strdup(file_with("key.pem", own->key, ""));
    assert_code(aloop_tls_context_load_cert_chain(c, cert, key, NULL), 0);
    assert_null(aloop_tls_context_error(c));
    assert_code(aloop_tls_context_load_cert_chain(c, file_with("both.pem", own->key, own->cert),
                                                  NULL, NULL), 0);
    assert_refused(aloop_tls_context_load_cert_chain(c, path_of("none.pem"), key, NULL), c,
                   ALOOP_ENOENT, "cannot read the certificate from '");
    assert_refused(aloop_tls_context_load_cert_chain(c, cert, directory, NULL), c, -EISDIR,
                   "cannot read the key from '");
    assert_refused(aloop_tls_context_load_cert_chain(c, key, key, NULL), c, ALOOP_ETLS,
                   "holds no certificate in PEM");
    assert_refused(aloop_tls_context_load_cert_chain(c, cert, cert, NULL), c, ALOOP_ETLS,
                   "holds no private key in PEM");
    assert_refused(aloop_tls_context_load_cert_chain_memory(c, own->cert, authority()->key, NULL),
                   c, ALOOP_ETLS,
                   "the key in 'the key's text' does not belong to the certificate in 'the "
                   "certificate's text'");
    assert_refused(aloop_tls_context_load_cert_chain(c, NULL, NULL, NULL), c, ALOOP_EINVAL,
                   "no file with a certificate");
    assert_refused(aloop_tls_context_load_cert_chain_memory(
                       c, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                       own->key, NULL), c, ALOOP_ETLS, "certificate that cannot be read");
    aloop_unref(c);
    free((char *)cert);
    free((char *)key);
}

static const char encrypted_key[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MA==\n-----END ENCRYPTED PRIVATE KEY-----\n";

static void keys_with_passwords(void **state) {
    (void)state;
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_server(&c), 0);
    const struct certificate *own = server_certificate();
    char *locked = encrypt_key(own, "secret");
    assert_code(aloop_tls_context_load_cert_chain_memory(c, own->cert, locked, "secret"), 0);
    assert_refused(aloop_tls_context_load_cert_chain_memory(c, own->cert, locked, NULL), c,
                   ALOOP_ETLS, "is encrypted: it needs a password");
    assert_refused(aloop_tls_context_load_cert_chain_memory(c, own->cert, locked, "Secret"), c,
                   ALOOP_ETLS, "is encrypted: the password is wrong");
    assert_refused(aloop_tls_context_load_cert_chain_memory(c, own->cert, encrypted_key, "x"), c,
                   ALOOP_ETLS, "is encrypted");
    free(locked);
    aloop_unref(c);
}

static void authorities_are_loaded(void **state) {
    (void)state;
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_client(&c), 0);
    assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0); /* the system's */
    const char *both = file_with("ca.pem", authority()->cert, server_certificate()->cert);
    assert_code(aloop_tls_context_load_verify(c, both, NULL), 0);
    assert_code(aloop_tls_context_load_verify(c, NULL, directory), 0);
    assert_refused(aloop_tls_context_load_verify(c, path_of("none"), NULL), c, ALOOP_ENOENT,
                   "cannot read certificates from '");
    assert_refused(aloop_tls_context_load_verify(c, NULL, path_of("none")), c, ALOOP_ENOENT,
                   "cannot read certificates from '");
    assert_refused(aloop_tls_context_load_verify(c, file_with("empty", "", ""), NULL), c,
                   ALOOP_ETLS, "holds no certificate in PEM");
    assert_refused(aloop_tls_context_load_verify_memory(c, NULL), c, ALOOP_EINVAL, "no cert");
    assert_refused(aloop_tls_context_load_verify_memory(c, "hello"), c, ALOOP_ETLS,
                   "'the text' holds no certificate in PEM");
    aloop_unref(c);
}

static void settings_are_checked(void **state) {
    (void)state;
    aloop_tls_context *c = NULL, *s = NULL;
    assert_code(aloop_tls_context_new_client(NULL), ALOOP_EINVAL);
    assert_code(aloop_tls_context_new_client(&c), 0);
    assert_code(aloop_tls_context_new_server(&s), 0);
    assert_code(aloop_tls_context_set_verify_mode(c, 3), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_verify_mode(c, -1), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_alpn(c, ""), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_alpn(c, "h2,,h3"), ALOOP_EINVAL);
    char name[258];
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_code(aloop_tls_context_set_alpn(c, name), ALOOP_EINVAL);
    name[255] = '\0';
    assert_code(aloop_tls_context_set_alpn(c, name), 0);
    assert_code(aloop_tls_context_set_alpn(c, NULL), 0);
    assert_code(aloop_tls_context_set_min_version(c, 0x0300), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_min_version(c, 0x0305), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_max_version(c, 0), 0);
    assert_code(aloop_tls_context_set_ciphers(c, "NO-SUCH-CIPHER"), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_ciphers(c, NULL), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_ciphersuites(c, "TLS_NO_SUCH"), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_session_cache(c, -1), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_session_cache(s, 1), ALOOP_EINVAL);
    assert_code(aloop_tls_context_add_name(c, "a", s), ALOOP_EINVAL);
    assert_code(aloop_tls_context_add_name(s, "a", c), ALOOP_EINVAL);
    assert_code(aloop_tls_context_add_name(s, "a", s), ALOOP_EINVAL);
    assert_code(aloop_tls_context_add_name(s, "a", NULL), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_keylog_file(c, path_of("none/keys")), ALOOP_ENOENT);
    assert_code(aloop_tls_context_set_verify_mode(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_tls_context_set_verify_mode((aloop_tls_context *)s, 0), 0);
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_tls_context_set_verify_mode((aloop_tls_context *)o, 0), ALOOP_EINVAL);
    assert_null(aloop_tls_context_error((aloop_tls_context *)o));
    assert_code(aloop_stream_options_set_tls(o, (aloop_tls_context *)o), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_tls(NULL, c), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_server_hostname(o, ""), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_server_hostname(o, ".example"), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_tls_handshake_timeout(o, 0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_tls_handshake_timeout(o, 0.0 / 0.0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_tls_shutdown_timeout(o, -1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_tls_shutdown_timeout(o, 0), 0);
    assert_code(aloop_stream_options_set_tls_session(o, (aloop_bytes *)o), ALOOP_EINVAL);
    aloop_unref(o);
    aloop_unref(c);
    aloop_unref(s);
}

/* What cannot be connected or served at all. */
static aloop_stream_options *options_with(aloop_tls_context *c) {
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_tls(o, c), 0);
    return o;
}

#define assert_says(future, part)                                                       \
    do {                                                                                \
        aloop_future *f_ = (future);                                                    \
        assert_code(aloop_future_result(f_, NULL), ALOOP_EINVAL);                       \
        assert_non_null(strstr(aloop_error_message(aloop_future_error(f_)), (part)));   \
        aloop_unref(f_);                                                                \
    } while (0)

static int64_t misuse(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *client = client_context(NULL), *bare = NULL;
    aloop_tls_context *server = server_context(server_certificate());
    assert_code(aloop_tls_context_new_server(&bare), 0);
    aloop_stream_options *of_client = options_with(client), *of_server = options_with(server);
    aloop_stream_options *of_bare = options_with(bare), *none = aloop_stream_options_new();
    assert_says(aloop_open_connection("localhost", 1, of_server), "needs a context made by");
    assert_says(aloop_open_connection(NULL, 1, of_client), "You must set server_hostname");
    assert_says(aloop_open_unix_connection("/tmp/x", of_client), "You must set server_hostname");
    assert_says(aloop_start_server(NULL, NULL, "localhost", 0, of_client), "needs a context made");
    assert_says(aloop_start_server(NULL, NULL, "localhost", 0, of_bare), "has no certificate");
    assert_says(aloop_start_unix_server(NULL, NULL, "/tmp/x", of_bare), "has no certificate");
    aloop_stream_options_set_server_hostname(none, "a");
    assert_says(aloop_open_connection("localhost", 1, none), "server_hostname is only meaningful");
    aloop_stream_options_set_server_hostname(none, NULL);
    aloop_stream_options_set_tls_handshake_timeout(none, 5);
    assert_says(aloop_open_connection("localhost", 1, none), "ssl_handshake_timeout is only");
    assert_says(aloop_start_server(NULL, NULL, "localhost", 0, none), "ssl_handshake_timeout is");
    struct plain_ends ends = plain_ends();
    assert_says(aloop_stream_start_tls(ends.client, client, NULL), "You must set server_hostname");
    assert_says(aloop_stream_start_tls(ends.client, bare, NULL), "has no certificate");
    assert_failed(aloop_stream_start_tls(ends.client, NULL, NULL), ALOOP_EINVAL);
    assert_failed(aloop_stream_start_tls(NULL, client, NULL), ALOOP_EINVAL);
    assert_failed(aloop_stream_start_tls(ends.client, client, (aloop_stream_options *)bare),
                  ALOOP_EINVAL);
    aloop_stream_options *named = aloop_stream_options_new();
    aloop_stream_options_set_server_hostname(named, "localhost");
    aloop_task *reading = aloop_ensure_future(aloop_stream_read(ends.client, 1));
    let_run(2);
    assert_code(AWAIT(aloop_stream_start_tls(ends.client, client, named)), ALOOP_EBUSY);
    aloop_future_cancel(reading, NULL);
    AWAIT(reading);
    passes(ends.client, ends.server, "still plain");
    aloop_stream_write_eof(ends.client);
    assert_code(AWAIT(aloop_stream_start_tls(ends.client, client, named)), ALOOP_EINVALIDSTATE);
    aloop_stream_close(ends.client);
    assert_code(AWAIT(aloop_stream_start_tls(ends.client, client, named)), ALOOP_ESTALE);
    aloop_unref(named);
    drop_plain(&ends);
    aloop_unref(of_client), aloop_unref(of_server), aloop_unref(of_bare), aloop_unref(none);
    aloop_unref(client), aloop_unref(server), aloop_unref(bare);
    return 0;
}

static void misuse_is_refused(void **state) {
    (void)state;
    in_simulation(misuse, NULL);
}

/* What settings do ------------------------------------------------------------------------- */

static int64_t unverified(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *c = client_context(NULL);
    assert_code(aloop_tls_context_set_verify_mode(c, ALOOP_TLS_VERIFY_NONE), 0);
    struct ends ends = good_ends((struct tls_wish){
        .client = c, .server = server_context(server_certificate()), .host = "any.name"});
    passes(ends.client, ends.server, "trusting");
    drop_ends(&ends);
    c = client_context(authority()); /* the chain, but not the name */
    assert_code(aloop_tls_context_set_check_hostname(c, 0), 0);
    ends = good_ends((struct tls_wish){
        .client = c, .server = server_context(server_certificate()), .host = "any.name"});
    drop_ends(&ends);
    /* The certificate itself, loaded as what to trust. */
    ends = good_ends((struct tls_wish){.client = client_context(server_certificate()),
                                       .server = server_context(server_certificate()),
                                       .host = "127.0.0.1"});
    assert_info(ends.server, "server_hostname", NULL); /* no addresses in SNI */
    drop_ends(&ends);
    return 0;
}

static void verification_may_be_turned_off(void **state) {
    (void)state;
    in_simulation(unverified, NULL);
}

static int64_t alpn(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *c = client_context(authority());
    aloop_tls_context *s = server_context(server_certificate());
    assert_code(aloop_tls_context_set_alpn(c, "http/1.1,h2"), 0);
    assert_code(aloop_tls_context_set_alpn(s, "h3,h2,http/1.1"), 0);
    struct ends ends = good_ends((struct tls_wish){.client = c, .server = s});
    assert_info(ends.client, "alpn_protocol", "h2"); /* by the server's order */
    assert_info(ends.server, "alpn_protocol", "h2");
    drop_ends(&ends);
    return 0;
}

static void a_protocol_is_chosen(void **state) {
    (void)state;
    in_simulation(alpn, NULL);
}

static int64_t mutual(void *arg, void **value) {
    (void)arg, (void)value;
    struct certificate own = make_certificate(
        (struct certificate_wish){.name = "client", .for_names = "DNS:client"}, authority());
    for (int mode = ALOOP_TLS_VERIFY_OPTIONAL; mode <= ALOOP_TLS_VERIFY_REQUIRED; mode++) {
        for (int with = mode == ALOOP_TLS_VERIFY_REQUIRED; with < 2; with++) {
            aloop_tls_context *c = client_context(authority());
            aloop_tls_context *s = server_context(server_certificate());
            if (with) {
                assert_code(aloop_tls_context_load_cert_chain_memory(c, own.cert, own.key, NULL),
                            0);
            }
            assert_code(aloop_tls_context_load_verify_memory(s, authority()->cert), 0);
            assert_code(aloop_tls_context_set_verify_mode(s, mode), 0);
            struct ends ends = good_ends((struct tls_wish){.client = c, .server = s});
            assert_info(ends.server, "peercert_subject", with ? "CN=client" : NULL);
            drop_ends(&ends);
        }
    }
    drop_certificate(&own);
    return 0;
}

static void a_client_shows_its_certificate(void **state) {
    (void)state;
    in_simulation(mutual, NULL);
}

static int64_t names(void *arg, void **value) {
    (void)arg, (void)value;
    static const struct {
        const char *asked, *subject;
    } cases[] = {{"one.example", "CN=one"},     {"ONE.example", "CN=one"},
                 {"www.two.example", "CN=two"}, {"localhost", "CN=server"}};
    struct certificate one = make_certificate(
        (struct certificate_wish){.name = "one", .for_names = "DNS:one.example"}, authority());
    struct certificate two = make_certificate(
        (struct certificate_wish){.name = "two", .for_names = "DNS:*.two.example"}, authority());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aloop_tls_context *s = server_context(server_certificate());
        aloop_tls_context *first = server_context(&one), *second = server_context(&two);
        assert_code(aloop_tls_context_add_name(s, "one.example", first), 0);
        assert_code(aloop_tls_context_add_name(s, "*.two.example", second), 0);
        assert_code(aloop_tls_context_add_name(first, "x", second), ALOOP_EINVAL);
        aloop_unref(first), aloop_unref(second);
        struct ends ends = good_ends((struct tls_wish){
            .client = client_context(authority()), .server = s, .host = cases[i].asked});
        assert_info(ends.client, "peercert_subject", cases[i].subject);
        assert_info(ends.server, "server_hostname", cases[i].asked);
        drop_ends(&ends);
    }
    drop_certificate(&one);
    drop_certificate(&two);
    return 0;
}

static void a_server_has_many_names(void **state) {
    (void)state;
    in_simulation(names, NULL);
}

/* With its name come a context's certificate, versions, protocols and what it asks
 * of clients. */
static int64_t settings(void *arg, void **value) {
    (void)arg, (void)value;
    for (int named = 0; named < 2; named++) {
        aloop_tls_context *s = server_context(server_certificate());
        aloop_tls_context *strict = server_context(server_certificate());
        assert_code(aloop_tls_context_set_min_version(strict, ALOOP_TLS_1_3), 0);
        assert_code(aloop_tls_context_set_alpn(strict, "new"), 0);
        assert_code(aloop_tls_context_add_name(s, "localhost", strict), 0);
        aloop_unref(strict);
        aloop_tls_context *c = client_context(authority());
        assert_code(aloop_tls_context_set_alpn(c, "new"), 0);
        aloop_ref(s), aloop_ref(c);
        const char *host = named ? "localhost" : "127.0.0.1";
        struct ends ends = good_ends((struct tls_wish){.client = c, .server = s, .host = host});
        assert_info(ends.server, "alpn_protocol", named ? "new" : NULL);
        drop_ends(&ends);
        assert_code(aloop_tls_context_set_max_version(c, ALOOP_TLS_1_2), 0);
        ends = secure_ends((struct tls_wish){.client = c, .server = s, .host = host});
        assert_code(ends.server_status, named ? ALOOP_ETLS : 0);
        assert_code(ends.client_status, named ? ALOOP_ETLS : 0);
        drop_ends(&ends);
    }
    return 0;
}

static void a_name_brings_its_settings(void **state) {
    (void)state;
    in_simulation(settings, NULL);
}

static int64_t versions(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *c = client_context(authority());
    assert_code(aloop_tls_context_set_max_version(c, ALOOP_TLS_1_2), 0);
    assert_code(aloop_tls_context_set_ciphers(c, "ECDHE-ECDSA-AES128-GCM-SHA256"), 0);
    struct ends ends = good_ends((struct tls_wish){
        .client = c, .server = server_context(server_certificate())});
    assert_info(ends.client, "tls_version", "TLSv1.2");
    assert_info(ends.client, "cipher", "ECDHE-ECDSA-AES128-GCM-SHA256 TLSv1.2 128");
    passes(ends.client, ends.server, "older");
    passes(ends.server, ends.client, "but fine");
    drop_ends(&ends);
    return 0;
}

static void versions_and_ciphers_are_set(void **state) {
    (void)state;
    in_simulation(versions, NULL);
}

static int64_t key_log(void *arg, void **value) {
    (void)arg, (void)value;
    const char *path = path_of("keys");
    unlink(path);
    aloop_tls_context *c = client_context(authority());
    assert_code(aloop_tls_context_set_keylog_file(c, path), 0);
    struct ends ends = good_ends((struct tls_wish){
        .client = c, .server = server_context(server_certificate())});
    drop_ends(&ends);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    char text[4096] = "";
    const int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    assert_non_null(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
    return 0;
}

static void secrets_are_logged_on_demand(void **state) {
    (void)state;
    in_simulation(key_log, NULL);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(files_are_loaded_and_refused),
        CASE(keys_with_passwords),
        CASE(authorities_are_loaded),
        CASE(settings_are_checked),
        CASE(misuse_is_refused),
        CASE(verification_may_be_turned_off),
        CASE(a_protocol_is_chosen),
        CASE(a_client_shows_its_certificate),
        CASE(a_server_has_many_names),
        CASE(a_name_brings_its_settings),
        CASE(versions_and_ciphers_are_set),
        CASE(secrets_are_logged_on_demand),
    };
    prepare_suite();
    strcpy(directory, "/tmp/aloop-tls-XXXXXX");
    if (mkdtemp(directory) == NULL) return 1;
    const int failed = cmocka_run_group_tests(cases, NULL, NULL);
    drop_certificates();
    const char *const left[] = {"cert.pem", "key.pem", "both.pem", "ca.pem", "empty", "keys"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) unlink(path_of(left[i]));
    rmdir(directory);
    return failed;
}
