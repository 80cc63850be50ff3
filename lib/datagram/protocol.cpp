// protocol.cpp: the callback level of an endpoint. Every function of the
// program is called from the ready queue, in the context of the endpoint's making.
//
// SPDX-License-Identifier: MIT
#include <cerrno>

#include "../context/context.hpp"
#include "datagram.hpp"

namespace aloop {

namespace {

template <typename Call>
void call_program(datagram *d, Call call) {
    loop *l = loop_of(d);
    var_map *map = share(d->context);
    {
        callback_scope scope(&map);
        const int64_t result = call();
        if (result < 0) l->report("Exception in callback", result, l->raised.get());
    }
    drop(map);
    if (l->raised) l->raised.reset();
}

}  // namespace

void tell_made(datagram *d) {
    const auto fn = d->protocol.connection_made;
    if (fn != nullptr) call_program(d, [&] { return fn(to_c(d), d->data); });
}

// One batch; what is left waits for the next iteration.
void tell_received(datagram *d) {
    const int64_t got = pull(d);
    if (got < 0 && got != -EAGAIN) note_trouble(d, make_error(got, nullptr));
    while (packet *p = take_received(d)) {
        const auto fn = d->protocol.datagram_received;
        if (fn != nullptr) call_program(d, [&] { return fn(to_c(d), to_c(p), d->data); });
        unref(p);
    }
    if (d->is(d_closing)) return;
    if (got == ALOOP_ENOMEM) {
        retry_soon(d);  // not at once: nothing else would get its turn
        return;
    }
    if ((d->ready_bits() & k_readable) == 0) return;
    d->on(d_io_due);
    enqueue(d, false);
}

void tell_error(datagram *d) {
    error *e = std::exchange(d->trouble, nullptr);
    const auto fn = d->protocol.error_received;
    if (fn != nullptr) call_program(d, [&] { return fn(to_c(d), to_c(e), d->data); });
    unref(e);
}

void tell_paused(datagram *d) {
    const bool paused = d->is(d_paused);
    if (d->is(d_over) || paused == d->is(d_told_paused)) return;
    if (paused) d->on(d_told_paused);
    else d->off(d_told_paused);
    const auto fn = paused ? d->protocol.pause_writing : d->protocol.resume_writing;
    if (fn != nullptr) call_program(d, [&] { return fn(to_c(d), d->data); });
}

void tell_lost(datagram *d) {
    if (!d->has_protocol) return;
    const auto fn = d->protocol.connection_lost;
    if (fn != nullptr) call_program(d, [&] { return fn(to_c(d), 0, nullptr, d->data); });
}

}  // namespace aloop
