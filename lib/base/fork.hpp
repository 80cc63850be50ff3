// fork.hpp: what happens around a fork, in one order.
//
// pthread_atfork calls its handlers in the order of their registration, which for
// the files of a library is the linker's. So there is one registration, and the
// list of steps is the order: before the fork from the first to the last, after
// it, on both sides, from the last back to the first. So signals are held while
// anything else is half done, and what a child sees of its own process (its
// generation, its handlers, its mask) is all of it new when the first one comes.
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
