// fork.hpp: what happens around a fork, and in which order.
//
// pthread_atfork calls its handlers in the order of their registration, which for
// the files of a library is up to the linker. Therefore there is one registration,
// with a list of steps: before the fork they run from first to last, and after it,
// on both sides, from last to first. Signals are thus blocked while other steps are
// half done, and when the first signal arrives in the child, everything it can see
// of its process (generation, handlers, mask) is already new.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

namespace aloop {

enum class fork_step {
    signals,     // mask.cpp: none is delivered; the child's mask at the end
    generation,  // thread.cpp: from here on the loops are a parent's
    handlers,    // hub.cpp: whose signals go where
    count,
};

struct fork_part {
    void (*before)();
    void (*in_parent)();  // also when the fork has failed
    void (*in_child)();
};

// Takes part from now on. nullptr: nothing is to be done there.
struct takes_part_in_fork {
    takes_part_in_fork(fork_step step, const fork_part &part);
};

// Held over every fork, within all steps, so that the child finds it free and
// what it protects whole. Nothing else is locked while it is held.
class whole_at_fork {
public:
    explicit whole_at_fork(pthread_mutex_t *mutex);

private:
    friend struct fork_locks;
    pthread_mutex_t *mutex_;
    const whole_at_fork *next_;
};

}  // namespace aloop
