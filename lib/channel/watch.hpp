// watch.hpp: the latest value, for any number of receiving ends that want to know
// when it changes.
//
// Values are numbered. An end that has last seen a lower number than the current
// one has something new to see, however often the value has changed in between.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "fan.hpp"

namespace aloop {

struct watch final : fan {
    message *current;  // owned
    int64_t number = 1;

    watch(message *first, aloop_free_fn free_fn);
    ~watch() { unref(current); }
};

inline watch *watch_of(const fan_end *e) { return static_cast<watch *>(e->of); }

// 0 or ALOOP_ENOMEM: then the item is the caller's.
int64_t make_watch(loop *l, void *item, aloop_free_fn item_free, fan_end **sender);
// 0, ALOOP_ESTALE, ALOOP_ENOMEM, and, unless `anyway`, ALOOP_EPIPE without receivers.
int64_t set_value(fan_end *sender, void *item, bool anyway);
// The current value, a reference; seen: this end has seen it now.
message *current_value(fan_end *end, bool seen);
// 1: there is a value that the end has not seen, else 0; ALOOP_ESTALE,
// ALOOP_ESTOPITERATION.
int64_t has_changed(const fan_end *receiver);
// nullptr: out of memory.
future *make_changed(fan_end *receiver);
future *make_all_left(fan_end *sender);

}  // namespace aloop
