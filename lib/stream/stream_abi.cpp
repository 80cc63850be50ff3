// SPDX-License-Identifier: MIT
#include <asyncloop/stream.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "../tls/tls.hpp"
#include "connect.hpp"
#include "entry.hpp"

using namespace aloop;

namespace {

stream_options *good(aloop_stream_options *o) { return options_from<stream_options>(o); }

// Of a stream that is read, and not told by a protocol.
int64_t check_reader(const aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    const bool told = reinterpret_cast<const stream *>(handle)->user != nullptr;
    return told ? int64_t{ALOOP_EBUSY} : 0;
}

int64_t set_flag(aloop_stream_options *handle, int32_t stream_options::*which, int32_t value) {
    stream_options *o = good(handle);
    if (o == nullptr) return ALOOP_EINVAL;
    o->*which = value != 0;
    return 0;
}

}  // namespace

// Options ------------------------------------------------------------------------------------

aloop_stream_options *aloop_stream_options_new(void) {
    return reinterpret_cast<aloop_stream_options *>(create<stream_options>());
}

int64_t aloop_stream_options_set_limit(aloop_stream_options *handle, size_t bytes) {
    stream_options *o = good(handle);
    if (o == nullptr || bytes == 0 || bad_size(bytes)) return ALOOP_EINVAL;
    o->limit = bytes;
    return 0;
}

int64_t aloop_stream_options_set_family(aloop_stream_options *handle, int32_t family) {
    stream_options *o = good(handle);
    const bool known = family == AF_UNSPEC || family == AF_INET || family == AF_INET6;
    if (o == nullptr || !known) return ALOOP_EINVAL;
    o->family = family;
    return 0;
}

int64_t aloop_stream_options_set_local_address(aloop_stream_options *handle, const char *host,
                                               int32_t port) {
    stream_options *o = good(handle);
    if (o == nullptr || port < 0 || port > 65535) return ALOOP_EINVAL;
    char *copy = copy_string(host != nullptr ? host : "");
    if (copy == nullptr) return ALOOP_ENOMEM;
    release(o->local_host);
    o->local_host = copy;
    o->local_port = port;
    return 0;
}

int64_t aloop_stream_options_set_happy_eyeballs_delay(aloop_stream_options *handle, double delay) {
    stream_options *o = good(handle);
    if (o == nullptr || std::isnan(delay)) return ALOOP_EINVAL;
    o->eyeballs_delay = delay;
    return 0;
}

int64_t aloop_stream_options_set_backlog(aloop_stream_options *handle, int32_t backlog) {
    stream_options *o = good(handle);
    if (o == nullptr || backlog < 0) return ALOOP_EINVAL;
    o->backlog = backlog;
    return 0;
}

int64_t aloop_stream_options_set_reuse_address(aloop_stream_options *o, int32_t reuse) {
    return set_flag(o, &stream_options::reuse_address, reuse);
}

int64_t aloop_stream_options_set_reuse_port(aloop_stream_options *o, int32_t reuse) {
    return set_flag(o, &stream_options::reuse_port, reuse);
}

int64_t aloop_stream_options_set_start_serving(aloop_stream_options *o, int32_t start) {
    return set_flag(o, &stream_options::start_serving, start);
}

int64_t aloop_stream_options_set_cleanup_socket(aloop_stream_options *o, int32_t cleanup) {
    return set_flag(o, &stream_options::cleanup_socket, cleanup);
}

int64_t aloop_stream_options_set_descriptor(aloop_stream_options *handle, int32_t descriptor) {
    stream_options *o = good(handle);
    if (o == nullptr || descriptor < 0) return ALOOP_EINVAL;
    o->descriptor = descriptor;
    return 0;
}

int64_t aloop_stream_options_set_keep_alive(aloop_stream_options *o, int32_t keep_alive) {
    return set_flag(o, &stream_options::keep_alive, keep_alive);
}

int64_t aloop_stream_options_set_max_connections(aloop_stream_options *handle, int64_t n) {
    stream_options *o = good(handle);
    if (o == nullptr || n < 0) return ALOOP_EINVAL;
    o->max_connections = n;
    return 0;
}

int64_t aloop_stream_options_add_host(aloop_stream_options *handle, const char *host) {
    stream_options *o = good(handle);
    if (o == nullptr || host == nullptr) return ALOOP_EINVAL;
    return o->add_host(host) ? 0 : int64_t{ALOOP_ENOMEM};
}

int64_t aloop_stream_options_set_data_free(aloop_stream_options *handle, aloop_free_fn free_fn) {
    stream_options *o = good(handle);
    if (o == nullptr) return ALOOP_EINVAL;
    o->data_free = free_fn;
    return 0;
}

// Connecting ---------------------------------------------------------------------------------

aloop_future *aloop_open_connection(const char *host, int32_t port,
                                    const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (const char *why = bad_place(host, port, options)) return refused(ALOOP_EINVAL, why);
    if (const char *why = client_complaint(options, host)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    return made(l, o != nullptr ? make_connect(l, host, port, o) : nullptr);
}

aloop_future *aloop_open_unix_connection(const char *path, const aloop_stream_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    address to;
    if (const char *why = bad_path(path, options, &to)) return refused(ALOOP_EINVAL, why);
    if (const char *why = client_complaint(options, nullptr)) return refused(ALOOP_EINVAL, why);
    stream_options *o = taken(options);
    return made(l, o != nullptr ? make_unix_connect(l, to, o) : nullptr);
}

// Reading ------------------------------------------------------------------------------------

aloop_future *aloop_stream_read(aloop_stream *handle, int64_t n) {
    const int64_t code = check_reader(handle);
    if (code < 0) return refused(code);
    stream *s = from_c(handle);
    const read_mode mode = n < 0 ? read_mode::to_end : read_mode::some;
    return made(loop_of(s), make_read(s, mode, n < 0 ? 0 : static_cast<size_t>(n), nullptr));
}

aloop_future *aloop_stream_read_into(aloop_stream *handle, void *buffer, size_t n) {
    const int64_t code = check_reader(handle);
    if (code < 0) return refused(code);
    if (bad_size(n) || (buffer == nullptr && n > 0)) return refused(ALOOP_EINVAL);
    stream *s = from_c(handle);
    return made(loop_of(s), make_read(s, read_mode::into, n, buffer));
}

aloop_future *aloop_stream_readline(aloop_stream *handle) {
    const int64_t code = check_reader(handle);
    if (code < 0) return refused(code);
    stream *s = from_c(handle);
    return made(loop_of(s), make_read_until(s, nullptr, 0, true));
}

aloop_future *aloop_stream_readexactly(aloop_stream *handle, int64_t n) {
    const int64_t code = check_reader(handle);
    if (code < 0) return refused(code);
    if (n < 0) return refused(ALOOP_EINVAL, "readexactly size can not be less than zero");
    if (bad_size(static_cast<size_t>(n))) return refused(ALOOP_ENOMEM);
    stream *s = from_c(handle);
    return made(loop_of(s),
                make_read(s, read_mode::exactly, static_cast<size_t>(n), nullptr));
}

aloop_future *aloop_stream_readuntil(aloop_stream *handle, const void *separator, size_t n) {
    const aloop_buf one = {separator, n};
    return aloop_stream_readuntil_any(handle, &one, 1);
}

aloop_future *aloop_stream_readuntil_any(aloop_stream *handle, const aloop_buf *separators,
                                         size_t count) {
    const int64_t code = check_reader(handle);
    if (code < 0) return refused(code);
    if (separators == nullptr || count == 0) {
        return refused(ALOOP_EINVAL, "Separator should contain at least one element");
    }
    if (count > 1024) return refused(ALOOP_EINVAL);
    for (size_t i = 0; i < count; i++) {
        if (separators[i].len == 0) {
            return refused(ALOOP_EINVAL, "Separator should be at least one-byte string");
        }
        if (separators[i].base == nullptr || bad_size(separators[i].len)) {
            return refused(ALOOP_EINVAL);
        }
    }
    stream *s = from_c(handle);
    return made(loop_of(s), make_read_until(s, separators, count, false));
}

int64_t aloop_stream_at_eof(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    stream *s = from_c(handle);
    // The kernel announced the end: what is before it may be nothing. A protocol is told.
    const bool announced = (s->ready_bits() & k_hangup) != 0 && s->user == nullptr;
    if (announced && s->unread == nullptr && !s->is(k_at_end)) {
        uint8_t byte;
        if (pull(s, &byte, 1) == 1) put_back(s, &byte, 1);
    }
    return s->is(k_at_end) && s->unread_bytes() == 0;
}

int64_t aloop_stream_pause_reading(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    if (!from_c(handle)->is(k_closing)) from_c(handle)->on(k_reading_paused);
    return 0;
}

int64_t aloop_stream_resume_reading(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    stream *s = from_c(handle);
    if (s->is(k_closing) || !s->is(k_reading_paused)) return 0;
    s->off(k_reading_paused);
    if ((s->ready_bits() & k_readable) != 0) wake_reader(s);
    look_again(s);
    return 0;
}

int64_t aloop_stream_is_reading(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code : !from_c(handle)->is(k_reading_paused | k_closing);
}

aloop_bytes *aloop_error_partial(const aloop_error *handle) {
    const error *e = from_c(handle);
    const read_detail *detail = is(e, kind::error) ? detail_of(e) : nullptr;
    return detail != nullptr ? to_c(detail->partial) : nullptr;
}

namespace {

int64_t number_of(const aloop_error *handle, int64_t code) {
    const error *e = from_c(handle);
    const read_detail *detail = is(e, kind::error) && e->code == code ? detail_of(e) : nullptr;
    return detail != nullptr ? detail->number : int64_t{ALOOP_EWRONGTYPE};
}

}  // namespace

int64_t aloop_error_expected(const aloop_error *e) { return number_of(e, ALOOP_EINCOMPLETEREAD); }

int64_t aloop_error_consumed(const aloop_error *e) { return number_of(e, ALOOP_ELIMITOVERRUN); }

// Writing ------------------------------------------------------------------------------------

int64_t aloop_stream_write(aloop_stream *handle, const void *data, size_t n) {
    const aloop_buf one = {data, n};
    return aloop_stream_writelines(handle, &one, 1);
}

int64_t aloop_stream_writelines(aloop_stream *handle, const aloop_buf *parts, size_t count) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    if ((parts == nullptr && count > 0) || count > INT32_MAX) return ALOOP_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (bad_size(parts[i].len) || (parts[i].base == nullptr && parts[i].len > 0)) {
            return ALOOP_EINVAL;
        }
    }
    // The two structures are the same words; the kernel's is not const.
    static_assert(sizeof(aloop_buf) == sizeof(iovec) &&
                  offsetof(aloop_buf, len) == offsetof(iovec, iov_len));
    const int64_t queued = write_parts(from_c(handle), reinterpret_cast<const iovec *>(parts),
                                       static_cast<int>(count));
    if (queued == ALOOP_EINVALIDSTATE) {
        aloop_raise_message(queued, "Cannot call write() after write_eof()");
    } else if (queued == ALOOP_EBUSY) {
        aloop_raise_message(queued, "unable to write; sendfile is in progress");
    }
    return queued;
}

aloop_future *aloop_stream_drain(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_drain(from_c(handle)));
}

int64_t aloop_stream_write_eof(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code : end_writing(from_c(handle));
}

int64_t aloop_stream_can_write_eof(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code
                    : from_c(handle)->layer->end != nullptr || from_c(handle)->is(k_one_way_out);
}

int64_t aloop_stream_set_write_buffer_limits(aloop_stream *handle, int64_t high, int64_t low) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code : set_water_marks(from_c(handle), high, low);
}

int64_t aloop_stream_get_write_buffer_limits(aloop_stream *handle, int64_t *high, int64_t *low) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    if (high != nullptr) *high = from_c(handle)->high;
    if (low != nullptr) *low = from_c(handle)->low;
    return 0;
}

int64_t aloop_stream_get_write_buffer_size(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code : static_cast<int64_t>(from_c(handle)->queued_bytes);
}

// Closing ------------------------------------------------------------------------------------

int64_t aloop_stream_close(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code == 0) close_stream(from_c(handle));
    return code;
}

int64_t aloop_stream_abort(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code == 0) abort_stream(from_c(handle));
    return code;
}

int64_t aloop_stream_is_closing(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    return code < 0 ? code : from_c(handle)->is(k_closing);
}

aloop_future *aloop_stream_wait_closed(aloop_stream *handle) {
    const int64_t code = check_stream(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_wait_closed(from_c(handle)));
}

namespace {

// Whether the address is known; that of an open socket is asked of the kernel.
bool address_of(stream *s, bool peer, address *out) {
    if (peer && s->peer.get(out)) return true;
    if (s->fd < 0) return false;
    const sys_table *sys = loop_of(s)->sys();
    socklen_t size = sizeof out->path;
    const int64_t code = peer ? sys->getpeername(s->fd, &out->any, &size)
                              : sys->getsockname(s->fd, &out->any, &size);
    out->filled(size);
    return code >= 0;
}

}  // namespace

int64_t aloop_stream_get_extra_info(aloop_stream *handle, const char *name, char *buffer,
                                    size_t size) {
    const int64_t code = check_stream(handle);
    if (code < 0) return code;
    if (name == nullptr) return ALOOP_EINVAL;
    stream *s = from_c(handle);
    char text[k_address_text];
    if (std::strcmp(name, "fd") == 0 || std::strcmp(name, "socket") == 0) {
        if (s->fd < 0) return ALOOP_ENOENT;
        if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%d", s->fd);
        return s->fd;
    }
    address a;
    const bool peer = std::strcmp(name, "peername") == 0;
    if (!peer && std::strcmp(name, "sockname") != 0) {
        const bool asks_layer = s->layer->info != nullptr && !s->is(k_over);
        return asks_layer ? s->layer->info(s, name, buffer, size) : int64_t{ALOOP_ENOENT};
    }
    if (!address_of(s, peer, &a)) return ALOOP_ENOENT;
    format_address(a, text, sizeof text);
    if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", text);
    return static_cast<int64_t>(std::strlen(text));
}
