// An executor of the program's own, through a table of functions. Whether it has
// ended is its own matter: its shutdown is done once it was told.
//
// SPDX-License-Identifier: MIT
#include "executor.hpp"

namespace aloop {

namespace {

struct custom final : executor {
    aloop_executor_vtable table;
    void *data;
    aloop_free_fn free_fn;
    std::atomic<bool> shutting{false};

    custom(const aloop_executor_vtable &t, void *d, aloop_free_fn f);
    ~custom() {
        if (free_fn != nullptr) free_fn(data);
    }
};

custom *from(executor *e) { return static_cast<custom *>(e); }

int64_t submit(executor *e, job *j) {
    custom *c = from(e);
    if (c->shutting.load()) return ALOOP_ESHUTDOWN;
    // One that was answered is on its way to the loop, whatever submit says then.
    const int64_t code = c->table.submit(c->data, reinterpret_cast<aloop_job *>(j));
    return code < 0 && !j->answered.load() ? code : 0;
}

bool withdraw(executor *e, job *j) {
    custom *c = from(e);
    if (j->answered.load() || c->table.withdraw == nullptr) return false;
    return c->table.withdraw(c->data, reinterpret_cast<aloop_job *>(j)) > 0 && !j->answered.load();
}

void begin_shutdown(executor *e) {
    custom *c = from(e);
    if (!c->shutting.exchange(true) && c->table.shutdown != nullptr) c->table.shutdown(c->data);
}

bool await_end(executor *, end_waiter *) { return false; }
end_waiter *forget_end(executor *, const future *) { return nullptr; }
void join(executor *) {}
abandoned abandon(executor *) { return {}; }

int64_t describe_running(executor *, char *buffer, size_t size) {
    if (size > 0) buffer[0] = '\0';
    return 0;
}

// In a forked child the threads that its shutdown would see to are not there.
void destroy_custom(executor *e) {
    if (!e->of_parent()) begin_shutdown(e);
    destroy(from(e));
}

const executor_ops k_custom = {
    .submit = submit,
    .withdraw = withdraw,
    .begin_shutdown = begin_shutdown,
    .await_end = await_end,
    .forget_end = forget_end,
    .join = join,
    .abandon = abandon,
    .describe_running = describe_running,
    .destroy = destroy_custom,
    .runs_functions = true,
};

custom::custom(const aloop_executor_vtable &t, void *d, aloop_free_fn f)
    : executor(&k_custom), table(t), data(d), free_fn(f) {}

}  // namespace

executor *make_custom(const aloop_executor_vtable &table, void *data, aloop_free_fn free_fn) {
    return create<custom>(table, data, free_fn);
}

}  // namespace aloop
