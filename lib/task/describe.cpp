// describe.cpp: how a task shows itself: its name, its line, its stack.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <execinfo.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "fiber.hpp"
#include "task.hpp"

namespace aloop {

int64_t describe_name(const task *t, char *buffer, size_t size) {
    if (t->more != nullptr && t->more->name != nullptr) {
        return std::snprintf(buffer, size, "%s", t->more->name);
    }
    return std::snprintf(buffer, size, "Task-%lu", static_cast<unsigned long>(t->number));
}

uint64_t coroutine_address(const task *t) {
    if (!t->pending()) return 0;
    if (t->is(k_stackful) && t->has(k_started)) {
        return address_of_coroutine(static_cast<const fiber *>(t->run.frame));
    }
    return reinterpret_cast<uint64_t>(t->run.step);
}

int64_t describe_task(task *t, char *buffer, size_t size) {
    char name[128];
    describe_name(t, name, sizeof name);
    const char *state = t->pending() ? (t->cancel_requests() > 0 ? "cancelling" : "pending")
                        : t->state == k_was_cancelled ? "cancelled"
                                                      : "finished";
    char detail[192] = "";
    if (t->pending()) {
        Dl_info where;
        const uint64_t address = coroutine_address(t);
        const bool known = dladdr(reinterpret_cast<void *>(address), &where) != 0;
        const char *symbol = known ? where.dli_sname : nullptr;
        const char *waits = t->waiting == nullptr ? "" : " wait_for=";
        const operation *op = t->waiting != nullptr ? as_operation(t->waiting) : nullptr;
        const char *what = t->waiting == nullptr ? ""
                           : op != nullptr       ? op->ops->name
                                                 : info_of(t->waiting).name;
        if (symbol != nullptr) {
            std::snprintf(detail, sizeof detail, " coro=<%s()>%s%s", symbol, waits, what);
        } else {
            std::snprintf(detail, sizeof detail, " coro=<%#lx>%s%s",
                          static_cast<unsigned long>(address), waits, what);
        }
    } else if (t->state == k_finished && t->done.status < 0) {
        std::snprintf(detail, sizeof detail, " exception=%s", name_of(t->done.status));
    } else if (t->state == k_finished) {
        std::snprintf(detail, sizeof detail, " result=%ld", static_cast<long>(t->done.status));
    }
    return std::snprintf(buffer, size, "<Task %s name='%s'%s>", state, name, detail);
}

int64_t stack_of(task *t, void **frames, int64_t limit) {
    if (!t->pending() || limit <= 0) return 0;
    const bool suspended = !t->is(k_running);
    if (t->is(k_stackful) && t->has(k_started) && suspended) {
        return backtrace_of(static_cast<fiber *>(t->run.frame), frames, limit);
    }
    frames[0] = reinterpret_cast<void *>(coroutine_address(t));
    return 1;
}

int64_t print_stack(task *t, int64_t limit, int fd) {
    char line[512];
    describe_task(t, line, sizeof line);
    void *frames[64];
    const int64_t n = stack_of(t, frames, limit < 64 ? limit : 64);
    if (dprintf(fd, "Stack for %s (most recent call first):\n", line) < 0) return -errno;
    backtrace_symbols_fd(frames, static_cast<int>(n), fd);
    return n;
}

}  // namespace aloop
