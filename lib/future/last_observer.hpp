// last_observer.hpp: a combinator's observer of a future, found from the end.
//
// For one that is taken back and put at the end again and again: each waiter that came
// since is passed once, however many there are.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "future.hpp"

namespace aloop {

// The last one with fn that waits for f; nullptr: there is none.
done_callback *last_observer(const future *f, aloop_done_fn fn);

}  // namespace aloop
