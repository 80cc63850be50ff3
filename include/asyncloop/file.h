/*
 * file.h: reading and writing files without blocking the loop, and watching a path
 * for changes. Not in asyncio.
 *
 *     aloop_bytes *text = NULL;
 *     int64_t rc = aloop_await(aloop_read_file("notes.txt", -1), (void **)&text);
 *     if (rc >= 0) rc = aloop_await(aloop_write_file("copy.txt", aloop_bytes_data(text),
 *                                                    (size_t)rc), NULL);
 *     aloop_bytes_unref(text);
 *
 * Each function starts its work at once, in one of up to four threads of the loop's own,
 * and returns a future. The calls on one file run one at a time, in the order in which they
 * were made; different files do not wait for each other.
 *
 * If the future is cancelled, a call that has not begun never runs. A call that has begun
 * ends in the background (the next call on that file waits for it), and its outcome is
 * dropped. No call uses the caller's memory after it has returned. Closing the loop waits
 * for calls that have begun.
 *
 * Functions on a file borrow it, and must be called in the loop's thread
 * (ALOOP_EWRONGTHREAD otherwise). ALOOP_EINVAL for NULL, another object or a bad argument;
 * NULL if the thread has no loop. Futures fail with -errno and a message with the path,
 * ALOOP_ESTALE after close, ALOOP_ENOMEM, or -EAGAIN if no thread can be started.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_FILE_H
#define ASYNCLOOP_FILE_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_file aloop_file;
typedef struct aloop_file_stat aloop_file_stat;
typedef struct aloop_file_names aloop_file_names;
typedef struct aloop_file_watch aloop_file_watch;
typedef struct aloop_file_event aloop_file_event;

/* An open file ---------------------------------------------------------------------------- */

/* Opens a file; the value is the file (a reference). flags: O_RDONLY etc., always with
 * close-on-exec; mode: for O_CREAT. ALOOP_EINVAL for FIFOs and sockets, for which the loop can
 * wait itself (aloop_connect_read_pipe). */
ALOOP_API aloop_future *aloop_file_open(const char *path, int32_t flags, int32_t mode);
/* Reads n bytes from the file's position, or up to its end (at most 16 MiB if it is not a
 * regular file). The value is an aloop_bytes (a reference), the status its size, 0 at the
 * end. */
ALOOP_API aloop_future *aloop_file_read(aloop_file *file, size_t n);
/* The same from an offset, without moving the position. */
ALOOP_API aloop_future *aloop_file_pread(aloop_file *file, size_t n, int64_t offset);
/* Writes all len bytes (copied) at the position (with O_APPEND: at the end) or at an offset; the
 * status is len. After a failure some bytes may have been written. */
ALOOP_API aloop_future *aloop_file_write(aloop_file *file, const void *data, size_t len);
ALOOP_API aloop_future *aloop_file_pwrite(aloop_file *file, const void *data, size_t len,
                                          int64_t offset);
/* Like lseek(2); the status is the new position. */
ALOOP_API aloop_future *aloop_file_seek(aloop_file *file, int64_t offset, int32_t whence);
/* fstat(2); the value is an aloop_file_stat (a reference). */
ALOOP_API aloop_future *aloop_file_fstat(aloop_file *file);
/* fsync(2), fdatasync(2), ftruncate(2). */
ALOOP_API aloop_future *aloop_file_fsync(aloop_file *file);
ALOOP_API aloop_future *aloop_file_fdatasync(aloop_file *file);
ALOOP_API aloop_future *aloop_file_truncate(aloop_file *file, int64_t size);
/* Closes the file after the calls that were made before. Later calls, and a second close, fail
 * with ALOOP_ESTALE. It cannot be cancelled. Dropping an open file closes it, too. */
ALOOP_API aloop_future *aloop_file_close(aloop_file *file);
/* The file's descriptor, which stays the file's; ALOOP_ESTALE after close. */
ALOOP_API int64_t aloop_file_descriptor(aloop_file *file);

/* Whole files --------------------------------------------------------------------------------- */

/* Reads a whole file; the value is an aloop_bytes (a reference), the status its size. -EFBIG if
 * it has more than limit bytes (limit < 0: no limit). */
ALOOP_API aloop_future *aloop_read_file(const char *path, int64_t limit);
/* Replaces the file at path by one with these bytes (copied) in a single step: a reader sees the
 * whole old file or the whole new one, even after a crash. Writes a new file beside it, syncs
 * and renames it; the mode of an old file is kept. The status is len. */
ALOOP_API aloop_future *aloop_write_file(const char *path, const void *data, size_t len);
/* stat(2) of a path, or with follow 0 lstat(2); the value is an aloop_file_stat (a reference). */
ALOOP_API aloop_future *aloop_stat_file(const char *path, int32_t follow);
/* Lists the names in a directory, without "." and "..", in no particular order. The value is an
 * aloop_file_names (a reference), the status their number. */
ALOOP_API aloop_future *aloop_list_directory(const char *path);

/* The result of stat: immutable, any thread. mode is the type and the permissions, as st_mode;
 * times are in seconds since 1970. ALOOP_EINVAL (0 for the times) for another object. */
ALOOP_API int64_t aloop_file_stat_size(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_mode(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_inode(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_links(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_uid(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_gid(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_mtime(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_atime(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_ctime(const aloop_file_stat *stat);

/* The number of names; and a name, borrowed from the list, NULL out of range. */
ALOOP_API int64_t aloop_file_names_count(const aloop_file_names *names);
ALOOP_API const char *aloop_file_names_at(const aloop_file_names *names, int64_t index);

/* Watching ---------------------------------------------------------------------------------------
 *
 * Reports changes of a file, or of the entries of a directory, through inotify. Events wait in
 * the kernel, up to its limit (fs.inotify.max_queued_events). If events were lost beyond that,
 * there is one ALOOP_FILE_OVERFLOW, after which the program should read the directory anew. */

/* Creates a watch; *watch is a reference. -errno (ALOOP_ENOENT, -ENOSPC for too many watches,
 * -EMFILE), ALOOP_EINVAL, ALOOP_ENOMEM, ALOOP_ENORUNNINGLOOP. */
ALOOP_API int64_t aloop_file_watch_new(aloop_file_watch **watch, const char *path);
/* An operation (see future.h) that waits for the next event; its value is an aloop_file_event (a
 * reference) and its status the kind of event. Only one may wait at a time (ALOOP_EBUSY).
 * Cancelling it loses nothing. ALOOP_ESTOPITERATION after the event that the path itself is
 * gone; ALOOP_ESTALE after close. */
ALOOP_API aloop_future *aloop_file_watch_next(aloop_file_watch *watch);
/* Closes it; a waiting operation fails with ALOOP_ESTALE. Again: 0. Dropping the watch closes
 * it, too. */
ALOOP_API int64_t aloop_file_watch_close(aloop_file_watch *watch);

/* What happened to name, which is "" for the watched path itself. A move within the directory is
 * one event with both names. A move out of it has only old_name, and a move into it only
 * name. */
#define ALOOP_FILE_CREATED 1
#define ALOOP_FILE_MODIFIED 2
#define ALOOP_FILE_DELETED 3
#define ALOOP_FILE_MOVED 4
#define ALOOP_FILE_ATTRIBUTES 5
#define ALOOP_FILE_OVERFLOW 6
/* Immutable; any thread. ALOOP_EINVAL and "" for another object. */
ALOOP_API int64_t aloop_file_event_kind(const aloop_file_event *event);
ALOOP_API int64_t aloop_file_event_is_directory(const aloop_file_event *event);
ALOOP_API const char *aloop_file_event_name(const aloop_file_event *event);
ALOOP_API const char *aloop_file_event_old_name(const aloop_file_event *event);

#ifdef __cplusplus
}
#endif

#endif
