/*
 * Addresses and lookups; nothing here leaves the machine (slow and failing
 * lookups: tests/fault/lookup_test.cpp).
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static aloop_address *address(const char *host, int32_t port) {
    aloop_address *a = NULL;
    assert_code(aloop_address_new(&a, host, port), 0);
    return a;
}

static void formats_as(aloop_address *a, int64_t family, const char *host, int64_t port,
                       const char *text) {
    char got[ALOOP_ADDRESS_TEXT];
    assert_int_equal(aloop_address_family(a), family);
    assert_int_equal(aloop_address_port(a), port);
    assert_int_equal(aloop_address_host(a, got, sizeof got), (int64_t)strlen(host));
    assert_string_equal(got, host);
    assert_int_equal(aloop_address_format(a, got, sizeof got), (int64_t)strlen(text));
    assert_string_equal(got, text);
    aloop_unref(a);
}

static void test_addresses(void **state) {
    (void)state;
    formats_as(address("127.0.0.1", 80), AF_INET, "127.0.0.1", 80, "127.0.0.1:80");
    formats_as(address("0.0.0.0", 65535), AF_INET, "0.0.0.0", 65535, "0.0.0.0:65535");
    formats_as(address("::1", 0), AF_INET6, "::1", 0, "[::1]:0");
    formats_as(address("fe80::1%1", 5), AF_INET6, "fe80::1%1", 5, "[fe80::1]:5");
    formats_as(address("fe80::1%lo", 5), AF_INET6, "fe80::1%1", 5, "[fe80::1]:5");
    aloop_address *a = NULL;
    assert_code(aloop_address_new_unix(&a, "/tmp/x"), 0);
    formats_as(a, AF_UNIX, "/tmp/x", 0, "/tmp/x");
    assert_code(aloop_address_new_unix(&a, "@name"), 0);
    formats_as(a, AF_UNIX, "@name", 0, "@name");
}

static void test_bad_addresses(void **state) {
    (void)state;
    aloop_address *a = NULL;
    static const char *const hosts[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "::g", "::1%",
                                        "::1%nosuchif", "127.0.0.1 ", "[::1]", "::1:::"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_code(aloop_address_new(&a, hosts[i], 1), ALOOP_EINVAL);
    }
    assert_code(aloop_address_new(&a, "127.0.0.1", -1), ALOOP_EINVAL);
    assert_code(aloop_address_new(&a, "127.0.0.1", 65536), ALOOP_EINVAL);
    assert_code(aloop_address_new(&a, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_address_new(NULL, "127.0.0.1", 1), ALOOP_EINVAL);
    char path[200];
    memset(path, 'x', sizeof path);
    path[108] = '\0';
    assert_code(aloop_address_new_unix(&a, path), ALOOP_EINVAL);
    assert_code(aloop_address_new_unix(&a, ""), ALOOP_EINVAL);
    assert_code(aloop_address_new_unix(&a, NULL), ALOOP_EINVAL);
    assert_code(aloop_address_new_unix(NULL, "/x"), ALOOP_EINVAL);
    path[107] = '\0';
    assert_code(aloop_address_new_unix(&a, path), 0);
    aloop_unref(a);

    aloop_bytes *other = aloop_bytes_new("x", 1);
    aloop_address *const bad[] = {NULL, (aloop_address *)other};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_address_family(bad[i]), ALOOP_EINVAL);
        assert_code(aloop_address_port(bad[i]), ALOOP_EINVAL);
        assert_code(aloop_address_host(bad[i], path, 1), ALOOP_EINVAL);
        assert_code(aloop_address_format(bad[i], path, 1), ALOOP_EINVAL);
        assert_code(aloop_address_sockaddr(bad[i], path, 1), ALOOP_EINVAL);
        assert_code(aloop_address_type(bad[i]), ALOOP_EINVAL);
        assert_code(aloop_address_protocol(bad[i]), ALOOP_EINVAL);
        assert_code(aloop_address_equal(bad[i], bad[i]), ALOOP_EINVAL);
        assert_string_equal(aloop_address_canonname(bad[i]), "");
        assert_code(aloop_addresses_count((aloop_addresses *)bad[i]), ALOOP_EINVAL);
        assert_null(aloop_addresses_at((aloop_addresses *)bad[i], 0));
        assert_string_equal(aloop_host_name_host((aloop_host_name *)bad[i]), "");
        assert_string_equal(aloop_host_name_service((aloop_host_name *)bad[i]), "");
    }
    aloop_unref(other);
}

static void test_kernel_addresses(void **state) {
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    aloop_address *a = NULL, *b = address("127.0.0.1", 7), *c = address("127.0.0.1", 8);
    assert_code(aloop_address_from_sockaddr(&a, &in, sizeof in), 0);
    assert_int_equal(aloop_address_equal(a, b), 1);
    assert_int_equal(aloop_address_equal(a, c), 0);
    struct sockaddr_in back = {0};
    assert_int_equal(aloop_address_sockaddr(a, &back, sizeof back), sizeof back);
    assert_memory_equal(&back, &in, sizeof in);
    memset(&back, 0, sizeof back);
    assert_int_equal(aloop_address_sockaddr(a, &back, sizeof back - 1), sizeof back);
    assert_int_equal(back.sin_family, 0); /* it did not fit */
    aloop_unref(a);
    aloop_unref(c);
    c = address("::1", 7);
    assert_int_equal(aloop_address_equal(b, c), 0);
    assert_int_equal(aloop_address_equal(c, c), 1);
    aloop_unref(b);
    aloop_unref(c);
    assert_code(aloop_address_from_sockaddr(&a, &in, sizeof in - 1), ALOOP_EINVAL);
    assert_code(aloop_address_from_sockaddr(&a, &in, 1), ALOOP_EINVAL);
    assert_code(aloop_address_from_sockaddr(&a, NULL, sizeof in), ALOOP_EINVAL);
    assert_code(aloop_address_from_sockaddr(NULL, &in, sizeof in), ALOOP_EINVAL);
    in.sin_family = AF_PACKET;
    assert_code(aloop_address_from_sockaddr(&a, &in, sizeof in), ALOOP_EINVAL);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/x"};
    aloop_address *p = NULL;
    assert_code(aloop_address_from_sockaddr(&p, &un, offsetof(struct sockaddr_un, sun_path) + 3),
                0);
    assert_code(aloop_address_new_unix(&b, "/x"), 0);
    assert_int_equal(aloop_address_equal(p, b), 1);
    aloop_unref(b);
    aloop_unref(p);
}

static aloop_addrinfo_options *datagrams(int32_t flags) {
    aloop_addrinfo_options *o = aloop_addrinfo_options_new();
    assert_non_null(o);
    assert_code(aloop_addrinfo_options_set_family(o, AF_INET), 0);
    assert_code(aloop_addrinfo_options_set_type(o, SOCK_DGRAM), 0);
    assert_code(aloop_addrinfo_options_set_protocol(o, IPPROTO_UDP), 0);
    assert_code(aloop_addrinfo_options_set_flags(o, flags), 0);
    return o;
}

/* A numeric host needs no thread: the future is done at once. */
static int64_t numeric(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_addrinfo_options *o = datagrams(0);
    aloop_future *f = aloop_getaddrinfo("127.0.0.1", "80", o);
    assert_int_equal(aloop_future_done(f), 1);
    aloop_addresses *list = NULL;
    assert_code(aloop_await(f, (void **)&list), 1);
    assert_int_equal(aloop_addresses_count(list), 1);
    aloop_address *a = aloop_addresses_at(list, 0);
    assert_int_equal(aloop_address_type(a), SOCK_DGRAM);
    assert_int_equal(aloop_address_protocol(a), IPPROTO_UDP);
    assert_string_equal(aloop_address_canonname(a), "");
    assert_null(aloop_addresses_at(list, 1));
    assert_null(aloop_addresses_at(list, -1));
    aloop_ref(a); /* outlives its list */
    aloop_unref(list);
    formats_as(a, AF_INET, "127.0.0.1", 80, "127.0.0.1:80");

    f = aloop_getaddrinfo("::1", NULL, NULL); /* each socket type */
    assert_int_equal(aloop_future_done(f), 1);
    assert_true(aloop_await(f, (void **)&list) >= 2);
    aloop_unref(list);
    f = aloop_getaddrinfo(NULL, "7", o);
    assert_code(aloop_await(f, (void **)&list), 1);
    formats_as(aloop_ref(aloop_addresses_at(list, 0)), AF_INET, "127.0.0.1", 7, "127.0.0.1:7");
    aloop_unref(list);
    assert_failed(aloop_getaddrinfo("::1", "80", o), ALOOP_ERESOLVE); /* of another family */
    aloop_unref(o);
    o = datagrams(AI_NUMERICHOST);
    f = aloop_getaddrinfo("localhost", "80", o);
    assert_int_equal(aloop_future_done(f), 1);
    assert_code(aloop_await(f, NULL), ALOOP_ERESOLVE);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "'localhost'"));
    aloop_unref(o);
    return 0;
}

static void test_numeric_hosts(void **state) {
    (void)state;
    in_task(numeric);
}

static int64_t named(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_addrinfo_options *o = datagrams(AI_CANONNAME);
    aloop_future *f = aloop_getaddrinfo("localhost", "80", o);
    assert_int_equal(aloop_future_done(f), 0);
    aloop_addresses *list = NULL;
    assert_true(aloop_await(f, (void **)&list) >= 1);
    aloop_address *first = aloop_addresses_at(list, 0);
    assert_string_not_equal(aloop_address_canonname(first), "");
    formats_as(aloop_ref(first), AF_INET, "127.0.0.1", 80, "127.0.0.1:80");
    aloop_unref(list);
    aloop_unref(o);
    /* Cancelled at once: nobody waits, and nothing is left. */
    f = aloop_getaddrinfo("localhost", "80", NULL);
    assert_int_equal(aloop_future_cancel(f, NULL), 1);
    assert_code(aloop_await(f, NULL), ALOOP_ECANCELED);
    f = aloop_getaddrinfo("localhost", "no-such-service-anywhere", NULL);
    assert_code(aloop_await(f, NULL), ALOOP_ERESOLVE);
    return 0;
}

static void test_names(void **state) {
    (void)state;
    in_task(named);
}

static int64_t reverse(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_address *a = address("127.0.0.1", 80);
    aloop_host_name *name = NULL;
    aloop_future *f = aloop_getnameinfo(a, NI_NUMERICHOST | NI_NUMERICSERV);
    assert_int_equal(aloop_future_done(f), 1);
    assert_code(aloop_await(f, (void **)&name), 0);
    assert_string_equal(aloop_host_name_host(name), "127.0.0.1");
    assert_string_equal(aloop_host_name_service(name), "80");
    aloop_unref(name);
    f = aloop_getnameinfo(a, NI_NUMERICHOST);
    assert_int_equal(aloop_future_done(f), 0);
    assert_code(aloop_await(f, (void **)&name), 0);
    assert_string_equal(aloop_host_name_host(name), "127.0.0.1");
    aloop_unref(name);
    f = aloop_getnameinfo(a, NI_NUMERICHOST);
    assert_int_equal(aloop_future_cancel(f, NULL), 1);
    assert_code(aloop_await(f, NULL), ALOOP_ECANCELED);
    aloop_unref(a);
    assert_failed(aloop_getnameinfo(NULL, 0), ALOOP_EINVAL);
    return 0;
}

static int64_t reverse_dropped(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_address *a = address("::1", 1);
    aloop_unref(aloop_getnameinfo(a, NI_NUMERICHOST | NI_NUMERICSERV));
    aloop_unref(aloop_getnameinfo(a, NI_NUMERICHOST)); /* under way when the loop closes */
    aloop_unref(a);
    return 0;
}

static void test_addresses_to_names(void **state) {
    (void)state;
    in_task(reverse);
    in_task(reverse_dropped);
}

static int64_t bad_calls(void *arg, void **value) {
    (void)arg, (void)value;
    assert_failed(aloop_getaddrinfo(NULL, NULL, NULL), ALOOP_EINVAL);
    aloop_stream_options *other = aloop_stream_options_new();
    assert_failed(aloop_getaddrinfo("::1", "1", (aloop_addrinfo_options *)other), ALOOP_EINVAL);
    assert_failed(aloop_getnameinfo((aloop_address *)other, 0), ALOOP_EINVAL);
    aloop_unref(other);
    return 0;
}

static void test_bad_calls(void **state) {
    (void)state;
    assert_null(aloop_getaddrinfo("127.0.0.1", "1", NULL)); /* no loop */
    aloop_address *a = address("127.0.0.1", 1);
    assert_null(aloop_getnameinfo(a, 0));
    aloop_unref(a);
    assert_code(aloop_addrinfo_options_set_family(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_addrinfo_options_set_type(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_addrinfo_options_set_protocol(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_addrinfo_options_set_flags(NULL, 0), ALOOP_EINVAL);
    in_task(bad_calls);
}

SUITE(CASE(test_addresses), CASE(test_bad_addresses), CASE(test_kernel_addresses),
      CASE(test_numeric_hosts), CASE(test_names), CASE(test_addresses_to_names),
      CASE(test_bad_calls))
