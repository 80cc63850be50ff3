// SPDX-License-Identifier: MIT
#include "exit_stack.hpp"

namespace aloop {

namespace {

void destroy_stack(object *o) { destroy(static_cast<exit_stack *>(o)); }

const register_kind g_stack(kind::exit_stack, {"exit_stack", destroy_stack});

}  // namespace

exit_stack::~exit_stack() {
    while (exit_entry *e = top) {
        top = e->below;
        release(e);
    }
    count_live(kind::exit_stack, -1);
}

int64_t exit_stack::push(aloop_exit_fn fn, aloop_callback_fn call, void *data) {
    void *block = allocate(sizeof(exit_entry));
    if (block == nullptr) return ALOOP_ENOMEM;
    top = new (block) exit_entry{top, fn, call, data};
    return 0;
}

int64_t exit_stack::unwind(int64_t status) {
    while (exit_entry *e = top) {
        top = e->below;
        const exit_entry now = *e;
        release(e);
        if (now.fn != nullptr) {
            status = now.fn(now.data, status);
        } else if (const int64_t failed = now.call(now.data); failed < 0) {
            status = failed;
        }
    }
    return status;
}

}  // namespace aloop
