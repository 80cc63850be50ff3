/*
 * base.h: what every other header builds on: types, status codes, errors,
 * buffers, reference counts, the allocator.
 *
 * Rules that hold for the whole library
 *
 *   Results     int64_t: negative is a status code from the list below, zero
 *               or more is success and the integer answer where there is one.
 *   Objects     opaque, made by the library, reference counted. aloop_ref()
 *               and aloop_unref() take any of them, and NULL. aloop_unref() may
 *               be called from any thread, also after the loop was closed.
 *   Awaitables  a function that returns an aloop_future hands over one
 *               reference; a function that awaits or combines futures takes
 *               that reference over ("consumes"), also when it fails, so that
 *               calls nest. Functions named aloop_future_* and aloop_task_*
 *               only borrow it.
 *   Callbacks   are given as (fn, data, free_fn). free_fn runs exactly once,
 *               on the loop's thread, after the last call; where registering
 *               fails it does not run. A callback never runs inside the call
 *               that registers it, and never on a fiber's stack.
 *   Threads     an object belongs to one loop, and that to the thread that
 *               runs it. Another thread gets ALOOP_EWRONGTHREAD, except from
 *               what is named ..._threadsafe or documented so.
 *   Time        double seconds on the monotonic clock (int64 ns inside).
 *   Strings     are UTF-8, NUL-terminated; data is pointer and length.
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

/* Names one scheduled callback, timer or watcher; 0 is never a valid handle. */
typedef uint64_t aloop_handle;

/* Frees data; and a callback, whose result below 0 is reported. */
typedef void (*aloop_free_fn)(void *data);
typedef int64_t (*aloop_callback_fn)(void *data);

/* A piece of memory that the caller owns, for gathering writes. */
typedef struct aloop_buf {
    const void *base; /* where it begins */
    size_t len;       /* how many bytes */
} aloop_buf;

/* Status codes. System errors are -errno; the library's own lie below -10000;
 * ALOOP_EUSER and everything below it belongs to the program. */
#define ALOOP_OK 0
#define ALOOP_ENOENT (-2)
#define ALOOP_EBADF (-9)
#define ALOOP_ECHILD (-10) /* the loop was made before a fork */
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
#define ALOOP_ENOTASK (-10013)         /* needs a (stackful) task around it */
#define ALOOP_EGROUP (-10014)          /* several errors: see the children */
#define ALOOP_ERESOLVE (-10015)        /* the name does not resolve */
#define ALOOP_ETLS (-10016)            /* the TLS library reports a failure */
#define ALOOP_EBROKENPOOL (-10017)     /* a worker process died */
#define ALOOP_EVALUETAKEN (-10018)     /* the value was taken by another */
#define ALOOP_ELOOPSTOPPED (-10019)    /* the loop stopped before it was done */
#define ALOOP_ENOTOWNER (-10020)       /* release or notify without acquire */
#define ALOOP_EWRONGTYPE (-10021)      /* the object is of another type */
#define ALOOP_ESHUTDOWN (-10022)       /* the executor or group is shut down */
#define ALOOP_EBUSY (-10023)           /* another operation is under way */
#define ALOOP_ETLSCERT (-10024)        /* certificate verification failed */
#define ALOOP_ETLSTRUNCATED (-10025)   /* the peer closed without close_notify */
#define ALOOP_ENOSENDFILE (-10026)     /* sendfile is not possible here */
#define ALOOP_ESTACK (-10027)          /* a fiber overflowed its stack */
#define ALOOP_EGENERATOREXIT (-10028)  /* thrown into a generator to close it */
#define ALOOP_ELAGGED (-10029)         /* a broadcast's receiver was too slow */
#define ALOOP_PENDING (-10100)         /* a step task waits: see aloop_suspend */
#define ALOOP_EUSER (-1000000)         /* this and below: the program's own */

/* The version of the library at run time: major * 1000000 + minor * 1000 + patch. */
ALOOP_API int64_t aloop_version(void);
/* The same as text: "0.1.0". */
ALOOP_API const char *aloop_version_string(void);

/* A sentence, and the name as in this header ("ALOOP_EINVAL"), for a code.
 * Both are static strings, never NULL. Any thread. */
ALOOP_API const char *aloop_strerror(int64_t code);
ALOOP_API const char *aloop_errname(int64_t code);

/* Replaces malloc, realloc and free for everything the library allocates.
 * Before the first other call of the process; ALOOP_EBUSY after it,
 * ALOOP_EINVAL if one of them is NULL. */
typedef void *(*aloop_malloc_fn)(size_t size);
typedef void *(*aloop_realloc_fn)(void *block, size_t size);
ALOOP_API int64_t aloop_set_allocator(aloop_malloc_fn malloc_fn, aloop_realloc_fn realloc_fn,
                                      aloop_free_fn free_fn);

/* Takes and drops a reference on any object of the library. aloop_ref returns
 * its argument. NULL is legal. aloop_unref: any thread, at any time. */
ALOOP_API void *aloop_ref(void *object);
ALOOP_API void aloop_unref(void *object);

/* Errors ------------------------------------------------------------------
 *
 * An aloop_error is the detail behind a status code: immutable, may be read
 * from any thread. It hangs on the object that failed (aloop_future_error). */

/* Makes an error; code must be negative, message may be NULL; cause is
 * borrowed and may be NULL. NULL when out of memory or code >= 0. */
ALOOP_API aloop_error *aloop_error_new(int64_t code, const char *message, aloop_error *cause);
/* The same with an opaque object of a binding or program, which free_fn frees with
 * the error, on whichever thread drops that. On NULL it stays the caller's. */
ALOOP_API aloop_error *aloop_error_new_payload(int64_t code, const char *message, void *payload,
                                               aloop_free_fn free_fn);
/* Take and drop a reference; NULL is legal. */
ALOOP_API aloop_error *aloop_error_ref(aloop_error *error);
ALOOP_API void aloop_error_unref(aloop_error *error);
/* Its code; ALOOP_EINVAL for NULL. */
ALOOP_API int64_t aloop_error_code(const aloop_error *error);
/* The text, else aloop_strerror's; "No error" for NULL. Borrowed. */
ALOOP_API const char *aloop_error_message(const aloop_error *error);
/* Borrowed, or NULL. The children are those of an ALOOP_EGROUP. */
ALOOP_API aloop_error *aloop_error_cause(const aloop_error *error);
ALOOP_API int64_t aloop_error_child_count(const aloop_error *error);
ALOOP_API aloop_error *aloop_error_child(const aloop_error *error, int64_t index);
/* What a binding or program hung on it (a C# exception, a Rust box); borrowed. */
ALOOP_API void *aloop_error_payload(const aloop_error *error);
/* "file:line in function" where it was raised, "" if that is not known. */
ALOOP_API const char *aloop_error_where(const aloop_error *error);

/* Gives the failure of the running task or callback its detail and returns
 * code, so that it stands in a return statement:
 *     return aloop_raise(ALOOP_EUSER - 1, "port %d is taken", port);
 * The detail counts if the task then fails with this very code. Never fails:
 * out of memory loses the text, not the code. aloop_raise_message is the plain
 * twin for bindings; aloop_raise_payload also hands over an opaque object
 * (freed by free_fn once; at once if it cannot be attached). */
ALOOP_API int64_t aloop_raise(int64_t code, const char *format, ...) ALOOP_PRINTF(2, 3);
ALOOP_API int64_t aloop_raise_at(const char *where, int64_t code, const char *format, ...)
    ALOOP_PRINTF(3, 4);
ALOOP_API int64_t aloop_raise_message(int64_t code, const char *message);
ALOOP_API int64_t aloop_raise_payload(int64_t code, const char *message, void *payload,
                                      aloop_free_fn free_fn);
/* Raises error itself (borrowed): the way to pass on what an await gave. */
ALOOP_API int64_t aloop_raise_error(aloop_error *error);

#ifndef SWIG
#define ALOOP_STRINGIZE_(x) #x
#define ALOOP_STRINGIZE(x) ALOOP_STRINGIZE_(x)
/* The macro notes where it stands; (aloop_raise)(...) calls the function. */
#define aloop_raise(code, ...) \
    aloop_raise_at(__FILE__ ":" ALOOP_STRINGIZE(__LINE__), (code), __VA_ARGS__)
#endif

/* The error of the last await of the running task that failed: borrowed, valid
 * until its next await; NULL if the last await succeeded or outside a task. */
ALOOP_API aloop_error *aloop_last_error(void);

/* Bytes: an immutable counted buffer, what reads resolve to. Any thread. */
ALOOP_API aloop_bytes *aloop_bytes_new(const void *data, size_t len);
ALOOP_API aloop_bytes *aloop_bytes_ref(aloop_bytes *bytes);
ALOOP_API void aloop_bytes_unref(aloop_bytes *bytes);
/* Never NULL; a NUL byte that is not counted follows the data. */
ALOOP_API const uint8_t *aloop_bytes_data(const aloop_bytes *bytes);
/* How many bytes, without the NUL. */
ALOOP_API size_t aloop_bytes_size(const aloop_bytes *bytes);

/* Results: the outcomes of several awaitables, what gather and wait give. */
ALOOP_API aloop_results *aloop_results_ref(aloop_results *results);
ALOOP_API void aloop_results_unref(aloop_results *results);
/* How many entries; 0 for NULL. */
ALOOP_API int64_t aloop_results_count(const aloop_results *results);
/* The integer answer or status code of entry i; ALOOP_EINVAL out of range. */
ALOOP_API int64_t aloop_results_status(const aloop_results *results, int64_t index);
/* The value stays the entry's (value) or becomes the caller's (take). */
ALOOP_API void *aloop_results_value(const aloop_results *results, int64_t index);
ALOOP_API void *aloop_results_take(aloop_results *results, int64_t index);
/* Borrowed; NULL where that entry did not fail. */
ALOOP_API aloop_error *aloop_results_error(const aloop_results *results, int64_t index);
/* The future behind entry i: borrowed; NULL where results are kept alone. */
ALOOP_API aloop_future *aloop_results_future(const aloop_results *results, int64_t index);

/* How many live things of a kind the process holds; for tests and leak hunts.
 * which: an index from 0; its name, or NULL past the last. Any thread. */
ALOOP_API int64_t aloop_debug_stats(int32_t which);
ALOOP_API const char *aloop_debug_stats_name(int32_t which);

#ifdef __cplusplus
}
#endif

#endif
