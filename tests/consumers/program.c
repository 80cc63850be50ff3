/*
 * A program outside the tree, in the language that C11 and C++17 share.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t twice(void *arg, void **value) {
    int64_t number = *(int64_t *)arg;
    int64_t status = aloop_await(aloop_sleep(0.01), NULL);
    (void)value;
    return status < 0 ? status : 2 * number;
}

static int64_t run(void *arg, void **value) {
    int64_t numbers[2] = {20, 1};
    aloop_future *both[2];
    void *list = NULL;
    int64_t sum = 0;
    int64_t status, i;
    (void)arg;
    (void)value;
    for (i = 0; i < 2; i++) both[i] = aloop_create_task(twice, &numbers[i]);
    status = aloop_await(aloop_gather(both, 2, 0), &list);
    if (status < 0) return status;
    for (i = 0; i < 2; i++) sum += aloop_results_status((aloop_results *)list, i);
    aloop_unref(list);
    return sum;
}

int main(void) {
    int64_t status = aloop_run(run, NULL, NULL);
    printf("%s: %d\n", aloop_version_string(), (int)status);
    return status == 42 ? 0 : 1;
}
