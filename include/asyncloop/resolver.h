/*
 * resolver.h: addresses, and looking up host names.
 *
 *     aloop_addresses *list = NULL;
 *     int64_t rc = aloop_await(aloop_getaddrinfo("example.org", "80", NULL), (void **)&list);
 *     for (int64_t i = 0; i < rc; i++) {
 *         char text[ALOOP_ADDRESS_TEXT];
 *         aloop_address_format(aloop_addresses_at(list, i), text, sizeof text);
 *         puts(text);
 *     }
 *     aloop_unref(list);
 *
 * Addresses and lists of them are immutable; any thread may use and drop them. Lookups
 * belong to the loop that runs in this thread; NULL if none does. They run in up to four
 * threads of the loop's own, never in the program's executor. Numeric hosts and services
 * need no thread and are done at once. A cancelled lookup that has begun ends in the
 * background, and its answer is dropped; one that has not begun never starts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_RESOLVER_H
#define ASYNCLOOP_RESOLVER_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_address aloop_address;
typedef struct aloop_addresses aloop_addresses;
typedef struct aloop_host_name aloop_host_name;

/* Addresses --------------------------------------------------------------------------- */

/* A buffer of this size has room for the text of every address. */
#define ALOOP_ADDRESS_TEXT 160

/* Creates an address; *address is a reference. host must be numeric ("127.0.0.1", "::1",
 * "fe80::1%eth0"): ALOOP_EINVAL for a name, and for a port that is not 0 to 65535.
 * ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_address_new(aloop_address **address, const char *host, int32_t port);
/* The address of a Unix socket; "@name" is an abstract one. ALOOP_EINVAL if path is empty or too
 * long. */
ALOOP_API int64_t aloop_address_new_unix(aloop_address **address, const char *path);
/* From a struct sockaddr of size bytes: AF_INET, AF_INET6 or AF_UNIX. */
ALOOP_API int64_t aloop_address_from_sockaddr(aloop_address **address, const void *sockaddr,
                                              size_t size);

/* AF_INET, AF_INET6, AF_UNIX, or 0 if it is unknown (that of an unnamed socket). */
ALOOP_API int64_t aloop_address_family(const aloop_address *address);
/* The port; 0 for a Unix address. */
ALOOP_API int64_t aloop_address_port(const aloop_address *address);
/* Copies the numeric host, or the path, truncated to size and with a NUL (buffer may be NULL);
 * returns the length of the text. */
ALOOP_API int64_t aloop_address_host(const aloop_address *address, char *buffer, size_t size);
/* The same with the port: "127.0.0.1:80", "[::1]:80", "/path", "@abstract". */
ALOOP_API int64_t aloop_address_format(const aloop_address *address, char *buffer, size_t size);
/* Copies the struct sockaddr, if it fits, and returns its size. */
ALOOP_API int64_t aloop_address_sockaddr(const aloop_address *address, void *buffer, size_t size);
/* 1 if both are the same address, else 0. */
ALOOP_API int64_t aloop_address_equal(const aloop_address *a, const aloop_address *b);
/* For an address from aloop_getaddrinfo: SOCK_STREAM or SOCK_DGRAM; the protocol; and, with
 * AI_CANONNAME, for the first address, the canonical name (otherwise ""). */
ALOOP_API int64_t aloop_address_type(const aloop_address *address);
ALOOP_API int64_t aloop_address_protocol(const aloop_address *address);
ALOOP_API const char *aloop_address_canonname(const aloop_address *address);

/* The number of addresses; and an address, borrowed from the list, NULL out of range. */
ALOOP_API int64_t aloop_addresses_count(const aloop_addresses *list);
ALOOP_API aloop_address *aloop_addresses_at(const aloop_addresses *list, int64_t index);

/* Names to addresses ------------------------------------------------------------------
 *
 * New options; NULL when out of memory; aloop_unref frees them. By default all are 0, as for
 * getaddrinfo(3): any family, any socket type, any protocol, no AI_ flags. Setters return 0, or
 * ALOOP_EINVAL for NULL. */

typedef struct aloop_addrinfo_options aloop_addrinfo_options;
ALOOP_API aloop_addrinfo_options *aloop_addrinfo_options_new(void);
ALOOP_API int64_t aloop_addrinfo_options_set_family(aloop_addrinfo_options *options,
                                                    int32_t family);
ALOOP_API int64_t aloop_addrinfo_options_set_type(aloop_addrinfo_options *options, int32_t type);
ALOOP_API int64_t aloop_addrinfo_options_set_protocol(aloop_addrinfo_options *options,
                                                      int32_t protocol);
ALOOP_API int64_t aloop_addrinfo_options_set_flags(aloop_addrinfo_options *options, int32_t flags);

/* Looks up a host: a future whose value is an aloop_addresses (a reference), and whose status is
 * their number. host or service may be NULL, but not both; service is a number or a name;
 * options may be NULL. Fails with ALOOP_ERESOLVE and the system's message, ALOOP_ENOMEM,
 * ALOOP_EINVAL, or -EAGAIN if no thread can be started. loop.getaddrinfo. */
ALOOP_API aloop_future *aloop_getaddrinfo(const char *host, const char *service,
                                          const aloop_addrinfo_options *options);

/* Addresses to names ------------------------------------------------------------------ */

/* Looks up the name of an address: a future whose value is an aloop_host_name (a reference).
 * flags: those of getnameinfo(3) (NI_...). Fails as aloop_getaddrinfo does.
 * loop.getnameinfo. */
ALOOP_API aloop_future *aloop_getnameinfo(const aloop_address *address, int32_t flags);
/* Its parts, borrowed; "" for NULL and for another object. */
ALOOP_API const char *aloop_host_name_host(const aloop_host_name *name);
ALOOP_API const char *aloop_host_name_service(const aloop_host_name *name);

#ifdef __cplusplus
}
#endif

#endif
