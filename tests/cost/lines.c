/*
 * Lines of n who wait, and n calls in one iteration that have to do with all of them:
 * what each costs is the same, however long the line is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "operations.h"

#include <stdlib.h>

struct standing {
    ALOOP_CO_FRAME;
    void *on; /* an operation, or a condition */
    int64_t status;
};

struct standers {
    int64_t count;
    struct standing *frames;
    aloop_task **tasks;
};

static int64_t stand(aloop_task *task, void *frame, void **value) {
    struct standing *s = frame;
    (void)value;
    ALOOP_CO_BEGIN(s);
    ALOOP_CO_AWAIT(task, s, s->on, s->status, NULL);
    ALOOP_CO_END(s);
    return 0;
}

static int64_t stand_at_condition(aloop_task *task, void *frame, void **value) {
    struct standing *s = frame;
    (void)value;
    ALOOP_CO_BEGIN(s);
    ALOOP_CO_AWAIT(task, s, aloop_condition_acquire(s->on), s->status, NULL);
    ALOOP_CO_AWAIT(task, s, aloop_condition_wait(s->on), s->status, NULL);
    MUST(aloop_condition_release(s->on));
    ALOOP_CO_END(s);
    return 0;
}

static struct standers room_for(int64_t n) {
    const size_t count = (size_t)n;
    struct standers s = {n, calloc(count, sizeof *s.frames), calloc(count, sizeof *s.tasks)};
    return s;
}

static void line_up(struct standers *s, aloop_step_fn step) {
    for (int64_t i = 0; i < s->count; i++) {
        s->tasks[i] = aloop_create_stackless_task(step, &s->frames[i], NULL);
    }
    MUST(aloop_await(aloop_sleep(0), NULL));
}

static void cancel_all(struct standers *s) {
    for (int64_t i = 0; i < s->count; i++) MUST(aloop_task_cancel(s->tasks[i], NULL));
}

static void end_all(struct standers *s) {
    for (int64_t i = 0; i < s->count; i++) MUST(aloop_await(s->tasks[i], NULL));
    free(s->frames);
    free(s->tasks);
}

/* Each of them passes on the notification that it may have had. */
void line_condition(int64_t n) {
    aloop_condition *condition = NULL;
    MUST(aloop_condition_new(&condition, NULL));
    struct standers s = room_for(n);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = condition;
    line_up(&s, stand_at_condition);
    cancel_all(&s);
    end_all(&s);
    aloop_unref(condition);
}

/* Whoever comes looks whether those who stand there were cancelled, all of them. */
void line_lock(int64_t n) {
    aloop_lock *lock = NULL;
    MUST(aloop_lock_new(&lock));
    MUST(aloop_await(aloop_lock_acquire(lock), NULL));
    struct standers s = room_for(n);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = aloop_lock_acquire(lock);
    line_up(&s, stand);
    cancel_all(&s);
    MUST(aloop_lock_release(lock));
    for (int64_t i = 0; i < n; i++) {
        MUST(aloop_await(aloop_lock_acquire(lock), NULL));
        MUST(aloop_lock_release(lock));
    }
    end_all(&s);
    aloop_unref(lock);
}

void line_semaphore(int64_t n) {
    aloop_semaphore *semaphore = NULL;
    MUST(aloop_semaphore_new(&semaphore, 0));
    struct standers s = room_for(n);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = aloop_semaphore_acquire(semaphore);
    line_up(&s, stand);
    cancel_all(&s);
    for (int64_t i = 0; i < n; i++) {
        MUST(aloop_semaphore_release(semaphore));
        MUST(aloop_await(aloop_semaphore_acquire(semaphore), NULL));
    }
    end_all(&s);
    aloop_unref(semaphore);
}

static aloop_future *given(void *future) { return aloop_ref(future); }

/* Each who finds the cell empty, and fails to fill it, wakes the next. */
void line_once(int64_t n) {
    aloop_once *cell = NULL;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *late = aloop_loop_create_future(loop), *failed = aloop_loop_create_future(loop);
    MUST(aloop_once_new(&cell));
    struct standers first = room_for(1), s = room_for(n);
    first.frames[0].on = aloop_once_get_or_init(cell, given, late);
    line_up(&first, stand);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = aloop_once_get_or_init(cell, given, failed);
    line_up(&s, stand);
    MUST(aloop_future_set_error_code(failed, ALOOP_EUSER));
    MUST(aloop_future_set_error_code(late, ALOOP_EUSER));
    MUST(aloop_await(aloop_sleep(0), NULL)); /* the first has failed */
    for (int64_t i = 0; i < n; i++) aloop_await(aloop_once_get_or_init(cell, given, failed), NULL);
    end_all(&s);
    end_all(&first);
    aloop_unref(late);
    aloop_unref(failed);
    aloop_unref(cell);
}

void line_event(int64_t n) {
    aloop_event *event = NULL;
    MUST(aloop_event_new(&event));
    struct standers s = room_for(n);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = aloop_event_wait(event);
    line_up(&s, stand);
    for (int64_t i = 0; i < n; i++) {
        MUST(aloop_event_set(event));
        MUST(aloop_event_clear(event));
    }
    end_all(&s);
    aloop_unref(event);
}

/* The work is done again and again before those who wait for that run. */
void line_join(int64_t n) {
    aloop_queue *queue = NULL;
    void *item;
    MUST(aloop_queue_new(&queue, NULL));
    MUST(aloop_queue_put_nowait(queue, NULL));
    struct standers s = room_for(n);
    for (int64_t i = 0; i < n; i++) s.frames[i].on = aloop_queue_join(queue);
    line_up(&s, stand);
    for (int64_t i = 0; i < n; i++) {
        MUST(aloop_queue_get_nowait(queue, &item));
        MUST(aloop_queue_task_done(queue));
        MUST(aloop_queue_put_nowait(queue, NULL));
    }
    end_all(&s);
    aloop_unref(queue);
}
