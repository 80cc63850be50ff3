/*
 * A task group is left when all of its tasks are done. If one fails, the others
 * are cancelled, and the group fails with all errors inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define BROKEN (ALOOP_EUSER - 1)

struct job {
    const char *name;
    double delay;
    int fails;
};

static int64_t work(void *arg, void **value) {
    (void)value;
    const struct job *job = arg;
    printf("%s: started\n", job->name);
    int64_t rc = aloop_await(aloop_sleep(job->delay), NULL);
    if (rc < 0) {
        printf("%s: %s\n", job->name, aloop_errname(rc));
        return rc;
    }
    if (job->fails) return aloop_raise(BROKEN, "%s is broken", job->name);
    printf("%s: finished\n", job->name);
    return 0;
}

static int64_t run_group(struct job *jobs, int n) {
    aloop_task_group *group = NULL;
    int64_t rc = aloop_task_group_enter(&group);
    if (rc < 0) return rc;
    for (int i = 0; i < n && rc >= 0; i++) rc = aloop_task_group_spawn(group, work, &jobs[i]);
    return aloop_task_group_exit(group, rc);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    struct job good[] = {{"A", 2, 0}, {"B", 1, 0}};
    int64_t rc = run_group(good, 2);
    printf("the first group: %s\n", aloop_errname(rc));

    struct job bad[] = {{"C", 2, 0}, {"D", 1, 1}};
    rc = run_group(bad, 2);
    printf("the second group: %s\n", aloop_errname(rc));
    if (rc != ALOOP_EGROUP) return rc;
    const aloop_error *group = aloop_last_error();
    for (int64_t i = 0; i < aloop_error_child_count(group); i++) {
        printf("  %s\n", aloop_error_message(aloop_error_child(group, i)));
    }
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
