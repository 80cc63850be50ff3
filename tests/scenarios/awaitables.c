/*
 * awaitables.c: the instructions that are one awaitable each, and how outcomes
 * are written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

static int64_t answer(void *number, void **value) {
    (void)value;
    return (int64_t)(intptr_t)number;
}

struct failure {
    int64_t code;
    char text[LINE_SIZE];
};

static int64_t fail(void *data, void **value) {
    (void)value;
    const struct failure *failure = data;
    return aloop_raise(failure->code, "%s", failure->text);
}

/* Words from `first` on, as they were. */
static void join(char *text, size_t size, int count, char **words, int first) {
    text[0] = '\0';
    for (int i = first; i < count; i++) {
        snprintf(text + strlen(text), size - strlen(text), i > first ? " %s" : "%s", words[i]);
    }
}

static int named_tasks(int count, char **words, int first, aloop_future **tasks) {
    for (int i = first; i < count; i++) tasks[i - first] = task_named(words[i]);
    return count - first;
}

static aloop_future *several(int count, char **words, enum shown *shown) {
    aloop_future *tasks[MOST_WORDS];
    if (strcmp(words[0], "wait_tasks") == 0) {
        const int n = named_tasks(count, words, 3, tasks);
        const int32_t when = strcmp(words[1], "all") == 0     ? ALOOP_ALL_COMPLETED
                             : strcmp(words[1], "first") == 0 ? ALOOP_FIRST_COMPLETED
                                                              : ALOOP_FIRST_EXCEPTION;
        *shown = AS_DONE_PENDING;
        return aloop_wait(tasks, n, atof(words[2]), when);
    }
    const bool all = strcmp(words[0], "gather_all") == 0;
    if (!all && strcmp(words[0], "gather") != 0) return NULL;
    const int n = named_tasks(count, words, 1, tasks);
    *shown = AS_LIST;
    return aloop_gather(tasks, n, all ? ALOOP_RETURN_EXCEPTIONS : 0);
}

static aloop_future *in_thread(int count, char **words) {
    if (strcmp(words[0], "thread") == 0) {
        return aloop_to_thread(answer, (void *)(intptr_t)atoi(words[1]), NULL);
    }
    if (strcmp(words[0], "thread_error") != 0) return NULL;
    struct failure *failure = malloc(sizeof *failure);
    failure->code = ALOOP_EUSER - atoi(words[1]);
    join(failure->text, sizeof failure->text, count, words, 2);
    return aloop_to_thread(fail, failure, free);
}

static aloop_future *around(int count, char **words, enum shown *shown) {
    if (strcmp(words[0], "wait_for") == 0) {
        return aloop_wait_for(begin(count - 2, words + 2, shown), atof(words[1]));
    }
    if (strcmp(words[0], "shield") == 0) return aloop_shield(begin(count - 1, words + 1, shown));
    if (strcmp(words[0], "sleep") == 0) return aloop_sleep(atof(words[1]));
    if (strcmp(words[0], "await") == 0) return task_named(words[1]);
    if (strcmp(words[0], "future") == 0) return aloop_ref(find(words[1]));
    return NULL;
}

static aloop_future *of_sync(char **words) {
    if (strcmp(words[0], "acquire") == 0) {
        const struct object *object = find_object(words[1]);
        if (object->semaphore) return aloop_semaphore_acquire(object->it);
        if (object->condition) return aloop_condition_acquire(object->it);
        return aloop_lock_acquire(object->it);
    }
    if (strcmp(words[0], "wait") == 0) {
        const struct object *object = find_object(words[1]);
        if (object->condition) return aloop_condition_wait(object->it);
        return aloop_event_wait(object->it);
    }
    if (strcmp(words[0], "arrive") == 0) return aloop_barrier_wait(find(words[1]));
    if (strcmp(words[0], "abort") == 0) return aloop_barrier_abort(find(words[1]));
    if (strcmp(words[0], "reset") == 0) return aloop_barrier_reset(find(words[1]));
    if (strcmp(words[0], "acquire_read") == 0) return aloop_rwlock_acquire_read(find(words[1]));
    if (strcmp(words[0], "acquire_write") == 0) return aloop_rwlock_acquire_write(find(words[1]));
    return NULL;
}

static aloop_future *of_queue(int count, char **words, enum shown *shown) {
    void *const number = (void *)(intptr_t)(count > 2 ? atoi(words[2]) : 0);
    if (strcmp(words[0], "put") == 0) return aloop_queue_put(find(words[1]), number);
    if (strcmp(words[0], "join") == 0) return aloop_queue_join(find(words[1]));
    char end[24];
    if (strcmp(words[0], "send") == 0) {
        snprintf(end, sizeof end, "%s send", words[1]);
        return aloop_sender_send(find(end), number);
    }
    *shown = AS_ITEM;
    if (strcmp(words[0], "get") == 0) return aloop_queue_get(find(words[1]));
    if (strcmp(words[0], "receive") == 0) return aloop_receiver_receive(find(words[1]));
    return NULL;
}

static aloop_future *of_stream(char **words, enum shown *shown) {
    *shown = AS_STATUS;
    if (strcmp(words[0], "drain") == 0) return aloop_stream_drain(find(words[1]));
    if (strcmp(words[0], "wait_closed") == 0) return aloop_stream_wait_closed(find(words[1]));
    *shown = AS_BYTES;
    if (strcmp(words[0], "readline") == 0) return aloop_stream_readline(find(words[1]));
    if (strcmp(words[0], "read_all") == 0) return aloop_stream_read(find(words[1]), -1);
    if (strcmp(words[0], "readexactly") == 0) {
        return aloop_stream_readexactly(find(words[1]), atoi(words[2]));
    }
    return NULL;
}

aloop_future *begin(int count, char **words, enum shown *shown) {
    *shown = AS_STATUS;
    aloop_future *future = around(count, words, shown);
    if (future == NULL) future = several(count, words, shown);
    if (future == NULL) future = in_thread(count, words);
    if (future == NULL) future = of_sync(words);
    if (future == NULL) future = of_queue(count, words, shown);
    if (future == NULL) future = of_stream(words, shown);
    return future;
}

/* Outcomes ------------------------------------------------------------------------------- */

static void show_list(char *text, aloop_results *results) {
    size_t length = (size_t)snprintf(text, LINE_SIZE, "[");
    for (int64_t i = 0; i < aloop_results_count(results); i++) {
        const int64_t status = aloop_results_status(results, i);
        if (i > 0) length += (size_t)snprintf(text + length, LINE_SIZE - length, ", ");
        if (status >= 0) {
            snprintf(text + length, LINE_SIZE - length, "%lld", (long long)status);
        } else {
            show_error(text + length, LINE_SIZE - length, status, aloop_results_error(results, i));
        }
        length += strlen(text + length);
    }
    snprintf(text + length, LINE_SIZE - length, "]");
}

static void show_names(char *text, aloop_results *futures) {
    for (int64_t i = 0; i < aloop_results_count(futures); i++) {
        for (int j = 0; j < world.object_count; j++) {
            if (world.objects[j].it != aloop_results_future(futures, i)) continue;
            snprintf(text + strlen(text), LINE_SIZE - strlen(text), " %s",
                     world.objects[j].name + strlen("task "));
        }
    }
}

void show(struct run *run, int64_t status, void *value, enum shown shown) {
    char *text = run->text;
    if (status < 0) {
        show_error(text, LINE_SIZE, status, run->error);
    } else if (shown == AS_ITEM) {
        snprintf(text, LINE_SIZE, "%d", (int)(intptr_t)value);
    } else if (shown == AS_BYTES) {
        const char *data = (const char *)aloop_bytes_data(value);
        snprintf(text, LINE_SIZE, "\"%.*s\"", (int)strcspn(data, "\n"), data);
        aloop_bytes_unref(value);
    } else if (shown == AS_LIST) {
        show_list(text, value);
        aloop_results_unref(value);
    } else if (shown == AS_DONE_PENDING) {
        snprintf(text, LINE_SIZE, "done");
        show_names(text, aloop_wait_result_done(value));
        snprintf(text + strlen(text), LINE_SIZE - strlen(text), " pending");
        show_names(text, aloop_wait_result_pending(value));
        aloop_unref(value);
    } else {
        snprintf(text, LINE_SIZE, "%lld", (long long)status);
    }
}
