// observe.hpp: watching a loop while it runs: what debug mode, a trace hook, a
// timeline and a watchdog are told.
//
// A loop that nobody watches has no part of this: it chooses once an iteration
// between the plain way to run a batch and the watched one.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/list.hpp"
#include "../base/object.hpp"

namespace aloop {

// One entry of the ready queue that runs: a task's step, or a callback.
struct running_item {
    object *of = nullptr;        // the task, held while it runs; else nullptr
    const void *code = nullptr;  // the program's function; nullptr: the library's own work
};

// What stands in the ready queue is nodes of some kinds, told apart by the function
// that runs them. Each folder announces its kinds with a static object of this
// type; task_of or code_of may be nullptr.
struct register_runnable {
    void (*fn)(node *, action);
    object *(*task_of)(node *);
    const void *(*code_of)(node *);
    const register_runnable *next;

    register_runnable(void (*run)(node *, action), object *(*task)(node *),
                      const void *(*code)(node *));
};

// All on the loop's thread, and on its own stack but for the two about tasks.
class loop_observer {
public:
    virtual void begins(const running_item &, int64_t) {}
    virtual void ends(const running_item &, int64_t) {}
    virtual void slept(int64_t, int64_t) {}  // from, to
    virtual void task_made(object *, int64_t) {}
    virtual void task_done(object *, int64_t) {}

protected:
    ~loop_observer() = default;
};

enum class observer_slot : uint8_t { hook, timeline, watchdog, count };

}  // namespace aloop
