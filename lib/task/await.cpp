// await.cpp: the await machine: how a task suspends on what its coroutine
// awaits, how operations run inside it, and how outcomes and cancellations get
// back to the innermost await.
//
// SPDX-License-Identifier: MIT
#include "coroutine.hpp"

namespace aloop {

namespace {

void schedule(task *t) {
    t->fn = run_task;
    loop_of(t)->schedule(static_cast<node *>(t));
}

bool driven_by(const operation *op, const task *t) { return op->pending() && op->driver == t; }

bool wait_on(task *t, future *f);
void cancel_wait(task *t, future *f);

// A plain future that nobody else has: it mostly ended well and holds nothing, and
// then only its memory is to be given back.
[[gnu::noinline]] void drop_future(future *f) {
    if (f->state == k_finished && f->flags == 0 && f->done.status >= 0 &&
        f->done.value_free == nullptr && f->waiters.empty() &&
        f->remote.load(std::memory_order_acquire) == 0) [[likely]] {
        loop_of(f)->free_object(f);
    } else {
        unref_here(f);
    }
}

// Drops the reference of who awaited f.
inline void drop_awaited(future *f) {
    if (f->type == kind::future && f->refs == 1) {
        drop_future(f);
    } else {
        unref_here(f);
    }
}

// Ended well, and nobody but the driver waits for it.
inline bool ends_plainly(const operation *op, int64_t result) {
    return result >= 0 && op->waiters.empty() && !op->has(k_raised);
}

inline int64_t step(operation *op, task *t, int64_t status) {
    if (op->has(k_cancel_wanted)) [[unlikely]] {
        op->clear(k_cancel_wanted);
        status = ALOOP_ECANCELED;
    }
    return op->ops->step(op, t, status);
}

// t waits on f, which needs no start.
inline void stand_on(task *t, future *f) {
    t->fn = run_task;
    f->waiters.push(static_cast<node *>(t));
    if (t->is(k_must_cancel)) [[unlikely]] cancel_wait(t, f);
}

// A future that is not done and that only others can finish: what most waits end at.
inline bool is_plain_wait(const future *f) { return f->type == kind::future && f->pending(); }

// What follows a step that gave result: more of them, until the operation suspends
// (ALOOP_PENDING) or ends.
int64_t drive_on(operation *op, task *t, int64_t result) {
    while (result == ALOOP_PENDING) {
        if (op->inner == nullptr) {  // a bare yield
            schedule(t);
            return ALOOP_PENDING;
        }
        if (is_plain_wait(op->inner)) [[likely]] {
            stand_on(t, op->inner);
            return ALOOP_PENDING;
        }
        if (operation *nested = as_operation(op->inner)) nested->extra = op->extra + 1;
        if (!wait_on(t, op->inner)) return ALOOP_PENDING;
        const int64_t status = op->inner->status();
        op->inner->clear(k_unretrieved);
        result = step(op, t, status);
    }
    if (ends_plainly(op, result)) [[likely]] {
        op->state = k_finished;
        op->done.status = result;
        op->driver = nullptr;
        if (op->inner != nullptr) drop_awaited(std::exchange(op->inner, nullptr));
    } else {
        finish_operation(op, result);
    }
    return result;
}

inline int64_t drive(operation *op, task *t, int64_t status) {
    return drive_on(op, t, step(op, t, status));
}

}  // namespace

namespace {

// Operations run inside each other on the stack of who drives them, which a fiber has
// little of. `extra` is how deep an operation lies.
bool too_deep(const operation *op, const task *t) {
    constexpr uint32_t k_deepest = 1000;  // CPython's limit of recursion
    constexpr uint32_t k_surely_room = 32;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr ptrdiff_t k_room = 32768;  // their free() alone takes some of it
#else
    constexpr ptrdiff_t k_room = 8192;
#endif
    if (op->extra < k_surely_room) return false;
    if (op->extra >= k_deepest) return true;
    if (!on_own_fiber(t)) return false;
    const char *here = static_cast<const char *>(__builtin_frame_address(0));
    return here - static_cast<const fiber *>(t->run.frame)->memory.base < k_room;
}

// t was cancelled before it came to wait on f.
void cancel_wait(task *t, future *f) {
    const ptr<error> message =
        ptr<error>::share(t->more != nullptr ? t->more->cancel_error : nullptr);
    t->off(k_must_cancel);
    const bool accepted = cancel(f, message ? message->message : nullptr);
    if (!accepted) t->on(k_must_cancel);
    if (accepted && t->is(k_must_cancel)) break_circle(t);  // f waits for t itself
}

// True: f is done. False: t is suspended, on f or on something inside it.
bool wait_on(task *t, future *f) {
    if (!f->pending()) [[unlikely]] return true;
    if (operation *op = as_operation(f); op != nullptr && op->driver == nullptr) {
        // One that its driver left behind goes on where it stands.
        const bool begun = op->has(k_started);
        op->set(k_started);
        op->driver = t;
        if (too_deep(op, t)) [[unlikely]] {
            end_from_outside(op, op->fail(ALOOP_ESTACK, "too many operations in each other"));
            return true;
        }
        const bool goes_on = begun && !op->has(k_cancel_wanted);
        return drive_on(op, t, goes_on ? ALOOP_PENDING : step(op, t, 0)) != ALOOP_PENDING;
    }
    if (const auto begin = info_of(f).start; begin != nullptr && !f->has(k_started)) {
        f->set(k_started);
        if (!begin(f)) {  // a bare yield
            schedule(t);
            return false;
        }
    }
    stand_on(t, f);
    return false;
}

// After a wake-up: steps what is inside f, innermost first. True: f is done, or
// (*status) its outcome is replaced by a cancellation.
bool resume_on(task *t, future *f, bool cancelled, int64_t *status) {
    operation *op = as_operation(f);
    if (op == nullptr || !driven_by(op, t)) {
        *status = cancelled || f->pending() ? ALOOP_ECANCELED : f->status();
        return true;
    }
    int64_t inner = cancelled ? ALOOP_ECANCELED : 0;
    if (op->inner != nullptr) {
        const operation *nested = as_operation(op->inner);
        const bool heard = !cancelled || (nested != nullptr && driven_by(nested, t));
        if (!resume_on(t, op->inner, cancelled, &inner)) return false;
        if (heard) op->inner->clear(k_unretrieved);
    }
    const int64_t result = drive(op, t, inner);
    if (result == ALOOP_PENDING) return false;
    *status = result;
    return true;
}

}  // namespace

future *leaf_of(task *t) {
    future *f = t->waiting;
    while (f != nullptr) {
        operation *op = as_operation(f);
        if (op == nullptr || !driven_by(op, t)) break;
        f = op->inner;
    }
    return f;
}

namespace {

void forget_waiting(task *t) {
    future *old = t->waiting;
    t->waiting = nullptr;
    t->flags &= static_cast<uint16_t>(~(k_keep_failure | k_override));
    if (old != nullptr) unref_here(old);
}

// At the end of an iteration, on the loop's own stack.
void report_later(task *t) {
    loop *l = loop_of(t);
    ref(t);
    t->key = l->iteration();
    l->unclaimed.push(t);
}

void fail_task(task *t, int64_t status, error *adopted) {
    if (status == ALOOP_ECANCELED) {
        cancel_now(t, adopted);
        return;
    }
    const bool awaited = !t->waiters.empty();
    fail(t, status, adopted);
    if (!awaited) report_later(t);
}

// The task's failure gets the error that was raised for it, or that of the
// await that failed with the same code.
error *failure_of(task *t, int64_t status) {
    task_extra *more = t->more;
    if (more != nullptr && more->raised != nullptr && more->raised->code == status) {
        error *e = more->raised;
        more->raised = nullptr;
        return e;
    }
    error *e = nullptr;
    if (t->is(k_override)) {
        e = more != nullptr ? more->cancel_error : nullptr;
    } else if (t->is(k_keep_failure) && t->waiting != nullptr && t->waiting->failed()) {
        e = static_cast<error *>(t->waiting->done.value);
    }
    if (e == nullptr || e->code != status) return nullptr;
    ref(e);
    return e;
}

// Nothing but the outcome is left to be dealt with: what most tasks end as.
bool ends_plainly(const task *t, int64_t status) {
    return status >= 0 && t->more == nullptr && t->waiting == nullptr &&
           !t->is(k_must_cancel) && (t->run.frame_free == nullptr || t->is(k_stackful)) &&
           t->extra == 0 && !loop_of(t)->watched;
}

void finish_task(task *t, int64_t status, void *value) {
    loop *l = loop_of(t);
    if (ends_plainly(t, status)) [[likely]] {
        if (t->is(k_stackful)) drop_coroutine(t);
        l->tasks.remove(static_cast<all_tasks_link *>(t));
        finish(t, status, value, nullptr);
        unref_here(t);
        return;
    }
    aloop_free_fn value_free = nullptr;
    if (t->more != nullptr && t->more->has_value) {
        value = t->more->value;
        value_free = t->more->value_free;
        t->more->has_value = false;
    }
    if (t->is(k_must_cancel) && status >= 0) {
        free_off_fiber(value_free, value);
        status = ALOOP_ECANCELED;
        t->off(k_must_cancel);
        t->on(k_override);
    } else if (status < 0) {
        free_off_fiber(value_free, value);
    }
    error *e = status < 0 ? failure_of(t, status) : nullptr;
    drop_coroutine(t);
    forget_waiting(t);
    l->tasks.remove(static_cast<all_tasks_link *>(t));
    if (l->watched) [[unlikely]] l->tell_task(t, false);
    if (status >= 0) {
        finish(t, status, value, value_free);
        if (l->debug && t->cancel_requests() > 0) {
            t->set(k_swallowed);
            report_later(t);
        }
    } else {
        fail_task(t, status, e);
    }
    unref(t);
}

}  // namespace

bool waits_on_future(const task *t) { return static_cast<const node *>(t)->prev != nullptr; }

namespace {

// The operations that t drives have no driver from now on: who awaits one goes on with
// it. Gives the outermost that somebody waits for already, or nullptr.
operation *leave_behind(task *t) {
    if (waits_on_future(t)) leaf_of(t)->waiters.remove(static_cast<node *>(t));
    operation *awaited = nullptr;
    future *f = t->waiting;
    while (f != nullptr) {
        operation *op = as_operation(f);
        if (op == nullptr || !driven_by(op, t)) break;
        op->driver = nullptr;
        if (awaited == nullptr && !op->waiters.empty()) awaited = op;
        f = op->inner;
    }
    return awaited;
}

}  // namespace

void abandon_wait(task *t) {
    leave_behind(t);
    forget_waiting(t);
}

namespace {

inline bool can_await(const task *t, const future *f) {
    return f != nullptr && f->is_future() && f != t && f->home == t->home;
}

// What an await of the task itself gives, in the next iteration as in asyncio.
int64_t refuse_itself(operation *op, task *, int64_t status) {
    if (op->phase++ == 0) return op->yield();
    return status < 0 ? status : op->fail(ALOOP_EINVAL, "Task cannot await on itself");
}

const op_info k_await_itself = {"await_itself", refuse_itself, free_operation<operation>};

}  // namespace

future *check_awaited(task *t, future *f) {
    if (can_await(t, f)) return f;
    loop *l = loop_of(t);
    if (f == nullptr || !f->is_future()) return failed_future(l, ALOOP_EINVAL);
    const bool itself = f == t;
    unref(f);
    if (!itself) return failed_future(l, ALOOP_EWRONGLOOP);
    operation *refusal = l->make_object<operation>(&k_await_itself);
    return refusal != nullptr ? refusal : failed_future(l, ALOOP_ENOMEM);
}

void leave_wait(task *t) {
    if (!waits_on_future(t)) loop_of(t)->unschedule(static_cast<node *>(t));
    const ptr<operation> awaited = ptr<operation>::share(leave_behind(t));
    forget_waiting(t);
    if (awaited && start(awaited.get(), false) < 0) end_from_outside(awaited.get(), ALOOP_ENOMEM);
}

namespace {

// Nothing is left of the await before, no cancellation waits, and no scope.
inline bool awaits_plainly(const task *t) {
    if (t->waiting != nullptr) return false;
    if ((t->flags & (k_keep_failure | k_override | k_must_cancel)) != 0) return false;
    return t->more == nullptr || (t->more->cancel_error == nullptr && t->more->scope == nullptr);
}

// The outcome of a future that is done, where that is a plain value.
inline bool take_done(future *f, void **value, int64_t *status) {
    if (f->done.status < 0 || f->done.value_free != nullptr || f->has(k_value_taken)) return false;
    *status = f->done.status;
    if (value != nullptr) *value = f->done.value;
    drop_awaited(f);
    return true;
}

// Of an operation that ended with its first step, and that nobody else has: away with it.
inline bool take_ended(task *t, operation *op, int64_t result, void **value) {
    if (!ends_plainly(op, result) || op->inner != nullptr || op->refs != 1) return false;
    if (op->remote.load(std::memory_order_acquire) != 0) return false;
    if (op->done.value_free != nullptr && value == nullptr) return false;
    if (value != nullptr) *value = op->done.value;
    op->state = k_finished;
    op->done = {nullptr, nullptr, 0};
    t->waiting = nullptr;
    op->ops->destroy(op);
    return true;
}

// A sleep of no length: the task comes back in the next iteration, and stands on a
// future that is done, as it would with the sleep itself.
inline bool yields(const future *f) {
    return f->type == kind::sleep && f->flags == k_yields && f->pending() && f->refs == 1 &&
           f->waiters.empty() && f->remote.load(std::memory_order_acquire) == 0;
}

inline void begin_yield(task *t, future *f) {
    loop *l = loop_of(t);
    future *stand_in = static_cast<future *>(l->yielded);
    ref_here(stand_in);
    t->waiting = stand_in;
    keep_yield(l, f);
    schedule(t);
}

}  // namespace

bool begin_await(task *t, future *f) {
    if (awaits_plainly(t)) [[likely]] {
        if (can_await(t, f) && yields(f)) {
            begin_yield(t, f);
            return false;
        }
    } else {
        if (t->waiting != nullptr || (t->flags & (k_keep_failure | k_override)) != 0) {
            forget_waiting(t);
        }
        if (task_extra *more = t->more; more != nullptr && more->cancel_error != nullptr &&
                                        !t->is(k_must_cancel)) {
            unref(std::exchange(more->cancel_error, nullptr));  // delivered
        }
    }
    t->waiting = can_await(t, f) ? f : check_awaited(t, f);
    const bool pressed = t->more != nullptr && t->more->scope != nullptr && press_scope(t);
    const bool done = wait_on(t, t->waiting);
    if (done && pressed) t->off(k_must_cancel);
    return done;
}

int64_t collect(task *t, void **value) {
    future *f = t->waiting;
    if (t->is(k_override)) {
        t->on(k_keep_failure);
        return ALOOP_ECANCELED;
    }
    if (f == nullptr || t->is(k_suspended)) return ALOOP_EINVALIDSTATE;
    const bool plain = f->state == k_finished && f->done.status >= 0 && !f->has(k_value_taken) &&
                       (f->done.value_free == nullptr || value != nullptr);
    if (plain) [[likely]] {
        const int64_t status = f->done.status;
        if (value != nullptr) *value = f->done.value;
        if (f->done.value_free != nullptr) {  // it goes to the one who awaits
            f->done.value = nullptr;
            f->done.value_free = nullptr;
            f->set(k_value_taken);
        }
        t->waiting = nullptr;
        drop_awaited(f);
        return status;
    }
    const int64_t status = take_value(f, value);
    if (status < 0) {
        t->on(k_keep_failure);
    } else {
        forget_waiting(t);
    }
    return status;
}

namespace {

// An operation as it was made: nobody has begun it or cancelled it, and it is only here.
inline bool is_untouched(const future *f) {
    return f->state == k_pending && f->flags == 0 && f->refs == 1 && f->waiters.empty() &&
           f->remote.load(std::memory_order_acquire) == 0;
}

inline int64_t wait_on_fiber(task *t, void **value) {
    switch_back(static_cast<fiber *>(t->run.frame));
    return collect(t, value);
}

// It is awaited and nothing else is to be thought of: the rest of await_on_fiber.
inline int64_t await_plainly(task *t, future *f, void **value) {
    if (yields(f)) {
        begin_yield(t, f);
        return wait_on_fiber(t, value);
    }
    if (is_plain_wait(f)) {
        t->waiting = f;
        stand_on(t, f);
        return wait_on_fiber(t, value);
    }
    int64_t status;
    if (f->state == k_finished && take_done(f, value, &status)) return status;
    if (f->type == kind::operation && f->pending() && !f->has(k_started)) {
        operation *op = static_cast<operation *>(f);
        op->set(k_started);
        op->driver = t;
        t->waiting = op;
        status = step(op, t, 0);
        if (take_ended(t, op, status, value)) return status;
        if (drive_on(op, t, status) == ALOOP_PENDING) return wait_on_fiber(t, value);
        return collect(t, value);
    }
    return begin_await(t, f) ? collect(t, value) : wait_on_fiber(t, value);
}

}  // namespace

// What most awaits are, first: an operation that ends at once, of a lock that is free
// or a queue that has an item. It never was anywhere but in the caller's hand.
int64_t await_on_fiber(task *t, future *f, void **value) {
    if (can_await(t, f) && awaits_plainly(t)) [[likely]] {
        if (f->type == kind::operation && is_untouched(f)) {
            operation *op = static_cast<operation *>(f);
            if (const auto at_once = op->ops->at_once) {
                const int64_t status = at_once(op, value);
                if (status != ALOOP_PENDING) [[likely]] return status;
            }
        }
        return await_plainly(t, f, value);
    }
    return begin_await(t, f) ? collect(t, value) : wait_on_fiber(t, value);
}

void run_task(node *item, action what) {
    task *t = static_cast<task *>(item);
    if (what == action::run && t->pending()) {
        step_task(t);
    } else {
        unref(static_cast<future *>(t));  // see drop_task
    }
}

namespace {

void mark_context(task *t, bool entered) {
    if (t->more != nullptr && t->more->context != nullptr) t->more->context->entered = entered;
}

// Neither cancelled, nor in an operation, nor with a context of its own: the most
// common step, which only runs the coroutine.
bool only_runs(const task *t) {
    if (t->more != nullptr || t->is(k_must_cancel)) return false;
    return t->waiting == nullptr || t->waiting->type != kind::operation;
}

// Woken in an operation by a plain future, and nobody cancelled: the second most common.
bool only_resumes(const task *t) {
    if (t->more != nullptr || t->is(k_must_cancel) || t->waiting == nullptr) return false;
    const operation *op = as_operation(t->waiting);
    return op != nullptr && driven_by(op, t) && op->inner != nullptr &&
           op->inner->type == kind::future && !op->inner->pending();
}

int64_t resume_only(task *t, void **value) {
    operation *op = static_cast<operation *>(t->waiting);
    const int64_t status = op->inner->status();
    op->inner->clear(k_unretrieved);
    return drive(op, t, status) != ALOOP_PENDING ? run_coroutine(t, value) : ALOOP_PENDING;
}

int64_t step_in_context(task *t, void **value) {
    context_scope scope(t->more != nullptr && t->more->context != nullptr ? &t->more->context->cell
                                                                         : &t_context.none);
    mark_context(t, true);
    int64_t status = 0;
    const bool cancelled = t->is(k_must_cancel);
    t->flags = static_cast<uint16_t>((t->flags & ~k_must_cancel) | k_running);
    if (!t->is(k_begun)) {
        t->on(k_begun);
        if (cancelled) t->on(k_override);
        status = cancelled ? ALOOP_ECANCELED : run_coroutine(t, value);
    } else {
        // A cancellation goes to the innermost operation; without one it takes
        // the place of the outcome.
        operation *op = t->waiting != nullptr ? as_operation(t->waiting) : nullptr;
        const bool direct = op == nullptr || !driven_by(op, t);
        // The first of two requests keeps its message where both met the wait.
        const bool told = t->waiting != nullptr && t->waiting->status() == ALOOP_ECANCELED;
        if (direct && cancelled && !told) t->on(k_override);
        if (direct || resume_on(t, op, cancelled, &status)) {
            status = run_coroutine(t, value);
        } else {
            status = ALOOP_PENDING;
        }
    }
    mark_context(t, false);
    return status;
}

}  // namespace

// One step: hands a waiting cancellation or outcome to the coroutine and runs
// it until it suspends or ends.
void step_task(task *t) {
    loop *l = loop_of(t);
    task *outer = l->current_task;
    l->current_task = t;
    void *value = nullptr;
    int64_t status;
    if (only_runs(t)) [[likely]] {
        context_scope scope(&t_context.none);
        t->flags |= k_running | k_begun;
        status = run_coroutine(t, &value);
    } else if (only_resumes(t)) {
        context_scope scope(&t_context.none);
        t->flags |= k_running;
        status = resume_only(t, &value);
    } else {
        status = step_in_context(t, &value);
    }
    t->off(k_running);
    l->current_task = outer;
    if (status != ALOOP_PENDING) finish_task(t, status, value);
    if ((l->graveyard != nullptr || l->put_off != nullptr) && !l->on_fiber) dig_graves(l);
}

}  // namespace aloop
