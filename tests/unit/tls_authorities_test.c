/*
 * The system's authorities: read once for all contexts, and again when they have
 * changed; where they are read from, and who sees what a context adds to them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls_peer.h"

/* A directory with the file that SSL_CERT_FILE names, and one for SSL_CERT_DIR. */
static char folder[64];
static struct certificate other; /* an authority, too, and what it signed: */
static struct certificate others_own;

static const char *in_folder(const char *name) {
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void write_text(const char *name, const char *text) {
    FILE *f = fopen(in_folder(name), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The system's file holds this now. It is another file than before. */
static void let_system_trust(const struct certificate *c) {
    write_text("new.pem", c != NULL ? c->cert : "");
    assert_int_equal(rename(in_folder("new.pem"), in_folder("ca.pem")), 0);
}

/* Puts it into the directory under the name by which OpenSSL finds it. */
static void put_into_directory(const struct certificate *c, bool there) {
    BIO *from = BIO_new_mem_buf(c->cert, -1);
    X509 *x = PEM_read_bio_X509(from, NULL, NULL, NULL);
    char name[64];
    snprintf(name, sizeof name, "certs/%08lx.0", X509_subject_name_hash(x));
    X509_free(x);
    BIO_free(from);
    if (there) write_text(name, c->cert);
    else assert_int_equal(unlink(in_folder(name)), 0);
}

static int begin_with_folder(void **state) {
    setenv("SSL_CERT_FILE", in_folder("ca.pem"), 1);
    setenv("SSL_CERT_DIR", in_folder("certs"), 1);
    let_system_trust(authority());
    return case_begins(state);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, begin_with_folder, case_ends)

static aloop_tls_context *new_client(void) {
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_client(&c), 0);
    return c;
}

/* Whether a client with this context (consumed) trusts a server's certificate. */
static bool trusts(aloop_tls_context *c, const struct certificate *own) {
    struct ends ends = secure_ends((struct tls_wish){.client = c, .server = server_context(own)});
    const int64_t status = ends.client_status;
    if (status != 0) assert_code(status, ALOOP_ETLSCERT);
    drop_ends(&ends);
    return status == 0;
}

#define assert_trusts(context, own) assert_true(trusts((context), (own)))
#define assert_doubts(context, own) assert_false(trusts((context), (own)))

/* How often the file is opened ------------------------------------------------------------- */

static int opens(int watch) {
    _Alignas(struct inotify_event) char events[65536];
    int n = 0;
    ssize_t size;
    while ((size = read(watch, events, sizeof events)) > 0) {
        for (char *at = events; at < events + size;) {
            const struct inotify_event *e = (const struct inotify_event *)at;
            if (e->len > 0 && strcmp(e->name, "ca.pem") == 0) n++;
            at += sizeof *e + e->len;
        }
    }
    return n;
}

static void *make_some(void *unused) {
    (void)unused;
    for (int i = 0; i < 5; i++) aloop_unref(new_client());
    return NULL;
}

static void make_in_threads(void) {
    enum { THREADS = 8 };
    pthread_t all[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&all[i], NULL, make_some, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(all[i], NULL), 0);
}

static void they_are_read_once(void **state) {
    (void)state;
    const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, folder, IN_OPEN) >= 0);
    make_in_threads();
    assert_int_equal(opens(watch), 1);
    make_in_threads();
    assert_int_equal(opens(watch), 0);
    aloop_tls_context *c = new_client();
    assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0);
    assert_code(aloop_tls_context_load_verify_memory(c, other.cert), 0);
    assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0);
    aloop_unref(c);
    assert_int_equal(opens(watch), 0);
    let_system_trust(authority()); /* the same text, but who could know that */
    make_in_threads();
    assert_int_equal(opens(watch), 1);
    close(watch);
}

/* A fork while a thread reads ---------------------------------------------------------------- */

static sem_t forked;

static void *make_one(void *unused) {
    aloop_unref(new_client());
    return unused;
}

/* A fork may wait for the reader, and so has a moment; then the reader gets the rest. */
static void *end_the_file(void *fd) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    sem_timedwait(&forked, &until);
    close(*(int *)fd);
    return NULL;
}

static void a_fork_meanwhile_leaves_the_child_able(void **state) {
    (void)state;
    assert_int_equal(sem_init(&forked, 0, 0), 0);
    assert_int_equal(mkfifo(in_folder("slow.pem"), 0600), 0);
    setenv("SSL_CERT_FILE", in_folder("slow.pem"), 1);
    pthread_t reader, writer;
    assert_int_equal(pthread_create(&reader, NULL, make_one, NULL), 0);
    int fd = open(in_folder("slow.pem"), O_WRONLY | O_CLOEXEC); /* the reader has it open, too */
    assert_true(fd >= 0);
    setenv("SSL_CERT_FILE", in_folder("ca.pem"), 1);
    assert_int_equal(pthread_create(&writer, NULL, end_the_file, &fd), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        aloop_tls_context *c = NULL;
        _exit(aloop_tls_context_new_client(&c) == 0 ? 0 : 1);
    }
    sem_post(&forked);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(pthread_join(writer, NULL), 0);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(unlink(in_folder("slow.pem")), 0);
    sem_destroy(&forked);
}

/* Who trusts whom ---------------------------------------------------------------------------- */

static int64_t one_adds(void *arg, void **value) {
    (void)arg, (void)value;
    assert_trusts(new_client(), server_certificate());
    assert_doubts(new_client(), &others_own);
    /* Instead of the system's, and for itself alone. */
    aloop_tls_context *c = client_context(&other);
    assert_trusts((aloop_ref(c), c), &others_own);
    assert_doubts(c, server_certificate());
    assert_doubts(new_client(), &others_own);
    return 0;
}

static void what_one_adds_is_its_own(void **state) {
    (void)state;
    in_simulation(one_adds, NULL);
}

static int64_t besides(void *arg, void **value) {
    (void)arg, (void)value;
    for (int first = 0; first < 2; first++) {
        aloop_tls_context *c = new_client();
        if (first) assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0);
        assert_code(aloop_tls_context_load_verify_memory(c, other.cert), 0);
        if (!first) assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0);
        assert_trusts((aloop_ref(c), c), &others_own);
        assert_trusts(c, server_certificate());
        assert_doubts(new_client(), &others_own);
    }
    return 0;
}

static void the_systems_may_be_kept_besides(void **state) {
    (void)state;
    in_simulation(besides, NULL);
}

static int64_t changing(void *arg, void **value) {
    (void)arg, (void)value;
    let_system_trust(authority());
    aloop_tls_context *before = new_client();
    let_system_trust(&other);
    assert_trusts(new_client(), &others_own);
    assert_doubts(new_client(), server_certificate());
    assert_trusts((aloop_ref(before), before), server_certificate());
    assert_doubts(before, &others_own);
    assert_int_equal(unlink(in_folder("ca.pem")), 0);
    assert_doubts(new_client(), &others_own);
    setenv("SSL_CERT_FILE", in_folder("elsewhere.pem"), 1);
    write_text("elsewhere.pem", other.cert);
    assert_trusts(new_client(), &others_own);
    setenv("SSL_CERT_FILE", in_folder("ca.pem"), 1);
    assert_doubts(new_client(), &others_own);
    return 0;
}

static void a_new_context_sees_what_is_there_now(void **state) {
    (void)state;
    in_simulation(changing, NULL);
}

static int64_t by_hash(void *arg, void **value) {
    (void)arg, (void)value;
    let_system_trust(NULL);
    assert_doubts(new_client(), &others_own);
    put_into_directory(&other, true);
    /* With a store of its own first: a shared one would know it from then on. */
    aloop_tls_context *c = new_client();
    assert_code(aloop_tls_context_load_verify(c, NULL, NULL), 0);
    assert_code(aloop_tls_context_load_verify_memory(c, authority()->cert), 0);
    assert_trusts((aloop_ref(c), c), server_certificate());
    assert_trusts(c, &others_own);
    assert_trusts(new_client(), &others_own);
    put_into_directory(&other, false);
    return 0;
}

static void a_directory_is_looked_into(void **state) {
    (void)state;
    in_simulation(by_hash, NULL);
}

/* A server that verifies its clients trusts nobody until it is told to. */
static int64_t server_asks(void *arg, void **value) {
    (void)arg, (void)value;
    let_system_trust(&other);
    for (int with = 0; with < 2; with++) {
        aloop_tls_context *s = server_context(server_certificate());
        assert_code(aloop_tls_context_set_verify_mode(s, ALOOP_TLS_VERIFY_REQUIRED), 0);
        if (with) assert_code(aloop_tls_context_load_verify(s, NULL, NULL), 0);
        aloop_tls_context *c = client_context(authority());
        assert_code(aloop_tls_context_load_cert_chain_memory(c, others_own.cert, others_own.key,
                                                             NULL), 0);
        struct ends ends = secure_ends((struct tls_wish){.client = c, .server = s});
        assert_code(ends.server_status, with ? 0 : ALOOP_ETLSCERT);
        drop_ends(&ends);
    }
    return 0;
}

static void a_server_trusts_the_system_when_told(void **state) {
    (void)state;
    in_simulation(server_asks, NULL);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        IN_FOLDER(they_are_read_once),
        IN_FOLDER(a_fork_meanwhile_leaves_the_child_able),
        IN_FOLDER(what_one_adds_is_its_own),
        IN_FOLDER(the_systems_may_be_kept_besides),
        IN_FOLDER(a_new_context_sees_what_is_there_now),
        IN_FOLDER(a_directory_is_looked_into),
        IN_FOLDER(a_server_trusts_the_system_when_told),
    };
    prepare_suite();
    strcpy(folder, "/tmp/aloop-ca-XXXXXX");
    if (mkdtemp(folder) == NULL || mkdir(in_folder("certs"), 0700) != 0) return 1;
    other = make_certificate((struct certificate_wish){.name = "Other CA"}, NULL);
    others_own = make_certificate(
        (struct certificate_wish){.name = "other", .for_names = "DNS:localhost"}, &other);
    const int failed = cmocka_run_group_tests(cases, NULL, NULL);
    drop_certificates();
    drop_certificate(&other);
    drop_certificate(&others_own);
    unlink(in_folder("ca.pem"));
    unlink(in_folder("elsewhere.pem"));
    rmdir(in_folder("certs"));
    rmdir(folder);
    return failed;
}
