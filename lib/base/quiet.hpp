// quiet.hpp: a call without the SIGPIPE that only send(2) can be asked not to
// raise: writing to a pipe, sendfile. A SIGPIPE that waited before stays.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace aloop {

template <typename Call>
int64_t without_sigpipe(Call call) {
    sigset_t pipe, before, waiting;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigemptyset(&waiting);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const bool was_blocked = sigismember(&before, SIGPIPE) == 1;
    if (was_blocked) sigpending(&waiting);
    const int64_t result = call();
    if (result == -EPIPE && sigismember(&waiting, SIGPIPE) == 0) {
        const timespec at_once = {};
        sigtimedwait(&pipe, nullptr, &at_once);
    }
    if (!was_blocked) pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return result;
}

}  // namespace aloop
