/*
 * Show commands on a loop of one's own, for who needs control of it. What a
 * device fails with is printed where it happens; the others go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define DEVICES 3
#define AUTHENTICATION_FAILED (ALOOP_EUSER - 1)

struct device {
    char *host;
    double latency;
    char *clock; /* NULL: does not let us in */
};

/* The connection is played by a sleep; send_show.c has a real one. */
static int64_t send_command(const struct device *device, const char *command, void **reply) {
    (void)command;
    int64_t rc = aloop_await(aloop_sleep(device->latency), NULL);
    if (rc < 0) return rc;
    if (device->clock == NULL) {
        return aloop_raise(AUTHENTICATION_FAILED, "%s: authentication failed", device->host);
    }
    *reply = device->clock;
    return 0;
}

static int64_t send_show(void *arg, void **value) {
    int64_t rc = send_command(arg, "sh clock", value);
    if (rc == AUTHENTICATION_FAILED) {
        puts("Authentication failed");
        rc = 0; /* with no value */
    }
    return rc;
}

static int64_t run_all(void *arg, void **value) {
    struct device *devices = arg;
    aloop_task *tasks[DEVICES];
    for (int i = 0; i < DEVICES; i++) tasks[i] = aloop_create_task(send_show, &devices[i]);
    return aloop_await(aloop_gather(tasks, DEVICES, ALOOP_RETURN_EXCEPTIONS), value);
}

int main(void) {
    static struct device devices[DEVICES] = {
        {"192.168.100.1", 2, "*10:24:17.123 UTC Tue Mar 16 2021"},
        {"192.168.100.2", 1, NULL},
        {"192.168.100.3", 1.5, "*10:24:16.987 UTC Tue Mar 16 2021"},
    };
    aloop_loop *loop = NULL;
    if (aloop_loop_new(&loop, NULL) < 0) return 1;
    aloop_results *result = NULL;
    aloop_task *all = aloop_loop_create_task(loop, run_all, devices);
    const int64_t rc = aloop_loop_run_until_complete(loop, all, (void **)&result);
    aloop_loop_close(loop);
    aloop_loop_unref(loop);
    for (int64_t i = 0; i < aloop_results_count(result); i++) {
        const char *clock = aloop_results_value(result, i);
        printf("%s %s\n", devices[i].host, clock != NULL ? clock : "None");
    }
    aloop_results_unref(result);
    return rc < 0;
}
