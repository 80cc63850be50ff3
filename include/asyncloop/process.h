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
 * Each child is watched through a descriptor of its own. The library installs no
 * handler for SIGCHLD and does not wait for other children of the program.
 *
 * The loop keeps a running child, even without any reference to it, until it has
 * ended. Closing the loop kills the remaining children (SIGKILL) and reaps them. A
 * child that may not be killed (a set-uid program), or has not ended 5 seconds later,
 * continues to run. This is reported to the exception handler (-EPERM, -ETIMEDOUT),
 * and the child is reaped when the process later starts another child or closes
 * another loop. In a forked process, all functions on a child of the parent return
 * ALOOP_ECHILD (or NULL), except aloop_unref.
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
/* Its working directory, which is entered before the ids are set. */
ALOOP_API int64_t aloop_process_options_set_cwd(aloop_process_options *options, const char *path);
/* Its environment, "NAME=value" strings up to a NULL, in place of the parent's. The program is
 * searched in its PATH. */
ALOOP_API int64_t aloop_process_options_set_env(aloop_process_options *options,
                                                const char *const *env);
/* Gives the child another descriptor, fd, as its child_fd (3 to 65535, and below the limit of
 * open files, otherwise the start fails with ALOOP_EBADF). Up to 64; all others are closed. */
ALOOP_API int64_t aloop_process_options_add_fd(aloop_process_options *options, int32_t fd,
                                               int32_t child_fd);
/* Not 0: it starts a new session (setsid). */
ALOOP_API int64_t aloop_process_options_set_new_session(aloop_process_options *options,
                                                        int32_t new_session);
/* 0: it starts a new process group; otherwise it joins this group, which fails with -EPERM
 * together with a new session. */
ALOOP_API int64_t aloop_process_options_set_process_group(aloop_process_options *options,
                                                          int32_t group);
/* Its user and group ids; setting the group also drops the supplementary groups.
 * ALOOP_EINVAL for (uint32_t)-1. */
ALOOP_API int64_t aloop_process_options_set_user(aloop_process_options *options, uint32_t uid);
ALOOP_API int64_t aloop_process_options_set_group(aloop_process_options *options, uint32_t gid);
/* Its file mode mask. */
ALOOP_API int64_t aloop_process_options_set_umask(aloop_process_options *options, int32_t mask);
/* A resource limit, as for setrlimit(2): RLIMIT_CPU etc.; up to 16 of them. */
ALOOP_API int64_t aloop_process_options_add_rlimit(aloop_process_options *options,
                                                   int32_t resource, uint64_t soft, uint64_t hard);
/* The limit of its streams for readline and readuntil; default 65536. */
ALOOP_API int64_t aloop_process_options_set_limit(aloop_process_options *options, size_t bytes);
/* The most bytes that communicate reads of each output; default: no bound. */
ALOOP_API int64_t aloop_process_options_set_output_limit(aloop_process_options *options,
                                                         size_t bytes);

/* Starting -------------------------------------------------------------------------- */

/* An operation that starts argv[0] (searched in PATH unless it contains a '/') with the
 * arguments argv, up to a NULL. Its value is an aloop_process (a reference). If the program
 * cannot be started, it fails with -errno and a message with the name of the program (or of
 * the working directory). ALOOP_ENOSYS on a simulated loop. options may be NULL. */
ALOOP_API aloop_future *aloop_create_subprocess_exec(const char *const *argv,
                                                     const aloop_process_options *options);
/* The same for a command of the shell: /bin/sh -c. */
ALOOP_API aloop_future *aloop_create_subprocess_shell(const char *command,
                                                      const aloop_process_options *options);

/* A child ---------------------------------------------------------------------------
 *
 * The functions borrow it. ALOOP_EINVAL for another object, ALOOP_EWRONGTHREAD. */

/* Its process id, also after its end. */
ALOOP_API int64_t aloop_process_pid(aloop_process *process);
/* 0 while it runs. After that 1, and in *code (may be NULL) its exit code, or the negative
 * number of the signal that killed it; 255 if other code, or the kernel because SIGCHLD is
 * ignored, has reaped it (reported to the exception handler). */
ALOOP_API int64_t aloop_process_returncode(aloop_process *process, int32_t *code);
/* Its streams, borrowed; NULL for one that is not an ALOOP_PIPE. Writing to a child that has
 * ended fails with ALOOP_EPIPE or ALOOP_ECONNRESET, without a SIGPIPE. */
ALOOP_API aloop_stream *aloop_process_stdin(aloop_process *process);
ALOOP_API aloop_stream *aloop_process_stdout(aloop_process *process);
ALOOP_API aloop_stream *aloop_process_stderr(aloop_process *process);

#define ALOOP_SIGNALED 256
/* An operation that waits until the child has ended, whoever still holds its pipes. The status
 * is the exit code, or ALOOP_SIGNALED plus the signal that killed it. Several tasks may
 * wait. A child that writes to a pipe that nobody reads may never end: see communicate. */
ALOOP_API aloop_future *aloop_process_wait(aloop_process *process);

/* An operation that writes input (copied) to stdin and closes it, reads stdout and stderr to
 * their ends, all concurrently, and waits for the child. The status is that of wait. The
 * value is an aloop_results with two entries, stdout and stderr: an aloop_bytes each, NULL
 * if it is not a pipe. It is no error if the child does not read its input.
 * If it is cancelled, or there is more output than output_limit (ALOOP_ELIMITOVERRUN; the
 * rest stays in the stream), the process keeps what was sent and read.
 * aloop_process_output gives it, and another communicate continues, with the input of the
 * first one: pass that again, or NULL (ALOOP_EINVALIDSTATE for other input). ALOOP_EBUSY
 * while another communicate is in progress. */
ALOOP_API aloop_future *aloop_process_communicate(aloop_process *process, const void *input,
                                                  size_t len);
/* What communicate has read so far from descriptor 1 or 2: a reference; NULL for another
 * number or when out of memory. */
ALOOP_API aloop_bytes *aloop_process_output(aloop_process *process, int32_t fd);

/* Send a signal. -ESRCH once it has ended; -EPERM if the kernel forbids it; ALOOP_EINVAL for
 * an invalid number. */
ALOOP_API int64_t aloop_process_send_signal(aloop_process *process, int32_t signum);
ALOOP_API int64_t aloop_process_terminate(aloop_process *process); /* SIGTERM */
ALOOP_API int64_t aloop_process_kill(aloop_process *process);      /* SIGKILL */
/* Sends a signal to its whole process group, even after its own end (since Linux 6.9; -ESRCH
 * before that). -ESRCH if the group is empty; ALOOP_EINVAL unless it was started with a new
 * session or a new group. */
ALOOP_API int64_t aloop_process_signal_group(aloop_process *process, int32_t signum);

#ifdef __cplusplus
}
#endif

#endif
