/*
 * actions.c: the instructions that are done at once, and those that take more
 * than one await.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define IS(text) (strcmp(words[0], text) == 0)
#define FAILED INT64_MIN /* not an instruction of this kind */

static void join(char *text, size_t size, int count, char **words, int first) {
    text[0] = '\0';
    for (int i = first; i < count; i++) {
        snprintf(text + strlen(text), size - strlen(text), i > first ? " %s" : "%s", words[i]);
    }
}

static int64_t code_named(const char *name) {
    for (int64_t code = 0; code > -10200; code--) {
        if (strcmp(aloop_errname(code), name) == 0) return code;
    }
    fprintf(stderr, "no code is named %s\n", name);
    exit(2);
}

static int64_t raise_error(struct run *run, int64_t code, const char *message) {
    aloop_error_unref(run->error);
    run->error = aloop_error_new(code, message, NULL);
    return code;
}

static int64_t on_time(void *text) {
    leave("timer", "%s", (char *)text);
    return 0;
}

static int64_t of_tasks(struct run *run, int count, char **words) {
    char text[LINE_SIZE];
    join(text, sizeof text, count, words, IS("log") ? 1 : 2);
    if (IS("log")) {
        leave(run->program->name, "log %s", text);
        return 0;
    }
    if (IS("spawn")) {
        aloop_unref(task_named(words[1]));
        return 0;
    }
    if (IS("start")) {
        char key[24];
        for (int i = 0; i < world.scenario->program_count; i++) {
            const struct program *program = &world.scenario->programs[i];
            if (strcmp(program->name, words[1]) != 0) continue;
            snprintf(key, sizeof key, "task %s", words[1]);
            keep(key, aloop_task_group_create_task(run->group, run_program, (void *)program));
        }
        return 0;
    }
    if (IS("cancel")) {
        aloop_task *task = task_named(words[1]);
        const int64_t answer = aloop_task_cancel(task, NULL);
        aloop_unref(task);
        return answer;
    }
    if (IS("raise")) return raise_error(run, ALOOP_EUSER - atoi(words[1]), text);
    if (IS("raise_code")) return raise_error(run, code_named(words[1]), NULL);
    if (IS("return")) {
        run->returned = true;
        run->result = atoi(words[1]);
        return 0;
    }
    if (IS("later")) {
        aloop_loop *loop = aloop_get_running_loop();
        char *copy = malloc(LINE_SIZE);
        strcpy(copy, text);
        return aloop_loop_call_later(loop, atof(words[1]), on_time, copy, free) < 0 ? -1 : 0;
    }
    return FAILED;
}

static int64_t of_futures(int count, char **words) {
    if (IS("new_future")) {
        keep(words[1], aloop_loop_create_future(aloop_get_running_loop()));
        return 0;
    }
    if (IS("set_result")) {
        return aloop_future_set_result(find(words[1]), atoi(words[2]), NULL, NULL);
    }
    if (IS("cancel_future")) return aloop_future_cancel(find(words[1]), NULL);
    if (!IS("set_error")) return FAILED;
    char text[LINE_SIZE];
    join(text, sizeof text, count, words, 3);
    aloop_error *error = aloop_error_new(ALOOP_EUSER - atoi(words[2]), text, NULL);
    const int64_t status = aloop_future_set_error(find(words[1]), error);
    aloop_error_unref(error);
    return status;
}

static int64_t by_number(const void *a, const void *b, void *data) {
    (void)data;
    return (int64_t)((intptr_t)a - (intptr_t)b);
}

static int64_t new_queue(char **words) {
    aloop_queue_options *options = aloop_queue_options_new();
    aloop_queue_options_set_maxsize(options, atoi(words[3]));
    if (strcmp(words[2], "lifo") == 0) {
        aloop_queue_options_set_kind(options, ALOOP_QUEUE_LIFO);
    } else if (strcmp(words[2], "priority") == 0) {
        aloop_queue_options_set_kind(options, ALOOP_QUEUE_PRIORITY);
        aloop_queue_options_set_compare(options, by_number, NULL, NULL);
    }
    aloop_queue *queue = NULL;
    const int64_t status = aloop_queue_new(&queue, options);
    aloop_unref(options);
    keep(words[1], queue);
    return status;
}

static int64_t of_queues(struct run *run, char **words, int count) {
    void *const number = (void *)(intptr_t)(count > 2 ? atoi(words[2]) : 0);
    char end[24];
    void *item = NULL;
    int64_t status = FAILED;
    if (IS("queue")) return new_queue(words);
    if (IS("put_nowait")) return aloop_queue_put_nowait(find(words[1]), number);
    if (IS("task_done")) return aloop_queue_task_done(find(words[1]));
    if (IS("qsize")) return aloop_queue_qsize(find(words[1]));
    if (IS("shutdown")) return aloop_queue_shutdown(find(words[1]), 0);
    if (IS("shutdown_now")) return aloop_queue_shutdown(find(words[1]), 1);
    snprintf(end, sizeof end, "%s send", words[1]);
    if (IS("channel")) {
        aloop_sender *sender = NULL;
        aloop_receiver *receiver = NULL;
        status = aloop_channel_new(&sender, &receiver, atoi(words[2]), NULL);
        keep(end, sender);
        keep(words[1], receiver);
        return status;
    }
    if (IS("close_sender")) return aloop_sender_close(find(end));
    if (IS("close_receiver")) return aloop_receiver_close(find(words[1]));
    if (IS("try_send")) return aloop_sender_try_send(find(end), number);
    if (IS("get_nowait")) status = aloop_queue_get_nowait(find(words[1]), &item);
    if (IS("try_receive")) status = aloop_receiver_try_receive(find(words[1]), &item);
    if (status < 0) return status;
    run->result = (intptr_t)item;
    return run->result;
}

static int64_t new_sync(char **words) {
    void *it = NULL;
    const int64_t n = words[2] != NULL ? atoi(words[2]) : 0;
    int64_t status = FAILED;
    bool semaphore = false, condition = false;
    if (IS("lock")) status = aloop_lock_new((aloop_lock **)&it);
    if (IS("rwlock")) status = aloop_rwlock_new((aloop_rwlock **)&it);
    if (IS("event")) status = aloop_event_new((aloop_event **)&it);
    if (IS("barrier")) status = aloop_barrier_new((aloop_barrier **)&it, n);
    if (IS("condition")) {
        condition = true;
        status = aloop_condition_new((aloop_condition **)&it, NULL);
    } else if (IS("semaphore")) {
        semaphore = true;
        status = aloop_semaphore_new((aloop_semaphore **)&it, n);
    } else if (IS("bounded")) {
        semaphore = true;
        status = aloop_bounded_semaphore_new((aloop_semaphore **)&it, n);
    }
    if (status != 0) return status;
    struct object *object = keep(words[1], it);
    object->semaphore = semaphore;
    object->condition = condition;
    return 0;
}

static int64_t of_sync(char **words) {
    const struct object *object = words[1] != NULL ? find_object(words[1]) : NULL;
    if (object == NULL) return FAILED;
    if (IS("release")) {
        if (object->semaphore) return aloop_semaphore_release(object->it);
        if (object->condition) return aloop_condition_release(object->it);
        return aloop_lock_release(object->it);
    }
    if (IS("locked")) {
        if (object->semaphore) return aloop_semaphore_locked(object->it);
        if (object->condition) return aloop_condition_locked(object->it);
        return aloop_lock_locked(object->it);
    }
    if (IS("release_read")) return aloop_rwlock_release_read(object->it);
    if (IS("release_write")) return aloop_rwlock_release_write(object->it);
    if (IS("set")) return aloop_event_set(object->it);
    if (IS("clear")) return aloop_event_clear(object->it);
    if (IS("is_set")) return aloop_event_is_set(object->it);
    int64_t status = FAILED;
    if (IS("notify")) status = aloop_condition_notify(object->it, atoi(words[2]));
    if (IS("notify_all")) status = aloop_condition_notify_all(object->it);
    return status > 0 ? 0 : status;
}

static int64_t of_streams(int count, char **words) {
    if (IS("write")) {
        char text[LINE_SIZE];
        join(text, sizeof text, count, words, 2);
        strcat(text, "\n");
        const int64_t waiting = aloop_stream_write(find(words[1]), text, strlen(text));
        return waiting > 0 ? 0 : waiting;
    }
    if (IS("write_eof")) return aloop_stream_write_eof(find(words[1]));
    if (IS("close")) return aloop_stream_close(find(words[1]));
    if (IS("close_server")) return aloop_server_close(find(words[1]));
    return FAILED;
}

bool at_once(struct run *run, int count, char **words, int64_t *status) {
    *status = of_tasks(run, count, words);
    if (*status == FAILED) *status = of_futures(count, words);
    if (*status == FAILED) *status = new_sync(words);
    if (*status == FAILED) *status = of_sync(words);
    if (*status == FAILED) *status = of_streams(count, words);
    if (*status == FAILED && words[1] != NULL) *status = of_queues(run, words, count);
    return *status != FAILED;
}

/* More than one await ---------------------------------------------------------------------- */

static int64_t echo(aloop_stream *stream, void *data) {
    (void)data;
    for (;;) {
        aloop_bytes *line = NULL;
        const int64_t length = aloop_await(aloop_stream_readline(stream), (void **)&line);
        if (length <= 0) {
            if (length == 0) aloop_bytes_unref(line);
            return length;
        }
        aloop_stream_write(stream, aloop_bytes_data(line), (size_t)length);
        aloop_bytes_unref(line);
    }
}

static int64_t child(struct run *run, int count, char **words, bool output) {
    char command[LINE_SIZE];
    join(command, sizeof command, count, words, 1);
    aloop_process_options *options = aloop_process_options_new();
    if (output) aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *process = NULL;
    aloop_results *outputs = NULL;
    int64_t status = aloop_await(aloop_create_subprocess_shell(command, options),
                                 (void **)&process);
    aloop_unref(options);
    if (status >= 0 && output) {
        status = aloop_await(aloop_process_communicate(process, NULL, 0), (void **)&outputs);
        if (status >= 0) show(run, status, aloop_results_take(outputs, 0), AS_BYTES);
        aloop_results_unref(outputs);
    } else if (status >= 0) {
        status = aloop_await(aloop_process_wait(process), NULL);
        if (status >= 0) show(run, status, NULL, AS_STATUS);
    }
    aloop_unref(process);
    return status;
}

static int64_t as_completed(struct run *run, int count, char **words) {
    aloop_future *tasks[MOST_WORDS] = {NULL};
    for (int i = 1; i < count; i++) tasks[i - 1] = task_named(words[i]);
    aloop_completions *all = NULL;
    int64_t status = aloop_as_completed(&all, tasks, count - 1, -1);
    char text[LINE_SIZE] = "[";
    for (int i = 1; i < count && status >= 0; i++) {
        const int64_t one = aloop_await(aloop_as_completed_next_result(all), NULL);
        const size_t length = strlen(text);
        char *to = text + length + snprintf(text + length, LINE_SIZE - length, i > 1 ? ", " : "");
        if (one < 0) {
            show_error(to, 40, one, aloop_last_error());
        } else {
            snprintf(to, 40, "%d", (int)one);
        }
    }
    aloop_unref(all);
    snprintf(run->text, LINE_SIZE, "%s]", text);
    return status;
}

bool in_several_steps(struct run *run, int count, char **words, int64_t *status) {
    void *it = NULL;
    if (IS("run") || IS("output")) {
        *status = child(run, count, words, IS("output"));
    } else if (IS("as_completed")) {
        *status = as_completed(run, count, words);
    } else if (IS("server") || IS("connect")) {
        if (IS("server")) {
            *status = aloop_await(aloop_start_server(echo, NULL, "127.0.0.1", 0, NULL), &it);
            if (*status >= 0) {
                char port[32];
                snprintf(port, sizeof port, "%s port", words[1]);
                keep(port, NULL)->port = (int32_t)aloop_server_port(it, 0);
            }
        } else {
            char port[32];
            snprintf(port, sizeof port, "%s port", words[2]);
            *status = aloop_await(
                aloop_open_connection("127.0.0.1", find_object(port)->port, NULL), &it);
        }
        if (*status >= 0) {
            keep(words[1], it);
            show(run, 0, NULL, AS_STATUS);
        }
    } else {
        return false;
    }
    return true;
}
