/*
 * interpreter.c: the differential language under libasyncloop.
 *
 *     interpreter PROGRAMS TRACES
 *
 * See LANGUAGE.md for the language. The rest stands in program.c (the parser),
 * machine.c (a running program), blocks.c and operations.c (instructions),
 * awaitables.c (expressions) and values.c (how things look in a trace).
 *
 * SPDX-License-Identifier: MIT
 */
#include "machine.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: interpreter PROGRAMS TRACES\n", stderr);
        return 2;
    }
    FILE *programs = fopen(argv[1], "r"), *traces = fopen(argv[2], "w");
    if (programs == NULL || traces == NULL) {
        perror("interpreter");
        return 2;
    }
    for (int i = 0; i < LIMIT; i++) contextvars[i] = aloop_contextvar_new("v", NULL);
    for (struct program *p = read_program(programs); p != NULL; p = read_program(programs)) {
        run_machine(p, traces);
        fflush(traces);
        free_program(p);
    }
    for (int i = 0; i < LIMIT; i++) aloop_unref(contextvars[i]);
    fclose(programs);
    return fclose(traces) == 0 ? 0 : 2;
}
