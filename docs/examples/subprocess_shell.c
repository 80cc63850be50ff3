/*
 * Children by a line for the shell: with pipes in it, with something to read,
 * line by line, and one that is ended because it takes too long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <string.h>

/* What it writes after reading input. */
static int64_t filter(const char *command, const char *input) {
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdin(options, ALOOP_PIPE);
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *process = NULL;
    int64_t rc = aloop_await(aloop_create_subprocess_shell(command, options), (void **)&process);
    aloop_unref(options);
    if (rc < 0) return rc;
    aloop_results *output = NULL;
    aloop_future *end = aloop_process_communicate(process, input, strlen(input));
    rc = aloop_await(end, (void **)&output);
    if (rc >= 0) {
        printf("[%s] %s", command, (const char *)aloop_bytes_data(aloop_results_value(output, 0)));
    }
    aloop_unref(output);
    aloop_unref(process);
    return rc;
}

/* Each line as it comes, and then its exit code. */
static int64_t follow(const char *command) {
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *process = NULL;
    int64_t rc = aloop_await(aloop_create_subprocess_shell(command, options), (void **)&process);
    aloop_unref(options);
    if (rc < 0) return rc;
    for (;;) {
        aloop_bytes *line = NULL;
        rc = aloop_await(aloop_stream_readline(aloop_process_stdout(process)), (void **)&line);
        if (rc > 0) printf("line: %s", (const char *)aloop_bytes_data(line));
        aloop_bytes_unref(line);
        if (rc <= 0) break;
    }
    if (rc >= 0) rc = aloop_await(aloop_process_wait(process), NULL);
    if (rc >= 0) printf("exit code: %d\n", (int)rc);
    aloop_unref(process);
    return rc;
}

static int64_t give_up(const char *command, double seconds) {
    aloop_process *process = NULL;
    int64_t rc = aloop_await(aloop_create_subprocess_shell(command, NULL), (void **)&process);
    if (rc < 0) return rc;
    rc = aloop_await(aloop_wait_for(aloop_process_wait(process), seconds), NULL);
    if (rc == ALOOP_ETIMEDOUT) {
        aloop_process_terminate(process);
        rc = aloop_await(aloop_process_wait(process), NULL);
    }
    if (rc >= ALOOP_SIGNALED) printf("ended by: %s\n", strsignal((int)rc - ALOOP_SIGNALED));
    aloop_unref(process);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = filter("ls -d / /usr | wc -l", "");
    if (rc >= 0) rc = filter("tr a-z A-Z", "hello world\n");
    if (rc >= 0) rc = follow("echo one; echo two; exit 3");
    if (rc >= 0) rc = give_up("exec sleep 60", 0.1);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
