/*
 * awaitables.c: expressions become operations and futures of the library.
 *
 * A coroutine function of the language is a plain C function here, and to await
 * one inline is to call it. So what holds a bare coroutine stays a description
 * until it is awaited (then it is called) or something makes a task of it; of the
 * library's combinations only wait_for passes a coroutine on like that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "machine.h"

struct coroutine {
    struct machine *machine;
    struct activation *activation; /* or NULL: wait_for(inner, timeout) */
    struct built inner;
    int64_t timeout;
};

static struct shape *new_shape(struct machine *m, int kind, int count) {
    struct shape *shape = get(m, sizeof *shape);
    shape->kind = kind;
    shape->count = count;
    return shape;
}

static int64_t run_coroutine(struct coroutine *c, struct outcome *out);

static int64_t coroutine_task(void *data, void **value) {
    struct coroutine *c = data;
    struct outcome out = {0, NULL, NULL};
    run_coroutine(c, &out);
    *value = out.value;
    return raise_outcome(c->machine, &out);
}

/* The future of an expression as ensure_future() gives it; a reference. */
aloop_future *ensure(struct machine *m, struct built *what) {
    aloop_future *future = what->future != NULL
                               ? aloop_ensure_future(what->future)
                               : aloop_create_task(coroutine_task, what->coroutine);
    remember_shape(m, future, what->shape);
    keep(m, aloop_ref(future));
    return future;
}

aloop_future **to_futures(struct machine *m, struct built *list, int count, bool tasks) {
    aloop_future **futures = get(m, (size_t)(count + 1) * sizeof *futures);
    for (int i = 0; i < count; i++) tasks = tasks || list[i].future == NULL;
    for (int i = 0; i < count; i++) {
        futures[i] = tasks ? ensure(m, &list[i]) : list[i].future;
    }
    return futures;
}

struct built *build_all(struct machine *m, struct aw *const *aw, int count) {
    struct built *list = get(m, (size_t)(count + 1) * sizeof *list);
    for (int i = 0; i < count; i++) list[i] = build(m, aw[i]);
    return list;
}

static int64_t is_true(void *variable) {
    return *(int64_t *)variable != 0;
}

static struct built build_gather(struct machine *m, const struct aw *aw) {
    struct built *list = build_all(m, aw->child, aw->count);
    struct shape *shape = new_shape(m, SHAPE_LIST, aw->count);
    shape->child = get(m, (size_t)(aw->count + 1) * sizeof *shape->child);
    for (int i = 0; i < aw->count; i++) shape->child[i] = list[i].shape;
    aloop_future **futures = to_futures(m, list, aw->count, false);
    aloop_future *all =
        aloop_gather(futures, aw->count, aw->arg[0] == 1 ? ALOOP_RETURN_EXCEPTIONS : 0);
    return (struct built){all, NULL, shape};
}

static struct built build_wait(struct machine *m, const struct aw *aw) {
    static const int32_t modes[] = {ALOOP_ALL_COMPLETED, ALOOP_FIRST_COMPLETED,
                                    ALOOP_FIRST_EXCEPTION};
    struct built *list = build_all(m, aw->child, aw->count);
    struct shape *shape = new_shape(m, SHAPE_WAIT, aw->count);
    shape->futures = to_futures(m, list, aw->count, false);
    for (int i = 0; i < aw->count; i++) keep(m, aloop_ref(shape->futures[i]));
    const double timeout = aw->arg[1] == NO_TIME ? -1 : seconds(aw->arg[1]);
    return (struct built){aloop_wait(shape->futures, aw->count, timeout, modes[aw->arg[0]]), NULL,
                          shape};
}

static struct built build_waitfor(struct machine *m, const struct aw *aw) {
    struct built inner = build(m, aw->child[0]);
    if (inner.future != NULL) {
        inner.future = aloop_wait_for(inner.future, seconds(aw->arg[0]));
        return inner;
    }
    struct coroutine *c = get(m, sizeof *c);
    *c = (struct coroutine){m, NULL, inner, aw->arg[0]};
    return (struct built){NULL, c, inner.shape};
}

static struct built build_shield(struct machine *m, const struct aw *aw) {
    struct built inner = build(m, aw->child[0]);
    if (inner.future == NULL) inner.future = ensure(m, &inner);
    return (struct built){aloop_shield(inner.future), NULL, inner.shape};
}

static aloop_future *build_simple(struct machine *m, const struct aw *aw) {
    const int64_t n = aw->arg[0];
    switch (aw->kind) {
    case AW_SLEEP: return aloop_sleep(seconds(n));
    case AW_SLEEPRES: return aloop_sleep_result(seconds(n), 0, boxed(aw->arg[1]), NULL);
    case AW_ACQUIRE: return aloop_lock_acquire(m->lock[n]);
    case AW_EVENT: return aloop_event_wait(m->event[n]);
    case AW_CACQUIRE: return aloop_condition_acquire(m->cond[n]);
    case AW_CWAIT: return aloop_condition_wait(m->cond[n]);
    case AW_CWAITFOR: return aloop_condition_wait_for(m->cond[n], is_true, &m->var[aw->arg[1]]);
    case AW_SACQUIRE: return aloop_semaphore_acquire(m->sem[n]);
    case AW_BWAIT: return aloop_barrier_wait(m->barrier[n]);
    case AW_BRESET: return aloop_barrier_reset(m->barrier[n]);
    case AW_BABORT: return aloop_barrier_abort(m->barrier[n]);
    case AW_PUT: return aloop_queue_put(m->queue[n], boxed(aw->arg[1]));
    case AW_GET: return aloop_queue_get(m->queue[n]);
    default: return aloop_queue_join(m->queue[n]);
    }
}

struct built build(struct machine *m, const struct aw *aw) {
    struct built out = {NULL, NULL, NULL};
    switch (aw->kind) {
    case AW_F:
        out.future = aloop_ref(m->slot[aw->arg[0]]);
        out.shape = shape_of(m, out.future);
        return out;
    case AW_C:
        out.coroutine = get(m, sizeof *out.coroutine);
        out.coroutine->machine = m;
        out.coroutine->activation = new_activation(m, aw->arg[0]);
        return out;
    case AW_GATHER: return build_gather(m, aw);
    case AW_WAIT: return build_wait(m, aw);
    case AW_WAITFOR: return build_waitfor(m, aw);
    case AW_SHIELD: return build_shield(m, aw);
    case AW_BWAIT: out.shape = new_shape(m, SHAPE_INDEX, 0); break;
    default: break;
    }
    out.future = build_simple(m, aw);
    return out;
}

/* wait_for() of a coroutine: inline in a timeout; without time left, as a task. */
static int64_t run_waitfor(struct coroutine *c, struct outcome *out) {
    struct machine *m = c->machine;
    if (c->timeout != NO_TIME && c->timeout <= 0) {
        aloop_future *task = ensure(m, &c->inner);
        return await_future(m, aloop_wait_for(task, seconds(c->timeout)), out);
    }
    aloop_timeout *timeout;
    int64_t status = aloop_timeout_enter(&timeout, seconds(c->timeout));
    if (status < 0) return failure(out, status, NULL);
    keep(m, timeout);
    await_built(m, &c->inner, out);
    status = aloop_timeout_exit(timeout, out->status);
    return status == out->status ? status : failure(out, status, NULL);
}

static int64_t run_coroutine(struct coroutine *c, struct outcome *out) {
    return c->activation != NULL ? run_body(c->activation, out) : run_waitfor(c, out);
}

/* The value stays the future's, so that everybody who awaits it reads it. */
int64_t await_future(struct machine *m, aloop_future *future, struct outcome *out) {
    keep(m, aloop_ref(future));
    const int64_t status = aloop_await(future, NULL);
    if (status < 0) return failure(out, status, keep(m, aloop_ref(aloop_last_error())));
    *out = (struct outcome){status, NULL, NULL};
    aloop_future_result(future, &out->value);
    return status;
}

int64_t await_built(struct machine *m, struct built *what, struct outcome *out) {
    if (what->future == NULL) return run_coroutine(what->coroutine, out);
    return await_future(m, what->future, out);
}
