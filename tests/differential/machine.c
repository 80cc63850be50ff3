/*
 * machine.c: runs one program in its phases, and writes the trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#define KILL_PHASES 2 /* so often is an idle program cancelled that has not ended */
#define STACK_SIZE (256 * 1024)

aloop_contextvar *contextvars[LIMIT];

void *get(struct machine *m, size_t size) { return arena_get(&m->program->arena, size); }

void *keep(struct machine *m, void *object) {
    if (object == NULL) return NULL;
    if (m->kept_count == m->kept_room) {
        m->kept_room = m->kept_room * 2 + 64;
        m->kept = realloc(m->kept, m->kept_room * sizeof *m->kept);
        if (m->kept == NULL) abort();
    }
    return m->kept[m->kept_count++] = object;
}

double seconds(int64_t ticks) { return ticks == NO_TIME ? INFINITY : (double)ticks / TICKS; }

int64_t to_ticks(double time) { return (int64_t)(time * TICKS); }

static void say_in(struct machine *m, const char *who, int line, const char *format,
                   va_list arguments) {
    if (m->closed) return;
    const int64_t iteration = m->idle ? 0 : aloop_loop_iteration(m->loop) - m->base;
    fprintf(m->trace, "%lld %lld %s %d ", (long long)iteration,
            (long long)to_ticks(aloop_loop_time(m->loop)), who, line);
    vfprintf(m->trace, format, arguments);
    fputc('\n', m->trace);
}

void say(struct machine *m, const char *who, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say_in(m, who, line, format, arguments);
    va_end(arguments);
}

void say_of(struct activation *a, int line, const char *format, ...) {
    va_list arguments;
    char who[16];
    snprintf(who, sizeof who, "c%d", a->number);
    va_start(arguments, format);
    say_in(a->machine, who, line, format, arguments);
    va_end(arguments);
}

struct activation *new_activation(struct machine *m, int64_t body) {
    struct activation *a = &m->activation[m->activation_count];
    *a = (struct activation){m, m->program->bodies[body], NULL, m->activation_count,
                             m->program->bodies[body]->line};
    m->activation_count++;
    return a;
}

static bool is_written(const struct machine *m, const struct read *read) {
    const int n = read->number;
    switch (read->space) {
    case SPACE_SLOT: return m->slot[n] != NULL;
    case SPACE_TASK: return m->slot[n] != NULL && aloop_task_state(m->slot[n]) >= 0;
    case SPACE_HANDLE: return m->handle[n] != 0;
    case SPACE_TIMEOUT: return m->timeout[n] != NULL;
    case SPACE_GROUP: return m->group[n] != NULL;
    case SPACE_CTX: return m->ctx[n] != NULL;
    case SPACE_TOKEN: return m->token[n] != NULL;
    default: return true;
    }
}

bool runnable(struct machine *m, const struct node *node) {
    if (m->activation_count + node->bodies > MAX_ACTIVATIONS) return false;
    for (int i = 0; i < node->read_count; i++) {
        if (!is_written(m, &node->read[i])) return false;
    }
    return true;
}

int64_t run_sync(struct machine *m, const char *who, struct node *node, struct outcome *out) {
    const char *value = NULL;
    aloop_error *error = NULL;
    if (!runnable(m, node)) {
        say(m, who, node->line, "skip");
        return 0;
    }
    const int64_t status = operate(m, node, &value, &error);
    if (status < 0) {
        say(m, who, node->line, "! %s", error_text(m, status, error));
        return failure(out, status, error);
    }
    say(m, who, node->line, value != NULL ? "= %s" : "=", value);
    return 0;
}

static int64_t run_function(struct callback *callback, const char *with) {
    struct machine *m = callback->machine;
    struct outcome out = {0, NULL, NULL};
    char who[16];
    snprintf(who, sizeof who, "k%lld", (long long)callback->func->arg[0]);
    say(m, who, callback->func->line, "run %s %d %d", with,
        (int)(intptr_t)aloop_contextvar_get(contextvars[0]),
        (int)(intptr_t)aloop_contextvar_get(contextvars[1]));
    for (struct node *node = callback->func->block; node != NULL; node = node->next) {
        if (run_sync(m, who, node, &out) < 0) return raise_outcome(m, &out);
    }
    return 0;
}

int64_t run_callback(void *data) { return run_function(data, "-"); }

int64_t run_done_callback(aloop_future *future, void *data) {
    struct callback *callback = data;
    return run_function(callback, outcome_text(callback->machine, future));
}

/* The loop's exception handler. What depends on when memory is freed is not traced. */
static void on_exception(aloop_loop *loop, aloop_exception_context *context, void *data) {
    struct machine *m = data;
    const char *message = aloop_exception_context_message(context), *kind;
    const int64_t code = aloop_exception_context_code(context);
    (void)loop;
    if (strncmp(message, "Exception in callback", 21) == 0) {
        kind = "callback";
    } else if (strstr(message, "exception in shielded future") != NULL) {
        kind = "shield";
    } else if (strstr(message, "has errored out but its parent") != NULL) {
        kind = "group";
    } else {
        return;
    }
    say(m, "-", 0, "report %s %s", kind,
        code == ALOOP_EGROUP ? bare_error_text(code) : error_text(m, code, NULL));
}

/* Ends a phase: writes what is unfinished; whether there is any. */
static bool write_idle(struct machine *m, int phase) {
    const char *left = "";
    m->idle = true;
    for (int i = 0; i < m->activation_count; i++) {
        const struct activation *a = &m->activation[i];
        if (a->task != NULL) left = text(m, "%s c%d@%d", left, a->number, a->line);
    }
    aloop_results *tasks = keep(m, aloop_all_tasks(m->loop));
    say(m, "-", 0, "idle %d tasks %lld%s", phase, (long long)aloop_results_count(tasks), left);
    return *left != '\0';
}

/* Cancels every task that runs an unfinished activation, each once. */
static void kill_all(struct machine *m) {
    aloop_task *task[MAX_ACTIVATIONS];
    int count = 0, victim[MAX_ACTIVATIONS];
    for (int i = 0; i < m->activation_count; i++) {
        int known = 0;
        while (known < count && task[known] != m->activation[i].task) known++;
        if (m->activation[i].task == NULL || known < count) continue;
        task[count] = m->activation[i].task;
        victim[count++] = i;
    }
    for (int i = 0; i < count; i++) {
        const int accepted = (int)aloop_task_cancel(task[i], "kill");
        say(m, "-", 0, "kill c%d = %d", victim[i], accepted);
    }
}

static void run_phase(struct machine *m) {
    m->base = aloop_loop_iteration(m->loop);
    m->idle = false;
    while (aloop_loop_backend_timeout(m->loop) >= 0) aloop_loop_run_once(m->loop, -1);
}

static void open_loop(struct machine *m) {
    aloop_loop_options *options = keep(m, aloop_loop_options_new());
    aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL);
    aloop_loop_options_set_stack_size(options, STACK_SIZE);
    if (aloop_loop_new(&m->loop, options) < 0) abort();
    aloop_loop_set_exception_handler(m->loop, on_exception, m, NULL);
}

static void close_machine(struct machine *m) {
    m->closed = true;
    aloop_loop_close(m->loop);
    while (m->kept_count > 0) aloop_unref(m->kept[--m->kept_count]);
    aloop_loop_unref(m->loop);
    free(m->kept);
    free(m->shaped);
}

void run_machine(struct program *program, FILE *trace) {
    struct machine *m = calloc(1, sizeof *m);
    bool left = true;
    if (m == NULL) abort();
    m->program = program;
    m->trace = trace;
    fprintf(trace, "program %ld\n", program->number);
    open_loop(m);
    for (int i = 0; i < LIMIT; i++) m->callback[i] = (struct callback){m, program->funcs[i]};
    for (struct node *node = program->declarations; node != NULL; node = node->next) {
        declare(m, node);
    }
    keep(m, aloop_loop_create_task(m->loop, body_task, new_activation(m, 0)));
    for (int phase = 0; phase <= KILL_PHASES && left; phase++) {
        run_phase(m);
        left = write_idle(m, phase);
        if (left && phase < KILL_PHASES) kill_all(m);
    }
    close_machine(m);
    fprintf(trace, "verdict %s\n", left ? "stuck" : "end");
    free(m);
}
