/*
 * The life of a task: scheduled, running, waiting, done; and how to ask what
 * became of it: done, cancelled, result, error.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define NO_ANSWER (ALOOP_EUSER - 1) /* an error code of this program */

static const char *const states[] = {"waiting", "scheduled", "running", "finished", "cancelled"};

static void show(const char *when, aloop_task *task) {
    printf("%-13s %-9s done=%d cancelled=%d", when, states[aloop_task_state(task)],
           (int)aloop_future_done(task), (int)aloop_future_cancelled(task));
    void *result = NULL;
    const int64_t rc = aloop_future_result(task, &result);
    if (rc >= 0)
        printf(" result=%s", (char *)result);
    else
        printf(" %s", aloop_errname(rc));
    if (aloop_future_error(task) != NULL) {
        printf(" (%s)", aloop_error_message(aloop_future_error(task)));
    }
    puts("");
}

static int64_t succeed(void *arg, void **value) {
    (void)arg;
    show("inside:", aloop_current_task(NULL));
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    *value = "42";
    return 0;
}

static int64_t fail(void *arg, void **value) {
    (void)arg, (void)value;
    return aloop_raise(NO_ANSWER, "no answer after %d tries", 3);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *good = aloop_create_task(succeed, NULL);
    aloop_task *bad = aloop_create_task(fail, NULL);
    aloop_task *late = aloop_create_task(succeed, NULL);
    show("made:", good);
    aloop_task_cancel(late, NULL);

    aloop_await(aloop_ref(bad), NULL); /* one that nobody awaits is reported */
    int64_t rc = aloop_await(aloop_sleep(0.5), NULL);
    if (rc >= 0) show("half-way:", good);
    if (rc >= 0) rc = aloop_await(aloop_sleep(1), NULL);
    show("at the end:", good);
    show("failed:", bad);
    show("cancelled:", late);
    aloop_unref(good);
    aloop_unref(bad);
    aloop_unref(late);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
