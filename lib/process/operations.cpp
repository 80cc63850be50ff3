// operations.cpp: create, wait and communicate, as coroutines.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>
#include <utility>

#include "../base/results.hpp"
#include "../combine/gather.hpp"
#include "process.hpp"

namespace aloop {

namespace {

void drop_process(void *p) { unref(static_cast<loop_object *>(static_cast<process *>(p))); }

// create ------------------------------------------------------------------------------------

struct create_op final : operation {
    char **argv;  // owned
    process_options *options;  // a reference

    create_op(domain *d, char **strings, process_options *o);
    ~create_op() {
        release(argv);
        unref(static_cast<object *>(options));
    }
};

int64_t step_create(operation *op, task *, int64_t) {
    create_op *self = static_cast<create_op *>(op);
    process *p = nullptr;
    const char *name = nullptr;
    if (loop_of(op)->io_poller()->simulated()) {
        return op->fail(ALOOP_ENOSYS, "a simulated loop starts no children");
    }
    const int64_t code = start_process(loop_of(op), self->argv, self->options, &p, &name);
    if (code == 0) {
        op->give(p, drop_process);
        return 0;
    }
    if (name == nullptr) return code;
    const char *text = ::strerrordesc_np(static_cast<int>(-code));  // nullptr: no errno
    return op->fail(code, "%s: '%s'", text != nullptr ? text : describe(code), name);
}

const op_info k_create = {"create_subprocess", step_create, free_operation<create_op>};

create_op::create_op(domain *d, char **strings, process_options *o)
    : operation(d, &k_create), argv(strings), options(o) {
    ref(static_cast<object *>(o));
}

// wait ----------------------------------------------------------------------------------------

struct waiter_link : link {};

struct wait_op final : operation, waiter_link {
    process *of;  // a reference
    bool listed = false;

    wait_op(domain *d, process *p);
    ~wait_op() {
        leave();
        unref(static_cast<loop_object *>(of));
    }
    void leave() {
        if (listed) of->waiters.remove(static_cast<waiter_link *>(this));
        listed = false;
    }
};

int64_t step_wait(operation *op, task *, int64_t status) {
    wait_op *self = static_cast<wait_op *>(op);
    self->leave();
    if (status < 0) return status;
    if (self->of->of_parent()) return ALOOP_ECHILD;
    if (!self->of->running) return wait_status(self->of);
    self->of->waiters.push(static_cast<waiter_link *>(self));
    self->listed = true;
    return op->await(make_future(loop_of(op)));
}

const op_info k_wait = {"process_wait", step_wait, free_operation<wait_op>};

wait_op::wait_op(domain *d, process *p) : operation(d, &k_wait), of(p) {
    ref(static_cast<loop_object *>(p));
}

// communicate -----------------------------------------------------------------------------------

constexpr size_t k_feed_size = 65536;

bool is_gone(int64_t code) { return code == ALOOP_EPIPE || code == ALOOP_ECONNRESET; }

// Sends the input and closes the pipe; a child that does not want it is no error.
struct feed_op final : operation {
    process *of;  // a reference

    feed_op(domain *d, process *p);
    ~feed_op() { unref(static_cast<loop_object *>(of)); }
};

int64_t step_feed(operation *op, task *, int64_t status) {
    process *p = static_cast<feed_op *>(op)->of;
    stream *to = p->streams[0];
    if (status < 0 && !is_gone(status)) return status;
    if (status >= 0 && p->input != nullptr && p->sent < p->input_size) {
        const size_t left = p->input_size - p->sent;
        const size_t some = left < k_feed_size ? left : k_feed_size;
        const iovec part = {p->input->data + p->sent, some};
        const int64_t queued = write_parts(to, &part, 1);
        if (queued == ALOOP_ENOMEM) return queued;
        p->sent += some;
        if (queued >= 0 && !to->is(k_closing)) return op->await(make_drain(to));
    }
    close_stream(to);
    return 0;
}

const op_info k_feed = {"communicate_stdin", step_feed, free_operation<feed_op>};

feed_op::feed_op(domain *d, process *p) : operation(d, &k_feed), of(p) {
    ref(static_cast<loop_object *>(p));
}

// Reads one output to its end, into the process's buffer.
struct collect_op final : operation {
    process *of;  // a reference
    int which;

    collect_op(domain *d, process *p, int i);
    ~collect_op() { unref(static_cast<loop_object *>(of)); }
};

// What is over the limit goes back to the stream, from which it was just taken.
int64_t refuse_output(collect_op *self, stream *s, const bytes *b) {
    const process *p = self->of;
    if (s->unread != nullptr) {
        s->unread->begin -= b->size;
        std::memcpy(s->unread->data() + s->unread->begin, b->data, b->size);
    } else if (!put_back(s, b->data, b->size)) {
        return ALOOP_ENOMEM;
    }
    return self->fail(ALOOP_ELIMITOVERRUN, "the child wrote more than %zu bytes to its %s",
                      p->output_limit, self->which == 0 ? "stdout" : "stderr");
}

// At the limit one byte more is asked for: is that the end?
int64_t read_more(collect_op *self, stream *s) {
    const process *p = self->of;
    const size_t room = p->output_limit - p->outputs[self->which].size;
    const size_t most = room == 0 ? 1 : room < k_read_size ? room : k_read_size;
    return self->await(make_read(s, read_mode::some, most, nullptr));
}

int64_t step_collect(operation *op, task *, int64_t status) {
    collect_op *self = static_cast<collect_op *>(op);
    process *p = self->of;
    stream *s = p->streams[self->which + 1];
    if (status < 0) return status;
    if (op->phase++ == 0) return read_more(self, s);
    void *value = nullptr;
    status = take_value(op->inner, &value);
    if (status < 0) return status;
    output &out = p->outputs[self->which];
    const bytes *b = static_cast<bytes *>(value);
    int64_t code = 0;
    if (status > 0 && out.size == p->output_limit) {
        code = refuse_output(self, s, b);
    } else if (!out.append(b->data, b->size)) {
        code = ALOOP_ENOMEM;
    }
    free_bytes(value);
    if (code < 0) return code;
    if (status > 0) return read_more(self, s);
    close_stream(s);
    return 0;
}

const op_info k_collect = {"communicate_output", step_collect, free_operation<collect_op>};

collect_op::collect_op(domain *d, process *p, int i) : operation(d, &k_collect), of(p), which(i) {
    ref(static_cast<loop_object *>(p));
}

struct communicate_op final : operation {
    process *of;   // a reference
    bytes *input;  // a reference, or nullptr
    future *parts[3] = {};  // references
    int count = 0;
    int64_t status = 0;        // of what has failed
    error *failure = nullptr;  // a reference
    bool talks = false;

    communicate_op(domain *d, process *p, bytes *b);
    ~communicate_op() {
        stop_talking();
        for (int i = 0; i < count; i++) unref(parts[i]);
        if (failure != nullptr) unref(failure);
        if (input != nullptr) unref(input);
        unref(static_cast<loop_object *>(of));
    }
    void stop_talking() {
        if (std::exchange(talks, false)) of->talking = false;
    }
};

enum : uint32_t { k_begin, k_piping, k_unwinding, k_ending };

// The first call's input is the child's; a later one goes on with it. False: it
// was given another.
bool take_input(process *p, bytes *input) {
    const size_t size = input != nullptr ? input->size : 0;
    if (!p->fed) {
        p->fed = true;
        p->input = input;
        p->input_size = size;
        if (input != nullptr) ref(input);
        return true;
    }
    return size == 0 ||
           (size == p->input_size && std::memcmp(p->input->data, input->data, size) == 0);
}

int64_t begin_piping(communicate_op *self) {
    loop *l = loop_of(self);
    process *p = self->of;
    if (p->of_parent()) return ALOOP_ECHILD;
    if (p->talking) return self->fail(ALOOP_EBUSY, "another communicate is under way");
    p->talking = self->talks = true;
    if (p->streams[0] != nullptr && !take_input(p, self->input)) {
        return self->fail(ALOOP_EINVALIDSTATE, "communicate has begun with another input");
    }
    future *all[3];
    for (int i = 0; i < 3; i++) {
        if (p->streams[i] == nullptr) continue;
        future *part = i == 0 ? static_cast<future *>(l->make_object<feed_op>(p))
                              : l->make_object<collect_op>(p, i - 1);
        self->parts[self->count] =
            part != nullptr ? ensure_future(part) : failed_future(l, ALOOP_ENOMEM);
        ref(self->parts[self->count]);
        all[self->count] = self->parts[self->count];
        self->count++;
    }
    self->phase = k_piping;
    return self->await(make_gather(l, all, self->count, false));
}

// One part has failed: ends the others before it says so.
int64_t unwind(communicate_op *self, int64_t status) {
    self->status = status;
    self->failure = error_of(self->inner);
    if (self->failure != nullptr) ref(self->failure);
    for (int i = 0; i < self->count; i++) {
        cancel(self->parts[i], nullptr);
        ref(self->parts[i]);
    }
    self->phase = k_unwinding;
    return self->await(make_gather(loop_of(self), self->parts, self->count, true));
}

int64_t give_outputs(communicate_op *self) {
    process *p = self->of;
    results *list = make_results(2);
    if (list == nullptr) return ALOOP_ENOMEM;
    outcome *entries = list->entries;
    for (int i = 0; i < 2; i++) {
        if (p->streams[i + 1] == nullptr) continue;
        bytes *b = make_bytes(p->outputs[i].data, p->outputs[i].size);
        if (b == nullptr) {
            unref(list);
            return ALOOP_ENOMEM;
        }
        entries[i].status = static_cast<int64_t>(b->size);
        entries[i].value = b;
        entries[i].value_free = free_bytes;
    }
    self->give(list, free_results);
    return wait_status(p);
}

int64_t step_communicate(operation *op, task *, int64_t status) {
    communicate_op *self = static_cast<communicate_op *>(op);
    switch (self->phase) {
    case k_begin:
        status = begin_piping(self);
        if (op->inner == nullptr) self->stop_talking();
        return status;
    case k_piping:
        // Cancelled, the gather has waited for its parts; failed, it has not.
        if (status < 0 && status != ALOOP_ECANCELED) return unwind(self, status);
        self->stop_talking();
        if (status < 0) {
            op->inner->clear(k_unretrieved);  // it may have failed in the same moment
            return status;
        }
        self->phase = k_ending;
        return op->await(make_process_wait(self->of));
    case k_unwinding:
        self->stop_talking();
        if (status == ALOOP_ECANCELED) return status;
        return op->raise(self->status, std::exchange(self->failure, nullptr));
    default:
        return status < 0 ? status : give_outputs(self);
    }
}

const op_info k_communicate = {"communicate", step_communicate, free_operation<communicate_op>};

communicate_op::communicate_op(domain *d, process *p, bytes *b)
    : operation(d, &k_communicate), of(p), input(b) {
    ref(static_cast<loop_object *>(p));
}

}  // namespace

bool output::append(const void *from, size_t n) {
    if (n == 0) return true;
    if (room - size < n) {
        size_t bigger = room != 0 ? room * 2 : 4096;
        if (bigger < size + n) bigger = size + n;
        void *block = reallocate(data, bigger);
        if (block == nullptr) return false;
        data = static_cast<uint8_t *>(block);
        room = bigger;
    }
    std::memcpy(data + size, from, n);
    size += n;
    return true;
}

void wake_exit_waiters(process *p) {
    for (link *l = p->waiters.head(); l != nullptr; l = p->waiters.after(l)) {
        wait_op *w = static_cast<wait_op *>(static_cast<waiter_link *>(l));
        if (w->inner->pending()) finish(w->inner, 0, nullptr, nullptr);
    }
}

future *make_create(loop *l, char **argv, process_options *options) {
    create_op *op = l->make_object<create_op>(argv, options);
    if (op == nullptr) release(argv);
    return op;
}

future *make_process_wait(process *p) { return loop_of(p)->make_object<wait_op>(p); }

future *make_communicate(process *p, bytes *input) {
    communicate_op *op = loop_of(p)->make_object<communicate_op>(p, input);
    if (op == nullptr && input != nullptr) unref(input);
    return op;
}

}  // namespace aloop
