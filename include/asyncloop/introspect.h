/*
 * introspect.h: what a program is doing: call graphs, dumps of all tasks, metrics,
 * tracing, and a watchdog. asyncio's graph module, and more.
 *
 * Call all functions in the loop's thread.
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

/* A snapshot of the graph of future (borrowed; NULL: the running task). limit: how many frames
 * of each stack; > 0: the innermost ones, < 0: the outermost ones, 0: none. Returns a
 * reference, which holds the futures in the graph; NULL if future is NULL outside a task, in
 * the wrong thread, or out of memory. */
ALOOP_API aloop_call_graph *aloop_capture_call_graph(aloop_future *future, int64_t limit);
/* Its future, borrowed. */
ALOOP_API aloop_future *aloop_call_graph_future(const aloop_call_graph *graph);
/* The code addresses on its stack, innermost first. A stackless task has one: its step
 * function. */
ALOOP_API int64_t aloop_call_graph_frame_count(const aloop_call_graph *graph);
ALOOP_API void *aloop_call_graph_frame(const aloop_call_graph *graph, int64_t index);
/* The graphs of the tasks that await it, borrowed; NULL out of range. Chains are cut after 64
 * tasks. A task that appears again has neither stack nor awaiters there ("see above"). */
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

/* Writes the loop's counters and every unfinished task (its state, what it waits for, who
 * awaits it, its stack, and in debug mode where it was created) to a descriptor. Returns the
 * number of tasks. */
ALOOP_API int64_t aloop_loop_dump(aloop_loop *loop, int32_t fd);

#define ALOOP_METRIC_ITERATIONS 0     /* of the loop */
#define ALOOP_METRIC_CALLBACKS 1      /* callbacks and task steps that ran */
#define ALOOP_METRIC_POLLS 2          /* how often the loop polled for I/O */
#define ALOOP_METRIC_SLEPT 3          /* ns that the loop waited, idle */
#define ALOOP_METRIC_SLOW_CALLBACKS 4 /* reported as slow, in debug mode */
#define ALOOP_METRIC_READY 5          /* now in the ready queue (takes linear time) */
#define ALOOP_METRIC_TIMERS 6         /* now armed */
#define ALOOP_METRIC_TASKS 7          /* now unfinished (takes linear time) */
#define ALOOP_METRIC_OBJECTS 8        /* futures, tasks, streams, ... that exist */
#define ALOOP_METRIC_BUSY 9           /* ns that the loop was not idle */
/* One counter of the loop; ALOOP_EINVAL for an unknown one. */
ALOOP_API int64_t aloop_loop_metrics(aloop_loop *loop, int32_t which);
/* Its name, static; NULL for an unknown one. */
ALOOP_API const char *aloop_loop_metrics_name(int32_t which);

/* Tracing ----------------------------------------------------------------------------------
 *
 * A hook is called for each thing that the loop does, in the loop's thread and on its own
 * stack. It must not run, close or block the loop. Without a hook there is no cost.
 *
 * With ASYNCLOOP_TRACE=file.json in the environment, every loop of the process writes these
 * events as a timeline for Perfetto (ui.perfetto.dev) or chrome://tracing. "%p" in the name
 * stands for the process id, for programs that start further processes. */

#define ALOOP_TRACE_BEGIN 1        /* a callback or a step of a task begins */
#define ALOOP_TRACE_END 2          /* and ends; with its duration */
#define ALOOP_TRACE_SLEPT 3        /* the loop was idle; with its duration */
#define ALOOP_TRACE_TASK_CREATED 4 /* told at the end of the callback that created it */
#define ALOOP_TRACE_TASK_DONE 5    /* the same */

typedef struct aloop_trace_event aloop_trace_event;
typedef void (*aloop_trace_fn)(aloop_loop *loop, const aloop_trace_event *event, void *data);

/* Sets the hook; NULL removes it. ALOOP_ENOMEM and the usual codes. */
ALOOP_API int64_t aloop_loop_set_trace_hook(aloop_loop *loop, aloop_trace_fn fn, void *data,
                                            aloop_free_fn free_fn);
/* An event is valid during the call. Time and duration are in ns of CLOCK_MONOTONIC. */
ALOOP_API int32_t aloop_trace_event_kind(const aloop_trace_event *event);
ALOOP_API int64_t aloop_trace_event_time(const aloop_trace_event *event);
ALOOP_API int64_t aloop_trace_event_duration(const aloop_trace_event *event);
/* The task, borrowed; NULL for a callback. */
ALOOP_API aloop_task *aloop_trace_event_task(const aloop_trace_event *event);
/* The address of the callback or coroutine; 0 for the library's own work. */
ALOOP_API uint64_t aloop_trace_event_code(const aloop_trace_event *event);

/* The watchdog: a thread that watches the loop. When a callback has blocked the loop for this
 * many seconds, it writes the callback's stack to descriptor fd (which stays the caller's)
 * while it still blocks. 0 or less: stops watching. Handles SIGURG meanwhile; a system call in
 * which the callback blocks may end with EINTR. -EAGAIN if no thread can be started. */
ALOOP_API int64_t aloop_loop_set_watchdog(aloop_loop *loop, double seconds, int32_t fd);

#ifdef __cplusplus
}
#endif

#endif
