// thread.hpp: what a thread knows of itself.
//
// The token identifies the thread in ownership checks, which cost one load from
// thread-local storage and one comparison. A forked child gets a new token, so that
// the child is not mistaken for the thread of the parent's loops.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace aloop {

class loop;
struct error;

// The token of a closed loop's owner: no thread has it.
constexpr uint64_t k_no_thread = ~uint64_t{0};

struct thread_state {
    uint64_t token;  // 0: not given yet
    loop *running;   // the loop that runs in this thread
    error **raised;  // where a job, outside every loop, leaves its error
    loop *forked_in;  // in a forked child: the loop that ran in the thread that forked
};

// initial-exec: one instruction instead of a call; four words of static TLS are
// within what the dynamic loader keeps for libraries opened late.
extern constinit thread_local thread_state t_thread __attribute__((tls_model("initial-exec")));

uint64_t new_thread_token();

inline uint64_t thread_token() {
    if (t_thread.token == 0) [[unlikely]] t_thread.token = new_thread_token();
    return t_thread.token;
}

// How often this process was forked off; a loop remembers the count of its birth.
uint32_t fork_generation();
// In a forked child, for the loop that ran in the thread that forked; set by the
// loop's folder.
extern void (*g_forked_in)(loop *l);

}  // namespace aloop
