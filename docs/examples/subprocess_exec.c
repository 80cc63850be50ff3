/*
 * Children by name and arguments: started, waited for, told what to write
 * where, and one that cannot be started.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t start(const char *const *argv, aloop_process_options *options,
                     aloop_process **process) {
    return aloop_await(aloop_create_subprocess_exec(argv, options), (void **)process);
}

/* Its output goes where ours goes. */
static int64_t run_and_wait(const char *const *argv) {
    aloop_process *process = NULL;
    int64_t rc = start(argv, NULL, &process);
    if (rc < 0) {
        printf("%s\n", aloop_error_message(aloop_last_error()));
        return rc;
    }
    rc = aloop_await(aloop_process_wait(process), NULL);
    if (rc >= 0) printf("%s: exit code %d\n", argv[0], (int)rc);
    aloop_unref(process);
    return rc;
}

/* Its output comes to us. */
static int64_t run_and_read(const char *const *argv) {
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *process = NULL;
    int64_t rc = start(argv, options, &process);
    aloop_unref(options);
    if (rc < 0) return rc;
    aloop_results *output = NULL;
    rc = aloop_await(aloop_process_communicate(process, NULL, 0), (void **)&output);
    if (rc >= 0) {
        printf("exit code %d, it says: %s", (int)rc,
               (const char *)aloop_bytes_data(aloop_results_value(output, 0)));
    }
    aloop_unref(output);
    aloop_unref(process);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    static const char *const ls[] = {"ls", "-d", "/", "/usr", NULL};
    static const char *const echo[] = {"echo", "Hello World", NULL};
    static const char *const unknown[] = {"no-such-program", NULL};
    int64_t rc = run_and_wait(ls);
    if (rc >= 0) rc = run_and_wait(echo);
    if (rc >= 0) rc = run_and_read(echo);
    if (rc >= 0) run_and_wait(unknown);
    return rc;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0); /* the children write there, too */
    return aloop_main(run, NULL);
}
