/*
 * introspect.h: what a program is doing: who waits for whom, every task of a
 * loop, counters. asyncio's graph module, and what a debugger wants to ask.
 *
 * All functions: on the loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_INTROSPECT_H
#define ASYNCLOOP_INTROSPECT_H

#include <asyncloop/base.h>
#include <asyncloop/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Call graphs --------------------------------------------------------------------------
 *
 * A graph is a future, the stack of its coroutine if it is a task, and the
 * graphs of the tasks that await it: directly, inside an operation, or through
 * gather, shield, wait, as_completed or a task group. asyncio.FutureCallGraph. */

typedef struct aloop_call_graph aloop_call_graph;

#define ALOOP_NO_LIMIT 0x7fffffffffffffffLL

/* A picture of this moment: of future (borrowed), or with NULL of the running
 * task. limit: how many frames of each stack; N > 0: the innermost N, N < 0: the
 * outermost, 0: none. A reference (aloop_unref) that holds the futures in it;
 * NULL outside a task without a future, for a wrong thread, or out of memory. */
ALOOP_API aloop_call_graph *aloop_capture_call_graph(aloop_future *future, int64_t limit);
/* Borrowed. */
ALOOP_API aloop_future *aloop_call_graph_future(const aloop_call_graph *graph);
/* Code addresses, innermost first. A step task has one: its step function. */
ALOOP_API int64_t aloop_call_graph_frame_count(const aloop_call_graph *graph);
ALOOP_API void *aloop_call_graph_frame(const aloop_call_graph *graph, int64_t index);
/* Borrowed; NULL out of range. Chains end after 64 tasks. A task's stack and those who
 * await it are given once: where it comes again it has neither ("see above"). */
ALOOP_API int64_t aloop_call_graph_awaited_by_count(const aloop_call_graph *graph);
ALOOP_API aloop_call_graph *aloop_call_graph_awaited_by(const aloop_call_graph *graph,
                                                        int64_t index);

/* The same as text, in asyncio's form:
 *     * Task(name='reader', id=0x7f01)
 *       + Call stack:
 *       |   in fetch() at 0x55d1
 *       + Awaited by:
 *         * Task(name='Task-1', id=0x7f02)
 * format returns the length, and copies it, cut to size with a NUL (buffer may be
 * NULL); print writes it to a descriptor. ALOOP_ENOTASK where capture gives
 * NULL for want of a task, ALOOP_ENOMEM, ALOOP_EINVAL, -errno. */
ALOOP_API int64_t aloop_format_call_graph(aloop_future *future, int64_t limit, char *buffer,
                                          size_t size);
ALOOP_API int64_t aloop_print_call_graph(aloop_future *future, int64_t limit, int32_t fd);

/* Loops ----------------------------------------------------------------------------------- */

/* Writes the loop's counters and every unfinished task (its state, what it
 * waits for, who awaits it, its stack; in debug mode where it was created) to a
 * descriptor. How many tasks. */
ALOOP_API int64_t aloop_loop_dump(aloop_loop *loop, int32_t fd);

#define ALOOP_METRIC_ITERATIONS 0     /* of the loop */
#define ALOOP_METRIC_CALLBACKS 1      /* callbacks and task steps that ran */
#define ALOOP_METRIC_POLLS 2          /* how often I/O was asked for */
#define ALOOP_METRIC_SLEPT 3          /* ns that the loop waited, idle */
#define ALOOP_METRIC_SLOW_CALLBACKS 4 /* reported as slow, in debug mode */
#define ALOOP_METRIC_READY 5          /* now in the ready queue; counts them */
#define ALOOP_METRIC_TIMERS 6         /* now armed */
#define ALOOP_METRIC_TASKS 7          /* now unfinished; counts them */
#define ALOOP_METRIC_OBJECTS 8        /* futures, tasks, streams, ... that exist */
#define ALOOP_METRIC_BUSY 9           /* ns that the loop ran and was not idle */
/* One counter of the loop; ALOOP_EINVAL for an unknown one. */
ALOOP_API int64_t aloop_loop_metrics(aloop_loop *loop, int32_t which);
/* Its name, static; NULL for an unknown one. */
ALOOP_API const char *aloop_loop_metrics_name(int32_t which);

/* Tracing ----------------------------------------------------------------------------------
 *
 * A hook is told of each thing that the loop does, on the loop's thread and its own
 * stack. It must not run, close or block the loop. Without a hook nothing is paid.
 *
 * The environment's ASYNCLOOP_TRACE=file.json has every loop of the process write the
 * same as a timeline that Perfetto (ui.perfetto.dev) and chrome://tracing open. "%p" in
 * the name is the number of the process: for programs that start others of their kind. */

#define ALOOP_TRACE_BEGIN 1        /* a callback or a step of a task begins */
#define ALOOP_TRACE_END 2          /* and ends; with its duration */
#define ALOOP_TRACE_SLEPT 3        /* the loop was idle; with its duration */
#define ALOOP_TRACE_TASK_CREATED 4 /* told at the end of the callback that did it */
#define ALOOP_TRACE_TASK_DONE 5    /* the same */

typedef struct aloop_trace_event aloop_trace_event;
typedef void (*aloop_trace_fn)(aloop_loop *loop, const aloop_trace_event *event, void *data);

/* NULL: no hook any more. ALOOP_ENOMEM and the usual codes. */
ALOOP_API int64_t aloop_loop_set_trace_hook(aloop_loop *loop, aloop_trace_fn fn, void *data,
                                            aloop_free_fn free_fn);
/* An event is valid during the call. Time and duration in ns of CLOCK_MONOTONIC. */
ALOOP_API int32_t aloop_trace_event_kind(const aloop_trace_event *event);
ALOOP_API int64_t aloop_trace_event_time(const aloop_trace_event *event);
ALOOP_API int64_t aloop_trace_event_duration(const aloop_trace_event *event);
/* Borrowed; NULL for a callback. */
ALOOP_API aloop_task *aloop_trace_event_task(const aloop_trace_event *event);
/* The address of the callback or coroutine; 0 for the library's own work. */
ALOOP_API uint64_t aloop_trace_event_code(const aloop_trace_event *event);

/* Watching a loop from another thread: once a callback has blocked the loop for that
 * many seconds, its stack is written to descriptor fd (which stays the caller's),
 * while it still blocks. 0 or less: no more. Handles SIGURG as long as it watches; a
 * system call in which the callback blocks may end with EINTR. -EAGAIN where there is
 * no thread to be had. */
ALOOP_API int64_t aloop_loop_set_watchdog(aloop_loop *loop, double seconds, int32_t fd);

#ifdef __cplusplus
}
#endif

#endif
