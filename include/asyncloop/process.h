/*
 * process.h: child processes. asyncio.create_subprocess_exec, Process.
 *
 *     aloop_process_options *o = aloop_process_options_new();
 *     aloop_process_options_set_stdout(o, ALOOP_PIPE);
 *     const char *argv[] = {"uname", "-r", NULL};
 *     aloop_process *p;
 *     rc = aloop_await(aloop_create_subprocess_exec(argv, o), (void **)&p);
 *     aloop_results *output;
 *     rc = aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&output);
 *     ... aloop_results_value(output, 0) is what it wrote, an aloop_bytes
 *
 * Each child is watched through a descriptor of its own: no handler for SIGCHLD
 * is installed, and nobody else's children are waited for. The loop keeps a
 * running child until it has ended; a loop that is closed kills those that are
 * left (SIGKILL) and reaps them. One that may not be killed (a set-uid program),
 * or does not end within 5 seconds of it (all together), runs on: the exception handler is told
 * (-EPERM, -ETIMEDOUT), and it is reaped once it has ended and this process starts
 * another or closes a loop with some. In a forked child all that is asked of one
 * that the parent started gives ALOOP_ECHILD (or NULL), aloop_unref excepted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_PROCESS_H
#define ASYNCLOOP_PROCESS_H

#include <asyncloop/base.h>
#include <asyncloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_process aloop_process;

/* Options ---------------------------------------------------------------------------
 *
 * Made with the defaults; NULL when out of memory; aloop_unref frees. Setters
 * copy, and return 0, ALOOP_EINVAL for a bad argument, or ALOOP_ENOMEM. */

typedef struct aloop_process_options aloop_process_options;

#define ALOOP_PIPE (-1)
#define ALOOP_STDOUT (-2) /* of stderr: goes where stdout goes */
#define ALOOP_DEVNULL (-3)
#define ALOOP_INHERIT (-4) /* the default: the parent's */

ALOOP_API aloop_process_options *aloop_process_options_new(void);
/* One of the above, or a descriptor, which stays the caller's. */
ALOOP_API int64_t aloop_process_options_set_stdin(aloop_process_options *options, int32_t what);
ALOOP_API int64_t aloop_process_options_set_stdout(aloop_process_options *options, int32_t what);
ALOOP_API int64_t aloop_process_options_set_stderr(aloop_process_options *options, int32_t what);
/* The directory that it starts in; entered before the ids are set. */
ALOOP_API int64_t aloop_process_options_set_cwd(aloop_process_options *options, const char *path);
/* "NAME=value" strings up to a NULL, in place of the parent's. The program is
 * looked for in its PATH. */
ALOOP_API int64_t aloop_process_options_set_env(aloop_process_options *options,
                                                const char *const *env);
/* The child also gets fd, as child_fd (3 to 65535; below the limit of open files,
 * else the start fails with ALOOP_EBADF), up to 64 of them. All others are closed. */
ALOOP_API int64_t aloop_process_options_add_fd(aloop_process_options *options, int32_t fd,
                                               int32_t child_fd);
/* Not 0: it leads a session of its own (setsid). */
ALOOP_API int64_t aloop_process_options_set_new_session(aloop_process_options *options,
                                                        int32_t new_session);
/* 0: a group of its own; else the group to join, which with a new session (that
 * has a group of its own) fails with -EPERM. */
ALOOP_API int64_t aloop_process_options_set_process_group(aloop_process_options *options,
                                                          int32_t group);
/* Ids; setting the group also drops the supplementary groups. ALOOP_EINVAL for
 * (uint32_t)-1, which is nobody's. */
ALOOP_API int64_t aloop_process_options_set_user(aloop_process_options *options, uint32_t uid);
ALOOP_API int64_t aloop_process_options_set_group(aloop_process_options *options, uint32_t gid);
/* Its file mode mask. */
ALOOP_API int64_t aloop_process_options_set_umask(aloop_process_options *options, int32_t mask);
/* As setrlimit: RLIMIT_CPU and the like; up to 16 of them. */
ALOOP_API int64_t aloop_process_options_add_rlimit(aloop_process_options *options,
                                                   int32_t resource, uint64_t soft, uint64_t hard);
/* Of the streams: how far readline and readuntil look; default 65536. */
ALOOP_API int64_t aloop_process_options_set_limit(aloop_process_options *options, size_t bytes);
/* The most bytes that communicate reads of each output; default: no bound. */
ALOOP_API int64_t aloop_process_options_set_output_limit(aloop_process_options *options,
                                                         size_t bytes);

/* Starting -------------------------------------------------------------------------- */

/* Starts argv[0] (looked for in PATH unless it has a '/') with the arguments
 * argv, up to a NULL. An operation whose value is an aloop_process (a reference).
 * What keeps the program from starting fails here, with -errno and the name of
 * the program (or of the cwd) in the text. ALOOP_ENOSYS on a simulated loop.
 * options may be NULL. */
ALOOP_API aloop_future *aloop_create_subprocess_exec(const char *const *argv,
                                                     const aloop_process_options *options);
/* The same for a command line, by /bin/sh -c. */
ALOOP_API aloop_future *aloop_create_subprocess_shell(const char *command,
                                                      const aloop_process_options *options);

/* A child ---------------------------------------------------------------------------
 *
 * Functions borrow it. ALOOP_EINVAL for what is none, ALOOP_EWRONGTHREAD. */

/* Its process id, also after its end. */
ALOOP_API int64_t aloop_process_pid(aloop_process *process);
/* 0 while it runs; then 1, and in *code (may be NULL) its exit code, or the
 * negative number of the signal that killed it. 255 where somebody else, or the
 * kernel (SIGCHLD is ignored), has reaped it (reported to the exception handler). */
ALOOP_API int64_t aloop_process_returncode(aloop_process *process, int32_t *code);
/* Borrowed; NULL unless it is an ALOOP_PIPE. Writing to a child that is gone fails
 * with ALOOP_EPIPE or ALOOP_ECONNRESET; nobody is sent SIGPIPE. */
ALOOP_API aloop_stream *aloop_process_stdin(aloop_process *process);
ALOOP_API aloop_stream *aloop_process_stdout(aloop_process *process);
ALOOP_API aloop_stream *aloop_process_stderr(aloop_process *process);

#define ALOOP_SIGNALED 256
/* Done when it has ended, whoever still holds its pipes: the exit code, or
 * ALOOP_SIGNALED plus the signal that killed it. Several may wait. An operation.
 * With a pipe that nobody reads a child that writes much never ends: see
 * communicate. */
ALOOP_API aloop_future *aloop_process_wait(aloop_process *process);

/* Sends input (copied) to its stdin and closes that, reads its stdout and
 * stderr to their ends, all at once, and waits for it. The status is that of
 * wait, the value an aloop_results with two entries, stdout and stderr: an
 * aloop_bytes each, NULL where it is no pipe. A child that does not read its
 * input is no error. Cancelled, or with more output than output_limit
 * (ALOOP_ELIMITOVERRUN; what is beyond stays in the stream), it keeps what it has
 * sent and read: aloop_process_output tells, and another communicate goes on from
 * there, with the first one's input, which it may be given again
 * (ALOOP_EINVALIDSTATE for another) or not. ALOOP_EBUSY while another is under
 * way. An operation. */
ALOOP_API aloop_future *aloop_process_communicate(aloop_process *process, const void *input,
                                                  size_t len);
/* What communicate has read so far of descriptor 1 or 2: a reference; NULL for
 * another number or when out of memory. */
ALOOP_API aloop_bytes *aloop_process_output(aloop_process *process, int32_t fd);

/* 0, or -ESRCH once it has ended; -EPERM where the kernel forbids it;
 * ALOOP_EINVAL for a number that is no signal. */
ALOOP_API int64_t aloop_process_send_signal(aloop_process *process, int32_t signum);
ALOOP_API int64_t aloop_process_terminate(aloop_process *process); /* SIGTERM */
ALOOP_API int64_t aloop_process_kill(aloop_process *process);      /* SIGKILL */
/* To its whole process group, also to what is left of that after its own end
 * (from Linux 6.9 on; before: -ESRCH). -ESRCH when nobody is left; ALOOP_EINVAL
 * unless it was started with a new session or a group of its own. */
ALOOP_API int64_t aloop_process_signal_group(aloop_process *process, int32_t signum);

#ifdef __cplusplus
}
#endif

#endif
