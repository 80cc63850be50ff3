// SPDX-License-Identifier: MIT
#include "group.hpp"

#include "../task/operation.hpp"

namespace aloop {

namespace {

struct member_link : link {};

struct member final : member_link {
    group *home;
    future *of;  // owned
    done_callback *observer;
};

}  // namespace

struct group final : loop_object {
    task *parent = nullptr;  // owned
    ring members;
    error **errors = nullptr;
    int64_t error_count = 0;
    int64_t error_room = 0;
    int64_t member_count = 0;
    future *all_done = nullptr;  // what leaving waits for; owned
    bool exiting = false;
    bool aborting = false;
    bool parent_cancelled = false;
    bool finished = false;

    explicit group(domain *d) : loop_object(kind::group, d) {}
};

namespace {

member *member_of(link *l) { return static_cast<member *>(static_cast<member_link *>(l)); }

void destroy_group(object *o) {
    group *g = static_cast<group *>(o);
    for (int64_t i = 0; i < g->error_count; i++) unref(g->errors[i]);
    release(g->errors);
    if (g->all_done != nullptr) unref(g->all_done);
    unref(static_cast<future *>(g->parent));
    loop_of(g)->free_object(g);
}

const register_kind g_group(kind::group, {"task_group", destroy_group});

// Takes e over. Room was reserved when the member was added.
void add_error(group *g, error *e) { g->errors[g->error_count++] = e; }

bool reserve_errors(group *g, int64_t n) {
    if (n <= g->error_room) return true;
    int64_t room = g->error_room != 0 ? g->error_room * 2 : 8;
    while (room < n) room *= 2;
    void *block = reallocate(g->errors, static_cast<size_t>(room) * sizeof(error *));
    if (block == nullptr) return false;
    g->errors = static_cast<error **>(block);
    g->error_room = room;
    return true;
}

void abort_group(group *g) {
    g->aborting = true;
    // A cancelled member may not leave the ring inside cancel(): it needs a step.
    for (link *l = g->members.head(); l != nullptr; l = g->members.after(l)) {
        cancel(member_of(l)->of, nullptr);
    }
}

void cancel_parent(group *g) {
    g->parent_cancelled = true;
    cancel_task(g->parent, nullptr);
}

void member_failed(group *g, future *f) {
    error *e = error_of(f);
    loop *l = loop_of(g);
    if (e != nullptr) {
        ref(e);
    } else {
        e = error_of(static_cast<future *>(l->out_of_memory));  // made with the loop
        ref(e);
    }
    add_error(g, e);
    if (!g->parent->pending()) {
        l->report("Task has errored out but its parent task is already completed", f->status(), e,
                  nullptr, f);
        return;
    }
    if (g->aborting || g->parent_cancelled) return;
    abort_group(g);
    cancel_parent(g);
}

// Runs for each member exactly once, also when the loop closes (without run).
void member_gone(void *data) {
    member *m = static_cast<member *>(data);
    group *g = m->home;
    if (static_cast<link *>(m)->prev != nullptr) g->members.remove(m);
    unref(m->of);
    loop_of(g)->free_object(m);
    unref(static_cast<loop_object *>(g));
}

int64_t on_member_done(aloop_future *handle, void *data) {
    member *m = static_cast<member *>(data);
    group *g = m->home;
    future *f = from_c(handle);
    g->members.remove(m);
    g->member_count--;
    if (g->members.empty() && g->all_done != nullptr && g->all_done->pending()) {
        finish(g->all_done, 0, nullptr, nullptr);
    }
    if (f->state == k_finished && f->failed()) member_failed(g, f);
    return 0;
}

const register_observer g_awaits(on_member_done, [](void *data) -> future * {
    return static_cast<member *>(data)->home->parent;
});

// Leaving -----------------------------------------------------------------------------------

struct join final : operation {
    group *of;
    int64_t status;       // of the block
    error *block_error;   // owned
    bool propagate = false;
    bool interrupted = false;  // cancelled while it waited
    error *cancel_error = nullptr;  // owned

    join(domain *d, group *g, int64_t block_status, error *e);
    ~join() {
        if (block_error != nullptr) unref(block_error);
        if (cancel_error != nullptr) unref(cancel_error);
        unref(static_cast<loop_object *>(of));
    }
};

void keep_cancel_error(join *self, error *e) {
    self->propagate = true;
    if (e != nullptr) ref(e);
    if (self->cancel_error != nullptr) unref(self->cancel_error);
    self->cancel_error = e;
}

int64_t group_result(join *self) {
    group *g = self->of;
    g->finished = true;
    if (g->parent_cancelled) {
        const int64_t left = uncancel(g->parent);
        // Requests that are left are somebody else's: what interrupted the wait goes on,
        // also where it was swallowed long before the group and never taken back.
        self->propagate = left > 0 && (self->propagate || self->interrupted);
    }
    if (self->propagate && g->error_count == 0) {
        return self->raise(ALOOP_ECANCELED, std::exchange(self->cancel_error, nullptr));
    }
    if (self->status < 0 && self->status != ALOOP_ECANCELED) {
        error *e = self->block_error != nullptr ? std::exchange(self->block_error, nullptr)
                                                : make_error(self->status, nullptr);
        if (e == nullptr) {  // no memory: the one that was made with the loop
            e = error_of(static_cast<future *>(loop_of(g)->out_of_memory));
            ref(e);
        }
        add_error(g, e);
    }
    if (g->error_count == 0) return self->status < 0 ? 0 : self->status;
    if (g->parent->cancel_requests() > 0) {
        uncancel(g->parent);
        cancel_task(g->parent, nullptr);
    }
    const int64_t n = std::exchange(g->error_count, 0);
    return self->raise(ALOOP_EGROUP,
                       make_group_error("unhandled errors in a TaskGroup", g->errors, n));
}

int64_t step(operation *op, task *by, int64_t status) {
    join *self = static_cast<join *>(op);
    group *g = self->of;
    if (self->phase++ == 0) {
        g->exiting = true;
        if (self->status == ALOOP_ECANCELED) keep_cancel_error(self, self->block_error);
        if (self->status < 0 && !g->aborting) abort_group(g);
    } else if (status == ALOOP_ECANCELED) {
        // Of an aborting group it goes on only if it is not the group's own.
        if (!self->propagate) {
            keep_cancel_error(self, op->inner != nullptr ? error_of(op->inner) : last_error(by));
            self->propagate = !g->aborting;
        }
        self->interrupted = true;
        if (!g->aborting) abort_group(g);
    }
    if (g->all_done != nullptr) unref(std::exchange(g->all_done, nullptr));
    if (g->members.empty()) return group_result(self);
    g->all_done = make_future(loop_of(g));
    if (g->all_done == nullptr) return op->yield();  // no member is left behind
    ref(g->all_done);
    return op->await(g->all_done);
}

const op_info k_join = {"task_group", step, free_operation<join>};

join::join(domain *d, group *g, int64_t block_status, error *e)
    : operation(d, &k_join), of(g), status(block_status), block_error(e) {}

}  // namespace

group *enter_group(task *parent) {
    group *g = loop_of(parent)->make_object<group>();
    if (g == nullptr) return nullptr;
    g->parent = parent;
    ref(static_cast<future *>(parent));
    if (!reserve_errors(g, 2)) {
        unref(static_cast<loop_object *>(g));
        return nullptr;
    }
    return g;
}

task *parent_of(const group *g) { return g->parent; }

int64_t check_open(const group *g, const char **why) {
    if (g->finished || (g->exiting && g->members.empty())) {
        *why = "TaskGroup is finished";
    } else if (g->aborting) {
        *why = "TaskGroup is shutting down";
    } else {
        return 0;
    }
    return ALOOP_ESHUTDOWN;
}

bool add_task(group *g, future *t) {
    loop *l = loop_of(g);
    // Errors that may come: of those here, those recorded, and the block's own.
    const int64_t n = g->error_count + g->member_count + 2;
    if (!reserve_errors(g, n)) return false;
    member *m = l->make_part<member>();
    if (m == nullptr) return false;
    m->home = g;
    m->of = t;
    m->observer = observe(t, on_member_done, m, member_gone);
    if (m->observer == nullptr) {
        l->free_object(m);
        return false;
    }
    ref(t);
    ref(static_cast<loop_object *>(g));
    g->members.push(m);
    g->member_count++;
    // Begun eagerly, it may have ended the group before it was one of its members.
    if (g->aborting && t->pending()) cancel(t, nullptr);
    return true;
}

void cancel_group(group *g) {
    if (g->finished || (g->exiting && g->members.empty())) return;
    if (g->aborting) return;
    abort_group(g);
    if (g->parent->pending() && !g->parent_cancelled) cancel_parent(g);
}

future *make_join(group *g, int64_t status, error *raised) {
    loop *l = loop_of(g);
    join *op = l->make_object<join>(g, status, raised);
    if (op != nullptr) return op;
    if (raised != nullptr) unref(raised);
    unref(static_cast<loop_object *>(g));
    return failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
