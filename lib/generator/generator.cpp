// SPDX-License-Identifier: MIT
#include "generator.hpp"

namespace aloop {

namespace {

enum class intent : uint32_t { send, raise, close };

void drop_error(void *e) { unref(static_cast<error *>(e)); }

// One turn of the body. What it hands over is a status with a value (send), or
// a code with its error (raise, close).
struct turn final : operation {
    generator *of;
    int64_t status;
    void *value;
    aloop_free_fn value_free;

    turn(domain *d, generator *g, intent why, int64_t s, void *v, aloop_free_fn free_fn);
    ~turn();
    intent why() const { return static_cast<intent>(scratch); }
    void *take() {
        value_free = nullptr;
        return std::exchange(value, nullptr);
    }
};

// The body is at its end, or will not go on.
void finish_body(generator *g) {
    g->closed = true;
    if (g->prev != nullptr) delist(g);
    drop_body(loop_of(g), g);
}

turn::~turn() {
    // The task was dropped with its loop, in the middle of the body.
    if (of->op == this) finish_body(of);
    if (value_free != nullptr) value_free(value);
    unref(of);
}

int64_t body_main(void *arg, void **) {
    const generator *g = static_cast<generator *>(arg);
    return g->fn(g->arg);
}

// How the consumer sees the end of the body.
int64_t end(turn *self, task *by) {
    generator *g = self->of;
    const int64_t status = result_of(static_cast<body *>(g));
    error *e = nullptr;
    if (status < 0) {
        ptr<error> raised;
        if (by->more != nullptr) raised.reset(std::exchange(by->more->raised, nullptr));
        if (raised && raised->code == status) {
            e = raised.detach();
        } else if (g->failure != nullptr && g->failure->code == status) {
            e = std::exchange(g->failure, nullptr);
        }
    }
    finish_body(g);
    if (status == ALOOP_ESTOPITERATION) {
        if (e != nullptr) unref(e);
        return self->fail(ALOOP_EINVALIDSTATE, "async generator raised StopAsyncIteration");
    }
    const bool close = self->why() == intent::close;
    if (status >= 0) return close ? 0 : ALOOP_ESTOPITERATION;
    if (close && status == ALOOP_EGENERATOREXIT) {
        if (e != nullptr) unref(e);
        return 0;
    }
    return e != nullptr ? self->raise(status, e) : status;
}

int64_t go_on(turn *self, task *by) {
    generator *g = self->of;
    switch (enter_body(g)) {
    case body_stop::awaits:
        return ALOOP_PENDING;
    case body_stop::ended:
        return end(self, by);
    case body_stop::rests:
        break;
    }
    g->op = nullptr;
    if (self->why() == intent::close) {
        free_off_fiber(std::exchange(g->value_free, nullptr), g->value);
        return self->fail(ALOOP_EINVALIDSTATE, "async generator ignored GeneratorExit");
    }
    self->give(g->value, std::exchange(g->value_free, nullptr));
    return g->status;
}

// The first turn: true if the body is to run.
bool begin(turn *self, int64_t *answer) {
    generator *g = self->of;
    if (self->why() != intent::send) {  // thrown at the first line of the body
        g->closed = true;
        error *e = static_cast<error *>(self->take());
        *answer = self->why() == intent::close ? 0 : self->raise(self->status, e);
        if (self->why() == intent::close && e != nullptr) unref(e);
        return false;
    }
    if (self->value != nullptr || self->status != 0) {
        *answer = self->fail(ALOOP_EINVAL,
                             "can't send non-None value to a just-started async generator");
        return false;
    }
    *answer = enlist(g);
    if (*answer == 0) *answer = prepare_body(loop_of(g), g, body_main, g);
    g->begun = *answer == 0;
    return g->begun;
}

int64_t step(operation *op, task *by, int64_t status) {
    turn *self = static_cast<turn *>(op);
    generator *g = self->of;
    if (op->phase == 0) {
        op->phase = 1;
        if (g->op != nullptr) {
            return self->fail(ALOOP_EBUSY, "asynchronous generator is already running");
        }
        const bool at_end = g->closed && g->stack == nullptr;
        if (at_end) return self->why() == intent::send ? ALOOP_ESTOPITERATION : 0;
        // One that yielded when it was closed goes on, but is not closed again.
        if (g->closed && self->why() != intent::send) return ALOOP_ESTOPITERATION;
        int64_t answer = 0;
        if (!g->begun && !begin(self, &answer)) return answer;
        if (self->why() == intent::close) g->closed = true;
        g->op = op;
    } else {
        if (g->stack == nullptr) return ALOOP_ECANCELED;  // the loop was closed around it
        g->outcome = status;
    }
    return go_on(self, by);
}

const op_info k_next = {"generator_next", step, free_operation<turn>};
const op_info k_throw = {"generator_throw", step, free_operation<turn>};
const op_info k_aclose = {"generator_aclose", step, free_operation<turn>};

const op_info *info_for(intent why) {
    return why == intent::send ? &k_next : why == intent::raise ? &k_throw : &k_aclose;
}

turn::turn(domain *d, generator *g, intent why, int64_t s, void *v, aloop_free_fn free_fn)
    : operation(d, info_for(why)), of(g), status(s), value(v), value_free(free_fn) {
    scratch = static_cast<uint32_t>(why);
    ref(g);
}

future *make_turn(generator *g, intent why, int64_t status, void *value, aloop_free_fn free_fn) {
    turn *t = loop_of(g)->make_object<turn>(g, why, status, value, free_fn);
    if (t == nullptr && free_fn != nullptr) free_fn(value);
    return t;
}

// The last reference to a suspended generator was dropped: in the next
// iteration, as asyncio's finalizer does, a task closes it.
int64_t begin_aclose(void *data) {
    generator *g = static_cast<generator *>(data);
    future *f = make_aclose(g);
    if (f == nullptr) return ALOOP_ENOMEM;
    unref(ensure_future(f));
    return 0;
}

// The callback is gone: if its task could not be made, there is no second try.
void drop_abandoned(void *data) {
    generator *g = static_cast<generator *>(data);
    if (g->refs == 1) finish_body(g);
    unref(g);
}

bool close_abandoned(generator *g) {
    loop *l = loop_of(g);
    if (g->closed || g->stack == nullptr || l->closed) return false;
    g->refs = 1;
    if (l->call_soon(begin_aclose, g, drop_abandoned) >= 0) return true;
    g->refs = 0;
    return false;
}

void destroy_generator(object *o) {
    generator *g = static_cast<generator *>(o);
    loop *l = loop_of(g);
    if (close_abandoned(g)) return;
    if (l->on_fiber && (g->arg_free != nullptr || g->value_free != nullptr)) {
        bury(g);
        return;
    }
    finish_body(g);
    if (g->value_free != nullptr) g->value_free(g->value);
    if (g->arg_free != nullptr) g->arg_free(g->arg);
    l->free_object(g);
}

const register_kind g_generator(kind::generator, {"generator", destroy_generator});

}  // namespace

generator *make_generator(loop *l, aloop_generator_fn fn, void *arg, aloop_free_fn free_fn) {
    return l->make_object<generator>(fn, arg, free_fn);
}

future *make_send(generator *g, int64_t status, void *value, aloop_free_fn free_fn) {
    return make_turn(g, intent::send, status, value, free_fn);
}

future *make_throw(generator *g, int64_t code, error *adopted) {
    return make_turn(g, intent::raise, code, adopted, adopted != nullptr ? drop_error : nullptr);
}

future *make_aclose(generator *g) {
    return make_turn(g, intent::close, ALOOP_EGENERATOREXIT, nullptr, nullptr);
}

int64_t yield_in_body(generator *g, int64_t status, void *value, aloop_free_fn free_fn,
                      void **sent) {
    g->status = status;
    g->value = value;
    g->value_free = free_fn;
    rest(g);
    turn *t = static_cast<turn *>(g->op);
    const int64_t answer = t->status;
    if (answer < 0) {
        set_failure(g, static_cast<error *>(t->take()));
        if (g->failure == nullptr) set_failure(g, make_error(answer, nullptr));
        return answer;
    }
    if (sent != nullptr) *sent = t->take();
    return answer;
}

}  // namespace aloop
