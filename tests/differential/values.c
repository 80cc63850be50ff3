/*
 * values.c: how values, errors and outcomes look in a trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"


void *boxed(int64_t value) { return (void *)(intptr_t)(value * 2 + 1); }

static int64_t unboxed(void *value) { return ((intptr_t)value - 1) / 2; }

const char *text(struct machine *m, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    char *out = get(m, (size_t)length + 1);
    vsnprintf(out, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return out;
}

void remember_shape(struct machine *m, aloop_future *future, struct shape *shape) {
    if (shape == NULL) return;
    if (m->shaped_count == m->shaped_room) {
        m->shaped_room = m->shaped_room * 2 + 16;
        m->shaped = realloc(m->shaped, m->shaped_room * sizeof *m->shaped);
        if (m->shaped == NULL) abort();
    }
    m->shaped[m->shaped_count++] = (struct shaped){future, shape};
}

struct shape *shape_of(struct machine *m, aloop_future *future) {
    for (size_t i = m->shaped_count; i-- > 0;) {
        if (m->shaped[i].future == future) return m->shaped[i].shape;
    }
    return NULL;
}

const char *bare_error_text(int64_t code) {
    switch (code) {
    case ALOOP_ECANCELED: return "Cancelled";
    case ALOOP_ETIMEDOUT: return "Timeout";
    case ALOOP_EINVALIDSTATE: return "InvalidState";
    case ALOOP_EQUEUEEMPTY: return "QueueEmpty";
    case ALOOP_EQUEUEFULL: return "QueueFull";
    case ALOOP_EQUEUESHUTDOWN: return "QueueShutDown";
    case ALOOP_EBROKENBARRIER: return "BrokenBarrier";
    case ALOOP_EGROUP: return "Group";
    case ALOOP_EWRONGTYPE:
    case ALOOP_ENOTOWNER:
    case ALOOP_ESHUTDOWN:
    case ALOOP_EBUSY:
    case E_RUNTIME: return "Runtime";
    case ALOOP_EINVAL:
    case E_VALUE: return "Value";
    default: return NULL;
    }
}

static const char *group_text(struct machine *m, aloop_error *error) {
    const char *out = "Group[";
    const int64_t n = error != NULL ? aloop_error_child_count(error) : 0;
    for (int64_t i = 0; i < n; i++) {
        aloop_error *child = aloop_error_child(error, i);
        out = text(m, "%s%s%s", out, i > 0 ? "," : "",
                   error_text(m, aloop_error_code(child), child));
    }
    return text(m, "%s]", out);
}

const char *error_text(struct machine *m, int64_t code, aloop_error *error) {
    if (code == ALOOP_EGROUP) return group_text(m, error);
    if (code == ALOOP_ECANCELED && error != NULL) {
        const char *message = aloop_error_message(error);
        if (strcmp(message, aloop_strerror(code)) != 0) return text(m, "Cancelled(%s)", message);
    }
    const char *name = bare_error_text(code);
    if (name != NULL) return name;
    if (code < ALOOP_EUSER) return text(m, "Err%d", (int)(ALOOP_EUSER - 1 - code));
    return text(m, "?%s", aloop_errname(code));
}

/* The positions of a wait's results in the list that it was given. */
static const char *positions(struct machine *m, const struct shape *shape, aloop_results *list) {
    const char *out = "[";
    for (int64_t i = 0; i < aloop_results_count(list); i++) {
        aloop_future *future = aloop_results_future(list, i);
        int at = 0;
        while (at < shape->count && shape->futures[at] != future) at++;
        out = text(m, "%s%s%d", out, i > 0 ? "," : "", at);
    }
    return text(m, "%s]", out);
}

static const char *list_text(struct machine *m, const struct shape *shape, aloop_results *list) {
    const char *out = "[";
    for (int64_t i = 0; i < aloop_results_count(list); i++) {
        const int64_t status = aloop_results_status(list, i);
        const char *entry =
            status < 0 ? error_text(m, status, aloop_results_error(list, i))
                       : value_text(m, i < shape->count ? shape->child[i] : NULL, status,
                                    aloop_results_value(list, i));
        out = text(m, "%s%s%s", out, i > 0 ? "," : "", entry);
    }
    return text(m, "%s]", out);
}

const char *value_text(struct machine *m, const struct shape *shape, int64_t status, void *value) {
    if (shape != NULL && shape->kind == SHAPE_INDEX) return text(m, "%d", (int)status);
    if (value == NULL) return "-";
    if (((intptr_t)value & 1) != 0) return text(m, "%lld", (long long)unboxed(value));
    if (shape != NULL && shape->kind == SHAPE_LIST) return list_text(m, shape, value);
    if (shape != NULL && shape->kind == SHAPE_WAIT) {
        return text(m, "done%s pending%s", positions(m, shape, aloop_wait_result_done(value)),
                    positions(m, shape, aloop_wait_result_pending(value)));
    }
    return "?value";
}

const char *outcome_text(struct machine *m, aloop_future *future) {
    void *value = NULL;
    if (aloop_future_done(future) == 0) return "pending";
    if (aloop_future_cancelled(future) != 0) return "cancelled";
    const int64_t status = aloop_future_result(future, &value);
    if (status < 0) {
        return text(m, "failed %s", error_text(m, status, aloop_future_error(future)));
    }
    return text(m, "done %s", value_text(m, shape_of(m, future), status, value));
}

int64_t failure(struct outcome *out, int64_t code, aloop_error *error) {
    *out = (struct outcome){code, NULL, error};
    return code;
}

int64_t raise_outcome(struct machine *m, const struct outcome *out) {
    if (out->status >= 0) return out->status;
    aloop_error *error = out->error;
    if (error == NULL) error = keep(m, aloop_error_new(out->status, NULL, NULL));
    return aloop_raise_error(error);
}
