/*
 * base.h: what every other header builds on: types, status codes, errors,
 * buffers, reference counts, the allocator.
 *
 * These rules hold for the whole library:
 *
 *   Results     are int64_t. A negative result is one of the status codes
 *               below; zero or more is success, and the result if there is one.
 *   Objects     are opaque and reference counted. aloop_ref() and aloop_unref()
 *               accept any of them, and NULL. aloop_unref() may be called from
 *               any thread, even after the loop was closed.
 *   Futures     stand for results that may not be there yet. A function that
 *               returns a future gives the caller a reference. A function that
 *               awaits or combines futures consumes this reference, even if it
 *               fails, so that calls nest. Functions named aloop_future_* and
 *               aloop_task_* only borrow the future.
 *   Callbacks   are passed as (fn, data, free_fn). free_fn(data) runs exactly
 *               once, on the loop's thread, after the last call of fn; if
 *               registering fails, it does not run. A callback never runs inside
 *               the call that registers it, and never on a fiber's stack.
 *   Threads     Each object belongs to a loop, and a loop to the thread that runs
 *               it. Other threads get ALOOP_EWRONGTHREAD, except from functions
 *               named ..._threadsafe or documented for any thread.
 *   Time        is in seconds, as a double, on the monotonic clock.
 *   Strings     are UTF-8 and end with a NUL; data is a pointer and a length.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_BASE_H
#define ASYNCLOOP_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(SWIG)
#define ALOOP_API __attribute__((visibility("default")))
#define ALOOP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ALOOP_API
#define ALOOP_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_loop aloop_loop;
typedef struct aloop_future aloop_future;
typedef aloop_future aloop_task; /* a task is a future */
typedef struct aloop_error aloop_error;
typedef struct aloop_bytes aloop_bytes;
typedef struct aloop_results aloop_results;
typedef struct aloop_context aloop_context;
typedef struct aloop_contextvar aloop_contextvar;

/* Identifies a scheduled callback, timer or watcher; 0 is never a valid handle. */
typedef uint64_t aloop_handle;

/* A function that frees data; and a callback. If a callback returns a negative code,
 * this is reported to the loop's exception handler. */
typedef void (*aloop_free_fn)(void *data);
typedef int64_t (*aloop_callback_fn)(void *data);

/* A piece of the caller's memory, for functions that take several. */
typedef struct aloop_buf {
    const void *base; /* where it begins */
    size_t len;       /* how many bytes */
} aloop_buf;

/* Status codes. Errors of the system are -errno, those of the library are below -10000;
 * ALOOP_EUSER and everything below it is for programs. docs/errors.md explains each. */
#define ALOOP_OK 0
#define ALOOP_ENOENT (-2)
#define ALOOP_EBADF (-9)
#define ALOOP_ECHILD (-10) /* the object was created before a fork */
#define ALOOP_EAGAIN (-11) /* it would have to wait */
#define ALOOP_ENOMEM (-12)
#define ALOOP_EEXIST (-17)
#define ALOOP_EINVAL (-22)
#define ALOOP_EPIPE (-32)
#define ALOOP_ENOSYS (-38)
#define ALOOP_ECONNABORTED (-103)
#define ALOOP_ECONNRESET (-104)
#define ALOOP_ETIMEDOUT (-110) /* asyncio's TimeoutError */
#define ALOOP_ECONNREFUSED (-111)
#define ALOOP_ESTALE (-116) /* the loop or the object is closed */
#define ALOOP_ECANCELED (-125) /* asyncio's CancelledError */

#define ALOOP_EINVALIDSTATE (-10001)   /* not done yet, or done already */
#define ALOOP_EQUEUEEMPTY (-10002)     /* get_nowait on an empty queue */
#define ALOOP_EQUEUEFULL (-10003)      /* put_nowait on a full queue */
#define ALOOP_EQUEUESHUTDOWN (-10004)  /* the queue was shut down */
#define ALOOP_EBROKENBARRIER (-10005)  /* the barrier was reset or aborted */
#define ALOOP_EINCOMPLETEREAD (-10006) /* the stream ended too soon */
#define ALOOP_ELIMITOVERRUN (-10007)   /* no separator within the limit */
#define ALOOP_ESTOPITERATION (-10008)  /* the iterator has no more values */
#define ALOOP_ENORUNNINGLOOP (-10009)  /* no loop runs in this thread */
#define ALOOP_ELOOPRUNNING (-10010)    /* a loop already runs here */
#define ALOOP_EWRONGLOOP (-10011)      /* the object belongs to another loop */
#define ALOOP_EWRONGTHREAD (-10012)    /* called from another thread */
#define ALOOP_ENOTASK (-10013)         /* only inside a (stackful) task */
#define ALOOP_EGROUP (-10014)          /* several errors: see the children */
#define ALOOP_ERESOLVE (-10015)        /* the name does not resolve */
#define ALOOP_ETLS (-10016)            /* the TLS library reports a failure */
#define ALOOP_EBROKENPOOL (-10017)     /* a worker process died */
#define ALOOP_EVALUETAKEN (-10018)     /* the value was taken by another */
#define ALOOP_ELOOPSTOPPED (-10019)    /* the loop stopped before it was done */
#define ALOOP_ENOTOWNER (-10020)       /* release or notify without acquire */
#define ALOOP_EWRONGTYPE (-10021)      /* the object is of another type */
#define ALOOP_ESHUTDOWN (-10022)       /* the executor or group is shut down */
#define ALOOP_EBUSY (-10023)           /* another operation is in progress */
#define ALOOP_ETLSCERT (-10024)        /* certificate verification failed */
#define ALOOP_ETLSTRUNCATED (-10025)   /* the peer closed without close_notify */
#define ALOOP_ENOSENDFILE (-10026)     /* sendfile is not possible here */
#define ALOOP_ESTACK (-10027)          /* a fiber overflowed its stack */
#define ALOOP_EGENERATOREXIT (-10028)  /* thrown into a generator to close it */
#define ALOOP_ELAGGED (-10029)         /* a broadcast receiver was too slow */
#define ALOOP_PENDING (-10100)         /* a step task waits: see aloop_suspend */
#define ALOOP_EUSER (-1000000)         /* this and below: the program's own */

/* The version of the library at run time: major * 1000000 + minor * 1000 + patch. */
ALOOP_API int64_t aloop_version(void);
/* The same as text: "0.1.0". */
ALOOP_API const char *aloop_version_string(void);

/* A description of a code, and its name as in this header ("ALOOP_EINVAL").
 * Both are static strings, never NULL. Any thread. */
ALOOP_API const char *aloop_strerror(int64_t code);
ALOOP_API const char *aloop_errname(int64_t code);

/* Replaces malloc, realloc and free for everything the library allocates. Must be
 * the first call of the library in the process: later it returns ALOOP_EBUSY.
 * ALOOP_EINVAL if one of the functions is NULL. */
typedef void *(*aloop_malloc_fn)(size_t size);
typedef void *(*aloop_realloc_fn)(void *block, size_t size);
ALOOP_API int64_t aloop_set_allocator(aloop_malloc_fn malloc_fn, aloop_realloc_fn realloc_fn,
                                      aloop_free_fn free_fn);

/* Take and drop a reference to any object of the library; NULL is legal. aloop_ref
 * returns its argument. aloop_unref: any thread, at any time. */
ALOOP_API void *aloop_ref(void *object);
ALOOP_API void aloop_unref(void *object);

/* Errors ------------------------------------------------------------------
 *
 * An aloop_error holds the details of a failure: a message, the place where it was
 * raised, and its cause. It is immutable and may be read from any thread. The
 * object that failed holds it (aloop_future_error, aloop_last_error). */

/* Creates an error. code must be negative; message may be NULL; cause is borrowed
 * and may be NULL. Returns NULL when out of memory or if code >= 0. */
ALOOP_API aloop_error *aloop_error_new(int64_t code, const char *message, aloop_error *cause);
/* The same with a payload, any object of a binding or program. free_fn frees it
 * together with the error, on the thread that drops the error. If this returns
 * NULL, the payload stays the caller's. */
ALOOP_API aloop_error *aloop_error_new_payload(int64_t code, const char *message, void *payload,
                                               aloop_free_fn free_fn);
/* Take and drop a reference; NULL is legal. */
ALOOP_API aloop_error *aloop_error_ref(aloop_error *error);
ALOOP_API void aloop_error_unref(aloop_error *error);
/* Its code; ALOOP_EINVAL for NULL. */
ALOOP_API int64_t aloop_error_code(const aloop_error *error);
/* Its message, or aloop_strerror's if it has none; "No error" for NULL. Borrowed. */
ALOOP_API const char *aloop_error_message(const aloop_error *error);
/* The error that caused this one; and, for an ALOOP_EGROUP, the errors of the tasks.
 * Borrowed, or NULL. */
ALOOP_API aloop_error *aloop_error_cause(const aloop_error *error);
ALOOP_API int64_t aloop_error_child_count(const aloop_error *error);
ALOOP_API aloop_error *aloop_error_child(const aloop_error *error, int64_t index);
/* The payload, for instance a C# exception or a Rust box; borrowed, or NULL. */
ALOOP_API void *aloop_error_payload(const aloop_error *error);
/* Where it was raised, as "file:line in function"; "" if that is not known. */
ALOOP_API const char *aloop_error_where(const aloop_error *error);

/* Attaches a message to the failure of the running task or callback, and returns
 * code, for use in a return statement:
 *     return aloop_raise(ALOOP_EUSER - 1, "port %d is taken", port);
 * The message is used if the task then fails with this code. The call cannot
 * fail: out of memory loses the message, not the code. aloop_raise_message is the
 * same without formatting, for bindings; aloop_raise_payload also attaches a
 * payload, which free_fn frees once (at once if it cannot be attached). */
ALOOP_API int64_t aloop_raise(int64_t code, const char *format, ...) ALOOP_PRINTF(2, 3);
ALOOP_API int64_t aloop_raise_at(const char *where, int64_t code, const char *format, ...)
    ALOOP_PRINTF(3, 4);
ALOOP_API int64_t aloop_raise_message(int64_t code, const char *message);
ALOOP_API int64_t aloop_raise_payload(int64_t code, const char *message, void *payload,
                                      aloop_free_fn free_fn);
/* Raises an existing error (borrowed), for instance one that an await gave. */
ALOOP_API int64_t aloop_raise_error(aloop_error *error);

#ifndef SWIG
#define ALOOP_STRINGIZE_(x) #x
#define ALOOP_STRINGIZE(x) ALOOP_STRINGIZE_(x)
/* The macro records its file and line; (aloop_raise)(...) calls the function. */
#define aloop_raise(code, ...) \
    aloop_raise_at(__FILE__ ":" ALOOP_STRINGIZE(__LINE__), (code), __VA_ARGS__)
#endif

/* The error of the running task's last await: borrowed, valid until its next await.
 * NULL if that await succeeded, or outside a task. */
ALOOP_API aloop_error *aloop_last_error(void);

/* Bytes: an immutable, reference-counted buffer, the value of reads. Any thread. */
ALOOP_API aloop_bytes *aloop_bytes_new(const void *data, size_t len);
ALOOP_API aloop_bytes *aloop_bytes_ref(aloop_bytes *bytes);
ALOOP_API void aloop_bytes_unref(aloop_bytes *bytes);
/* Never NULL. A NUL byte follows the data and is not counted in the size. */
ALOOP_API const uint8_t *aloop_bytes_data(const aloop_bytes *bytes);
/* How many bytes, without the NUL. */
ALOOP_API size_t aloop_bytes_size(const aloop_bytes *bytes);

/* Results: the outcomes of several futures, the value of gather and wait. */
ALOOP_API aloop_results *aloop_results_ref(aloop_results *results);
ALOOP_API void aloop_results_unref(aloop_results *results);
/* How many entries; 0 for NULL. */
ALOOP_API int64_t aloop_results_count(const aloop_results *results);
/* The status of an entry; ALOOP_EINVAL out of range. */
ALOOP_API int64_t aloop_results_status(const aloop_results *results, int64_t index);
/* The value of an entry: borrowed (value), or the caller's from now on (take). */
ALOOP_API void *aloop_results_value(const aloop_results *results, int64_t index);
ALOOP_API void *aloop_results_take(aloop_results *results, int64_t index);
/* The error of an entry: borrowed; NULL if it did not fail. */
ALOOP_API aloop_error *aloop_results_error(const aloop_results *results, int64_t index);
/* The future of an entry: borrowed; NULL if the list holds only outcomes. */
ALOOP_API aloop_future *aloop_results_future(const aloop_results *results, int64_t index);

/* How many objects of a kind exist in the process, for tests and to find leaks; and
 * the name of the kind. which: an index from 0; the name is NULL behind the last
 * one. Any thread. */
ALOOP_API int64_t aloop_debug_stats(int32_t which);
ALOOP_API const char *aloop_debug_stats_name(int32_t which);

#ifdef __cplusplus
}
#endif

#endif
