/*
 * trampolines.c: the function types of the library, in C, each of which calls its
 * exported Go function (callbacks.go). All run on a thread's own stack.
 */
#include <asyncloop.h>

#include "_cgo_export.h"

static int64_t callback(void *data) { return goCallback((uintptr_t)data); }

static int64_t done(aloop_future *future, void *data) {
    return goDone((uintptr_t)future, (uintptr_t)data);
}

static int64_t step(aloop_task *task, void *frame, void **value) {
    (void)value;
    return goStep((uintptr_t)task, (uintptr_t)frame);
}

static void exception(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    goException((uintptr_t)context, (uintptr_t)data);
}

static int64_t compare(const void *a, const void *b, void *data) {
    return goCompare((uintptr_t)a, (uintptr_t)b, (uintptr_t)data);
}

static int64_t job(void *arg, void **value) {
    (void)value;
    return goJob((uintptr_t)arg);
}

static void release(void *data) { goRelease((uintptr_t)data); }

uintptr_t go_callback_fn(void) { return (uintptr_t)callback; }
uintptr_t go_done_fn(void) { return (uintptr_t)done; }
uintptr_t go_step_fn(void) { return (uintptr_t)step; }
uintptr_t go_exception_fn(void) { return (uintptr_t)exception; }
uintptr_t go_compare_fn(void) { return (uintptr_t)compare; }
uintptr_t go_job_fn(void) { return (uintptr_t)job; }
uintptr_t go_release_fn(void) { return (uintptr_t)release; }
