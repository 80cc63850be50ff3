/*
 * What depends on each other runs in turn, what does not side by side: each
 * device's output is fetched and then parsed, all devices at once. It takes 2
 * seconds, not 6.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define DEVICES 3

static int64_t get_command_output(const char *device, const char *command) {
    (void)command; /* the network is played by a sleep */
    printf(">>> Start get_command_output %s\n", device);
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    printf("<<< End  get_command_output  %s\n", device);
    return 0;
}

static int64_t parse_command_output(void) {
    puts(">>> Start parse_command_output");
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    puts("<<< End parse_command_output");
    return 0;
}

static int64_t get_and_parse_show_command(void *device, void **value) {
    (void)value;
    printf("### Start get_and_parse_show_command %s\n", (char *)device);
    int64_t rc = get_command_output(device, "sh ip int br");
    if (rc >= 0) rc = parse_command_output();
    if (rc < 0) return rc;
    printf("### End   get_and_parse_show_command %s\n", (char *)device);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    puts("Start");
    static char *const devices[DEVICES] = {"10.1.1.1", "10.2.2.2", "10.3.3.3"};
    aloop_task *tasks[DEVICES];
    for (int i = 0; i < DEVICES; i++) {
        tasks[i] = aloop_create_task(get_and_parse_show_command, devices[i]);
    }
    int64_t rc = aloop_await(aloop_gather(tasks, DEVICES, 0), NULL);
    if (rc < 0) return rc;
    printf("End after %.1f s\n", aloop_loop_time(loop) - start);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
