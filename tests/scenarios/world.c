/*
 * world.c: what the tasks of a scenario share.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

struct world world;

void leave(const char *task, const char *format, ...) {
    if (world.ended) return;
    if (world.trace_count == 128) abort();
    char *to = world.trace[world.trace_count++];
    const double now = aloop_loop_time(aloop_get_running_loop());
    const int length = snprintf(to, LINE_SIZE, "%.1f %s ", now, task);
    va_list rest;
    va_start(rest, format);
    vsnprintf(to + length, LINE_SIZE - (size_t)length, format, rest);
    va_end(rest);
}

struct object *find_object(const char *name) {
    for (int i = 0; i < world.object_count; i++) {
        if (strcmp(world.objects[i].name, name) == 0) return &world.objects[i];
    }
    return NULL;
}

void *find(const char *name) {
    struct object *object = find_object(name);
    if (object == NULL) {
        fprintf(stderr, "%s: there is no %s\n", world.scenario->name, name);
        exit(2);
    }
    return object->it;
}

struct object *keep(const char *name, void *it) {
    struct object *object = find_object(name);
    if (object == NULL) {
        if (world.object_count == 48) abort();
        object = &world.objects[world.object_count++];
        memset(object, 0, sizeof *object);
        snprintf(object->name, sizeof object->name, "%s", name);
    } else {
        aloop_unref(object->it);
    }
    object->it = it;
    return object;
}

aloop_task *task_named(const char *name) {
    char key[24];
    snprintf(key, sizeof key, "task %s", name);
    struct object *object = find_object(key);
    for (int i = 0; object == NULL && i < world.scenario->program_count; i++) {
        const struct program *program = &world.scenario->programs[i];
        if (strcmp(program->name, name) != 0) continue;
        object = keep(key, aloop_create_task(run_program, (void *)program));
    }
    if (object == NULL) {
        fprintf(stderr, "%s: there is no task %s\n", world.scenario->name, name);
        exit(2);
    }
    return aloop_ref(object->it);
}

void show_error(char *text, size_t size, int64_t status, aloop_error *error) {
    if (status == ALOOP_EGROUP && error != NULL) {
        size_t length = (size_t)snprintf(text, size, "ALOOP_EGROUP [");
        for (int64_t i = 0; i < aloop_error_child_count(error) && length < size; i++) {
            aloop_error *child = aloop_error_child(error, i);
            if (i > 0) length += (size_t)snprintf(text + length, size - length, ", ");
            show_error(text + length, size - length, aloop_error_code(child), child);
            length += strlen(text + length);
        }
        if (length < size) snprintf(text + length, size - length, "]");
    } else if (status <= ALOOP_EUSER) {
        snprintf(text, size, "error %d (%s)", (int)(ALOOP_EUSER - status),
                 error != NULL ? aloop_error_message(error) : "?");
    } else {
        snprintf(text, size, "%s", aloop_errname(status));
    }
}

void forget_world(void) {
    for (int i = 0; i < world.object_count; i++) aloop_unref(world.objects[i].it);
    memset(&world, 0, sizeof world);
}
