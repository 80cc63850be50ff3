// protocol.hpp: the level of transports and protocols: a set of callbacks as the
// user of a stream. The stream does all the work: reading, queueing, ending.
// What stands here is when the program is called, and what its answers mean.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/protocol.h>

#include "../base/options.hpp"
#include "../stream/stream.hpp"

namespace aloop {

struct protocol final : options_of<protocol> {
    aloop_transport_fn connection_made = nullptr;
    aloop_data_received_fn data_received = nullptr;
    aloop_get_buffer_fn get_buffer = nullptr;
    aloop_buffer_updated_fn buffer_updated = nullptr;
    aloop_transport_fn eof_received = nullptr;
    aloop_transport_fn pause_writing = nullptr;
    aloop_transport_fn resume_writing = nullptr;
    aloop_connection_lost_fn connection_lost = nullptr;
    aloop_protocol_factory_fn factory = nullptr;
    aloop_free_fn data_free = nullptr;
};

inline protocol *from_c(aloop_protocol *p) { return options_from<protocol>(p); }
inline aloop_protocol *to_c(protocol *p) { return reinterpret_cast<aloop_protocol *>(p); }

// Makes p the user of a new connection; data is its, or the factory's argument.
// Takes the context over. 0 or ALOOP_ENOMEM.
int64_t give_protocol(stream *s, protocol *p, void *data, var_map *context);
// In the place of the user it has; nullptr: none.
int64_t change_protocol(stream *s, protocol *p, void *data);
// nullptr: it has none.
protocol *protocol_of(stream *s, void **data);

}  // namespace aloop
