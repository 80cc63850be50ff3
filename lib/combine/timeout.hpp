// timeout.hpp: a deadline for a block of a task: asyncio.Timeout.
//
// When the time is up the task is cancelled; leaving the block takes that
// request back and, if nobody else asked for cancellation, turns it into
// ALOOP_ETIMEDOUT.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../loop/alarm.hpp"
#include "../task/task.hpp"

namespace aloop {

enum class timeout_state : uint8_t { active, expiring, expired, finished };

struct timeout final : loop_object {
    aloop::alarm alarm;
    task *of = nullptr;  // owned
    int64_t when = k_never;
    uint32_t cancelling_before = 0;
    timeout_state phase = timeout_state::active;

    explicit timeout(domain *d) : loop_object(kind::timeout, d) {}
};

// For the running task t. nullptr: out of memory.
timeout *enter_timeout(task *t, int64_t when);
void reschedule(timeout *t, int64_t when);
// How the block ended, and how it ends with the timeout around it.
int64_t exit_timeout(timeout *t, int64_t status);

}  // namespace aloop
