// last_observer.hpp: a combinator's observer of a future, searched from the end.
//
// For an observer that is removed and appended again and again: the search passes each
// waiter that came later only once, however many there are.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "future.hpp"

namespace aloop {

// The last one with fn that waits for f; nullptr: there is none.
done_callback *last_observer(const future *f, aloop_done_fn fn);

}  // namespace aloop
