// SPDX-License-Identifier: MIT
#include <asyncloop/datagram.h>

#include <cstdio>
#include <cstring>

#include "../future/entry.hpp"
#include "datagram.hpp"

using namespace aloop;

namespace {

int64_t check_endpoint(const aloop_datagram *handle) {
    const datagram *d = reinterpret_cast<const datagram *>(handle);
    return is(d, kind::datagram) ? loop_of(d)->check() : int64_t{ALOOP_EINVAL};
}

bool bad_data(const void *data, size_t n) {
    return n > k_most_size || (data == nullptr && n > 0);
}

// 0, or why the datagram cannot be sent there.
int64_t check_sending(aloop_datagram *handle, const void *data, size_t n,
                      const aloop_address *to, error **why) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return code;
    if (bad_data(data, n)) return ALOOP_EINVAL;
    if (to != nullptr && !is(from_c(to), kind::address)) return ALOOP_EINVAL;
    return check_target(from_c(handle), from_c(to), why);
}

const packet *good(const aloop_packet *handle) {
    const packet *p = reinterpret_cast<const packet *>(handle);
    return is(p, kind::packet) ? p : nullptr;
}

}  // namespace

// Packets ----------------------------------------------------------------------------------------

const uint8_t *aloop_packet_data(const aloop_packet *handle) {
    static const uint8_t none[1] = {0};
    const packet *p = good(handle);
    return p != nullptr ? p->data : none;
}

size_t aloop_packet_size(const aloop_packet *handle) {
    const packet *p = good(handle);
    return p != nullptr ? p->size : 0;
}

aloop_address *aloop_packet_address(const aloop_packet *handle) {
    const packet *p = good(handle);
    return p != nullptr ? to_c(const_cast<address_object *>(&p->from)) : nullptr;
}

int64_t aloop_packet_truncated(const aloop_packet *handle) {
    const packet *p = good(handle);
    return p != nullptr ? p->truncated : int64_t{ALOOP_EINVAL};
}

int64_t aloop_packets_count(const aloop_packets *handle) {
    const packets *list = reinterpret_cast<const packets *>(handle);
    return is(list, kind::packets) ? list->count : int64_t{ALOOP_EINVAL};
}

aloop_packet *aloop_packets_at(const aloop_packets *handle, int64_t index) {
    const packets *list = reinterpret_cast<const packets *>(handle);
    if (!is(list, kind::packets) || index < 0 || index >= list->count) return nullptr;
    packet *const *all = list->entries;
    return to_c(all[index]);
}

// Life -------------------------------------------------------------------------------------------

aloop_future *aloop_create_datagram_endpoint(const aloop_datagram_options *handle) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const datagram_options *given = options_from<datagram_options>(handle);
    if (given == nullptr) return refused(ALOOP_EINVAL);
    datagram_options *copy = copy_options(*given);
    return made(l, copy != nullptr ? make_create_endpoint(l, copy) : nullptr);
}

int64_t aloop_datagram_close(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    if (code == 0) close_endpoint(from_c(handle));
    return code;
}

int64_t aloop_datagram_abort(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    if (code == 0) abort_endpoint(from_c(handle));
    return code;
}

int64_t aloop_datagram_is_closing(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    return code < 0 ? code : from_c(handle)->is(d_closing);
}

aloop_future *aloop_datagram_wait_closed(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_wait_closed(from_c(handle)));
}

// Receiving --------------------------------------------------------------------------------------

aloop_future *aloop_datagram_recvfrom(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_receive(from_c(handle), 0));
}

aloop_future *aloop_datagram_recvmany(aloop_datagram *handle, int64_t n) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return refused(code);
    if (n < 1) return refused(ALOOP_EINVAL);
    return made(loop_of(from_c(handle)), make_receive(from_c(handle), n));
}

// Sending ----------------------------------------------------------------------------------------

aloop_future *aloop_datagram_sendto(aloop_datagram *handle, const void *data, size_t n,
                                    aloop_address *to) {
    error *why = nullptr;
    const int64_t code = check_sending(handle, data, n, to, &why);
    if (code < 0) return refused(code, why);
    return made(loop_of(from_c(handle)), make_send(from_c(handle), data, n, from_c(to)));
}

int64_t aloop_datagram_sendto_nowait(aloop_datagram *handle, const void *data, size_t n,
                                     aloop_address *to) {
    error *why = nullptr;
    const int64_t code = check_sending(handle, data, n, to, &why);
    if (code == 0) return send_or_queue(from_c(handle), data, n, from_c(to));
    if (why != nullptr) {
        aloop_raise_message(code, message_of(why));
        unref(why);
    }
    return code;
}

aloop_future *aloop_datagram_sendmany(aloop_datagram *handle, const aloop_buf *data,
                                      aloop_address *const *to, size_t n) {
    int64_t code = check_endpoint(handle);
    if (code < 0) return refused(code);
    if ((data == nullptr && n > 0) || n > INT32_MAX) return refused(ALOOP_EINVAL);
    for (size_t i = 0; i < n; i++) {
        aloop_address *one = to != nullptr ? to[i] : nullptr;
        error *why = nullptr;
        code = check_sending(handle, data[i].base, data[i].len, one, &why);
        if (code < 0) return refused(code, why);
    }
    return made(loop_of(from_c(handle)), make_send_many(from_c(handle), {data, to, n}));
}

aloop_future *aloop_datagram_drain(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_drain(from_c(handle)));
}

int64_t aloop_datagram_set_write_buffer_limits(aloop_datagram *handle, int64_t high, int64_t low) {
    const int64_t code = check_endpoint(handle);
    return code < 0 ? code : set_water_marks(from_c(handle), high, low);
}

int64_t aloop_datagram_get_write_buffer_size(aloop_datagram *handle) {
    const int64_t code = check_endpoint(handle);
    return code < 0 ? code : static_cast<int64_t>(from_c(handle)->queued_bytes);
}

// Information ------------------------------------------------------------------------------------

int64_t aloop_datagram_get_extra_info(aloop_datagram *handle, const char *name, char *buffer,
                                      size_t size) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return code;
    if (name == nullptr) return ALOOP_EINVAL;
    datagram *d = from_c(handle);
    char text[k_address_text];
    if (std::strcmp(name, "fd") == 0 || std::strcmp(name, "socket") == 0) {
        if (d->fd < 0) return ALOOP_ENOENT;
        if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%d", d->fd);
        return d->fd;
    }
    const bool peer = std::strcmp(name, "peername") == 0;
    if (!peer && std::strcmp(name, "sockname") != 0) return ALOOP_ENOENT;
    address a;
    if (!(peer ? remote_of(d, &a) : local_of(d, &a))) return ALOOP_ENOENT;
    return give_text(format_address(a, text, sizeof text), buffer, size);
}

aloop_address *aloop_datagram_local_address(aloop_datagram *handle) {
    address a;
    if (check_endpoint(handle) < 0 || !local_of(from_c(handle), &a)) return nullptr;
    return to_c(create<address_object>(a));
}

aloop_address *aloop_datagram_remote_address(aloop_datagram *handle) {
    if (check_endpoint(handle) < 0 || from_c(handle)->peer == nullptr) return nullptr;
    ref(from_c(handle)->peer);
    return to_c(from_c(handle)->peer);
}

int64_t aloop_datagram_statistic(aloop_datagram *handle, int32_t which) {
    const int64_t code = check_endpoint(handle);
    if (code < 0) return code;
    if (which < 0 || which >= k_datagram_stats) return ALOOP_EINVAL;
    return from_c(handle)->counts[which];
}
