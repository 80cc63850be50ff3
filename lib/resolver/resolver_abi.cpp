// SPDX-License-Identifier: MIT
#include <asyncloop/resolver.h>

#include <cstring>

#include "../future/entry.hpp"
#include "address_object.hpp"
#include "resolver.hpp"

using namespace aloop;

namespace {

const address_object *good(const aloop_address *handle) {
    const address_object *a = from_c(handle);
    return is(a, kind::address) ? a : nullptr;
}

int64_t make_address(const address &value, aloop_address **out) {
    address_object *a = create<address_object>(value);
    if (a == nullptr) return ALOOP_ENOMEM;
    *out = to_c(a);
    return 0;
}

int64_t set_number(aloop_addrinfo_options *handle, int32_t addrinfo_options::*which,
                   int32_t value) {
    addrinfo_options *o = options_from<addrinfo_options>(handle);
    if (o == nullptr) return ALOOP_EINVAL;
    o->*which = value;
    return 0;
}

}  // namespace

// Addresses --------------------------------------------------------------------------------

int64_t aloop_address_new(aloop_address **out, const char *host, int32_t port) {
    if (out == nullptr || host == nullptr || port < 0 || port > 65535) return ALOOP_EINVAL;
    address a;
    if (!numeric_address(host, port, &a)) return ALOOP_EINVAL;
    return make_address(a, out);
}

int64_t aloop_address_new_unix(aloop_address **out, const char *path) {
    address a;
    if (out == nullptr || path == nullptr) return ALOOP_EINVAL;
    if (!path_address(path, std::strlen(path), &a)) return ALOOP_EINVAL;
    return make_address(a, out);
}

int64_t aloop_address_from_sockaddr(aloop_address **out, const void *sockaddr, size_t size) {
    address a;
    if (out == nullptr || sockaddr == nullptr) return ALOOP_EINVAL;
    if (!copy_sockaddr(sockaddr, size, &a)) return ALOOP_EINVAL;
    return make_address(a, out);
}

int64_t aloop_address_family(const aloop_address *handle) {
    const address_object *a = good(handle);
    return a != nullptr ? a->value.family() : int64_t{ALOOP_EINVAL};
}

int64_t aloop_address_port(const aloop_address *handle) {
    const address_object *a = good(handle);
    return a != nullptr ? a->value.port() : int64_t{ALOOP_EINVAL};
}

int64_t aloop_address_host(const aloop_address *handle, char *buffer, size_t size) {
    const address_object *a = good(handle);
    if (a == nullptr) return ALOOP_EINVAL;
    char text[k_address_text];
    return give_text(format_host(a->value, text, sizeof text), buffer, size);
}

int64_t aloop_address_format(const aloop_address *handle, char *buffer, size_t size) {
    const address_object *a = good(handle);
    if (a == nullptr) return ALOOP_EINVAL;
    char text[k_address_text];
    return give_text(format_address(a->value, text, sizeof text), buffer, size);
}

int64_t aloop_address_sockaddr(const aloop_address *handle, void *buffer, size_t size) {
    const address_object *a = good(handle);
    if (a == nullptr) return ALOOP_EINVAL;
    if (buffer != nullptr && size >= a->value.size) {
        std::memcpy(buffer, &a->value.any, a->value.size);
    }
    return a->value.size;
}

int64_t aloop_address_equal(const aloop_address *a, const aloop_address *b) {
    if (good(a) == nullptr || good(b) == nullptr) return ALOOP_EINVAL;
    return same_address(from_c(a)->value, from_c(b)->value);
}

int64_t aloop_address_type(const aloop_address *handle) {
    const address_object *a = good(handle);
    return a != nullptr ? a->type : int64_t{ALOOP_EINVAL};
}

int64_t aloop_address_protocol(const aloop_address *handle) {
    const address_object *a = good(handle);
    return a != nullptr ? a->protocol : int64_t{ALOOP_EINVAL};
}

const char *aloop_address_canonname(const aloop_address *handle) {
    const address_object *a = good(handle);
    return a != nullptr && a->canonical != nullptr ? a->canonical : "";
}

int64_t aloop_addresses_count(const aloop_addresses *handle) {
    const addresses *list = reinterpret_cast<const addresses *>(handle);
    return is(list, kind::addresses) ? list->count : int64_t{ALOOP_EINVAL};
}

aloop_address *aloop_addresses_at(const aloop_addresses *handle, int64_t index) {
    const addresses *list = reinterpret_cast<const addresses *>(handle);
    if (!is(list, kind::addresses) || index < 0 || index >= list->count) return nullptr;
    address_object *const *all = list->entries;
    return to_c(all[index]);
}

// Lookups ------------------------------------------------------------------------------------

aloop_addrinfo_options *aloop_addrinfo_options_new(void) {
    return reinterpret_cast<aloop_addrinfo_options *>(create<addrinfo_options>());
}

int64_t aloop_addrinfo_options_set_family(aloop_addrinfo_options *options, int32_t family) {
    return set_number(options, &addrinfo_options::family, family);
}

int64_t aloop_addrinfo_options_set_type(aloop_addrinfo_options *options, int32_t type) {
    return set_number(options, &addrinfo_options::type, type);
}

int64_t aloop_addrinfo_options_set_protocol(aloop_addrinfo_options *options, int32_t protocol) {
    return set_number(options, &addrinfo_options::protocol, protocol);
}

int64_t aloop_addrinfo_options_set_flags(aloop_addrinfo_options *options, int32_t flags) {
    return set_number(options, &addrinfo_options::flags, flags);
}

aloop_future *aloop_getaddrinfo(const char *host, const char *service,
                                const aloop_addrinfo_options *handle) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const addrinfo_options *given = options_from<addrinfo_options>(handle);
    if ((handle != nullptr && given == nullptr) || (host == nullptr && service == nullptr)) {
        return refused(ALOOP_EINVAL);
    }
    if (given != nullptr) return made(l, look_up(l, host, service, *given));
    addrinfo_options *defaults = create<addrinfo_options>();
    if (defaults == nullptr) return made(l, nullptr);
    future *f = look_up(l, host, service, *defaults);
    unref(defaults);
    return made(l, f);
}

aloop_future *aloop_getnameinfo(const aloop_address *handle, int32_t flags) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const address_object *a = good(handle);
    if (a == nullptr) return refused(ALOOP_EINVAL);
    return made(l, look_up_name(l, a->value, flags));
}

const char *aloop_host_name_host(const aloop_host_name *handle) {
    const host_name *n = reinterpret_cast<const host_name *>(handle);
    return is(n, kind::host_name) ? n->host : "";
}

const char *aloop_host_name_service(const aloop_host_name *handle) {
    const host_name *n = reinterpret_cast<const host_name *>(handle);
    return is(n, kind::host_name) ? n->service : "";
}
