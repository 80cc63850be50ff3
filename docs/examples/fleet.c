/*
 * Runs a command for a list of hosts at once, at most a few at a time, each
 * under a timeout, and prints the results in the order of the list.
 *
 *     fleet [-n AT_ONCE] [-t SECONDS] [HOST... [-- COMMAND [ARGUMENT...]]]
 *
 * In the command's arguments {} stands for the host: fleet a b -- ssh {} uptime.
 * Without a command it plays: sh -c with different delays, some failing, one
 * hanging. Progress goes to standard error. Ctrl-C ends what still runs; what
 * came is printed all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HOSTS 256
#define MOST_ARGUMENTS 64

struct fleet {
    const char *const *command; /* with {} in it */
    int arguments;
    double timeout;
    aloop_semaphore *slots;
};

struct host {
    const char *name;
    const struct fleet *fleet;
    char *argv[MOST_ARGUMENTS + 1];
    aloop_bytes *output; /* NULL: it was never started */
    char outcome[200];
};

static const char *const play_hosts[] = {"web-1", "web-2",   "web-3", "db-1",
                                         "db-2",  "cache-1", NULL};
static const char *const play_command[] = {
    "sh", "-c",
    "case $1 in web-1) sleep 0.3;; web-3) echo disk full >&2; exit 3;;"
    " db-1) sleep 0.1; kill -9 $$;; db-2) echo waiting for a lock; sleep 60;; esac; echo $1 is up",
    "sh", "{}", NULL};

static void conclude(struct host *h, int64_t status, double timeout) {
    const size_t size = sizeof h->outcome;
    if (status == 0) {
        snprintf(h->outcome, size, "ok");
    } else if (status >= ALOOP_SIGNALED) {
        snprintf(h->outcome, size, "killed: %s", strsignal((int)status - ALOOP_SIGNALED));
    } else if (status > 0) {
        snprintf(h->outcome, size, "exit status %d", (int)status);
    } else if (status == ALOOP_ETIMEDOUT) {
        snprintf(h->outcome, size, "no answer within %g s", timeout);
    } else if (status == ALOOP_ECANCELED) {
        snprintf(h->outcome, size, "cancelled");
    } else {
        const aloop_error *error = aloop_last_error();
        snprintf(h->outcome, size, "%s",
                 error != NULL ? aloop_error_message(error) : aloop_strerror(status));
    }
}

/* Starts the command and waits for its end; what it leaves behind is killed. */
static int64_t visit(struct host *h) {
    const double timeout = h->fleet->timeout;
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdin(options, ALOOP_DEVNULL);
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process_options_set_stderr(options, ALOOP_STDOUT);
    aloop_process_options_set_process_group(options, 0);
    aloop_process *child = NULL;
    const char *const *argv = (const char *const *)h->argv;
    int64_t status = aloop_await(aloop_create_subprocess_exec(argv, options), (void **)&child);
    aloop_unref(options);
    if (status < 0) {
        conclude(h, status, timeout);
        return status;
    }
    aloop_results *output = NULL;
    aloop_future *end = aloop_process_communicate(child, NULL, 0);
    status = aloop_await(aloop_wait_for(end, timeout), (void **)&output);
    aloop_unref(output);
    conclude(h, status, timeout);
    if (status < 0) {
        aloop_process_signal_group(child, SIGKILL);
        aloop_await(aloop_process_wait(child), NULL);
    }
    h->output = aloop_process_output(child, 1); /* also what came before the end */
    aloop_unref(child);
    return status;
}

static int64_t run_host(void *arg, void **value) {
    (void)value;
    struct host *h = arg;
    int64_t status = aloop_await(aloop_semaphore_acquire(h->fleet->slots), NULL);
    if (status < 0) {
        conclude(h, status, 0);
        return status;
    }
    fprintf(stderr, "%s: started\n", h->name);
    status = visit(h);
    fprintf(stderr, "%s: %s\n", h->name, h->outcome);
    aloop_semaphore_release(h->fleet->slots);
    return status;
}

static void print_results(const struct host *hosts, int n) {
    for (int i = 0; i < n; i++) {
        const struct host *h = &hosts[i];
        printf("%s: %s\n", h->name, h->outcome);
        if (h->output == NULL) continue;
        const char *line = (const char *)aloop_bytes_data(h->output);
        size_t left = (size_t)aloop_bytes_size(h->output);
        while (left > 0) { /* anything may be in it, zeros too */
            const char *end = memchr(line, '\n', left);
            const size_t length = end != NULL ? (size_t)(end - line) : left;
            fputs("    ", stdout);
            fwrite(line, 1, length, stdout);
            putchar('\n');
            left -= length + (end != NULL);
            line += length + (end != NULL);
        }
    }
}

struct run {
    struct fleet fleet;
    struct host *hosts;
    int count;
    int at_once;
};

static int64_t run_all(void *arg, void **value) {
    (void)value;
    struct run *run = arg;
    int64_t status = aloop_semaphore_new(&run->fleet.slots, run->at_once);
    if (status < 0) return status;
    aloop_future *tasks[MOST_HOSTS];
    for (int i = 0; i < run->count; i++) {
        tasks[i] = aloop_create_task(run_host, &run->hosts[i]);
    }
    /* Cancelled by Ctrl-C, it cancels them all and waits for them. */
    status = aloop_await(aloop_gather(tasks, run->count, ALOOP_RETURN_EXCEPTIONS), NULL);
    aloop_unref(run->fleet.slots);
    return status < 0 ? status : 0;
}

/* A copy of text with name for each {} in it; NULL: out of memory. */
static char *with_name(const char *text, const char *name) {
    size_t size = strlen(text) + 1;
    for (const char *at = text; (at = strstr(at, "{}")) != NULL; at += 2) size += strlen(name);
    char *copy = malloc(size);
    if (copy == NULL) return NULL;
    char *to = copy;
    for (const char *at; (at = strstr(text, "{}")) != NULL; text = at + 2) {
        to += sprintf(to, "%.*s%s", (int)(at - text), text, name);
    }
    strcpy(to, text);
    return copy;
}

static bool fill_host(struct host *h, const char *name, const struct fleet *fleet) {
    h->name = name;
    h->fleet = fleet;
    for (int i = 0; i < fleet->arguments; i++) {
        h->argv[i] = with_name(fleet->command[i], name);
        if (h->argv[i] == NULL) return false;
    }
    snprintf(h->outcome, sizeof h->outcome, "not started");
    return true;
}

static void empty_host(struct host *h) {
    for (int i = 0; h->argv[i] != NULL; i++) free(h->argv[i]);
    aloop_bytes_unref(h->output);
}

static int usage(void) {
    fputs("usage: fleet [-n AT_ONCE] [-t SECONDS] [HOST... [-- COMMAND [ARGUMENT...]]]\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    static struct host hosts[MOST_HOSTS];
    struct run run = {.fleet = {play_command, 5, 1.0, NULL}, .hosts = hosts, .at_once = 4};
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-' && argv[i][1] != '-'; i += 2) {
        if (strcmp(argv[i], "-n") == 0) run.at_once = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "-t") == 0) run.fleet.timeout = atof(argv[i + 1]);
        else return usage();
    }
    const char *const *names = i < argc ? (const char *const *)argv + i : play_hosts;
    int count = 0;
    while (names[count] != NULL && strcmp(names[count], "--") != 0) count++;
    if (names[count] != NULL) {
        run.fleet.command = names + count + 1;
        run.fleet.arguments = argc - i - count - 1;
    }
    const bool fits = count > 0 && count <= MOST_HOSTS && run.fleet.arguments > 0 &&
                      run.fleet.arguments <= MOST_ARGUMENTS;
    if (!fits || run.at_once < 1 || !(run.fleet.timeout > 0)) return usage();
    run.count = count;
    int64_t status = 0;
    for (int k = 0; k < count; k++) {
        if (!fill_host(&hosts[k], names[k], &run.fleet)) status = ALOOP_ENOMEM;
    }
    if (status == 0) {
        status = aloop_run(run_all, &run, NULL);
        print_results(hosts, count);
    }
    for (int k = 0; k < count; k++) empty_host(&hosts[k]);
    if (status == -EINTR) return 130;
    if (status < 0) fprintf(stderr, "fleet: %s\n", aloop_strerror(status));
    return status < 0;
}
