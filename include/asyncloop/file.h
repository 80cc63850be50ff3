/*
 * file.h: files without blocking the loop, and watching a path for changes.
 * asyncio has none.
 *
 *     aloop_bytes *text = NULL;
 *     int64_t rc = aloop_await(aloop_read_file("notes.txt", -1), (void **)&text);
 *     if (rc >= 0) rc = aloop_await(aloop_write_file("copy.txt", aloop_bytes_data(text),
 *                                                    (size_t)rc), NULL);
 *     aloop_bytes_unref(text);
 *
 * Each function starts its work at once, in up to four threads of the loop's
 * own, and gives a future. On one file one call runs at a time, in the order in
 * which they were made; different files do not wait for each other.
 *
 * Cancelling the future: a call that has not begun never does; one that has
 * begun is finished in the background (the next call on that file waits for
 * it), and its outcome is dropped. Nothing here uses memory of the caller once
 * the call has returned. The loop's close waits for what has begun.
 *
 * Functions on a file borrow it. They are for the loop's thread: others get
 * ALOOP_EWRONGTHREAD; ALOOP_EINVAL for NULL, another object, a bad argument;
 * NULL where the thread has no loop. Futures fail with -errno and a text with
 * the path, ALOOP_ESTALE after close, ALOOP_ENOMEM, -EAGAIN without a thread.
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

/* flags: O_RDONLY and the like, mode: for O_CREAT; close-on-exec always. The
 * value is a file (a reference). ALOOP_EINVAL for a FIFO and a socket: they
 * belong in the loop itself (aloop_connect_read_pipe). */
ALOOP_API aloop_future *aloop_file_open(const char *path, int32_t flags, int32_t mode);
/* Up to n bytes from the file's position on, as many as it has (of what is no
 * regular file, 16 MiB at the most); the value is an aloop_bytes (a reference),
 * the status its size; 0: the end. */
ALOOP_API aloop_future *aloop_file_read(aloop_file *file, size_t n);
/* The same from an offset, without moving the position. */
ALOOP_API aloop_future *aloop_file_pread(aloop_file *file, size_t n, int64_t offset);
/* All len bytes, which are copied, at the position (with O_APPEND: the end) or
 * at an offset; the status is len. After a failure some may be written. */
ALOOP_API aloop_future *aloop_file_write(aloop_file *file, const void *data, size_t len);
ALOOP_API aloop_future *aloop_file_pwrite(aloop_file *file, const void *data, size_t len,
                                          int64_t offset);
/* As lseek(2); the status is the new position. */
ALOOP_API aloop_future *aloop_file_seek(aloop_file *file, int64_t offset, int32_t whence);
/* The value is an aloop_file_stat (a reference). */
ALOOP_API aloop_future *aloop_file_fstat(aloop_file *file);
/* fsync(2), fdatasync(2), ftruncate(2). */
ALOOP_API aloop_future *aloop_file_fsync(aloop_file *file);
ALOOP_API aloop_future *aloop_file_fdatasync(aloop_file *file);
ALOOP_API aloop_future *aloop_file_truncate(aloop_file *file, int64_t size);
/* Closes it behind the calls that were made before; later ones, and a second
 * close, fail with ALOOP_ESTALE. It cannot be cancelled. A file that is dropped
 * open is closed, too. */
ALOOP_API aloop_future *aloop_file_close(aloop_file *file);
/* The descriptor, the file's own; ALOOP_ESTALE after close. */
ALOOP_API int64_t aloop_file_descriptor(aloop_file *file);

/* Whole files --------------------------------------------------------------------------------- */

/* All of a file; the value is an aloop_bytes (a reference), the status its size.
 * -EFBIG if it has more than limit bytes (limit < 0: no limit). */
ALOOP_API aloop_future *aloop_read_file(const char *path, int64_t limit);
/* Puts a file with these bytes (copied) in the place of path, at once: a reader
 * sees the old one or the new one, whole, also after a crash. It is written
 * beside it, synced and renamed; an old file's mode is kept. The status is len. */
ALOOP_API aloop_future *aloop_write_file(const char *path, const void *data, size_t len);
/* stat(2) of a path; follow 0: of a symbolic link itself. */
ALOOP_API aloop_future *aloop_stat_file(const char *path, int32_t follow);
/* The names in a directory, without "." and "..", in no order; the value is an
 * aloop_file_names (a reference), the status their number. */
ALOOP_API aloop_future *aloop_list_directory(const char *path);

/* What stat found; immutable, any thread. mode: type and permissions as in
 * st_mode; times in seconds since 1970. ALOOP_EINVAL (0 for the times) for
 * another object. */
ALOOP_API int64_t aloop_file_stat_size(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_mode(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_inode(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_links(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_uid(const aloop_file_stat *stat);
ALOOP_API int64_t aloop_file_stat_gid(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_mtime(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_atime(const aloop_file_stat *stat);
ALOOP_API double aloop_file_stat_ctime(const aloop_file_stat *stat);

/* Names are borrowed from their list; NULL out of range. */
ALOOP_API int64_t aloop_file_names_count(const aloop_file_names *names);
ALOOP_API const char *aloop_file_names_at(const aloop_file_names *names, int64_t index);

/* Watching ---------------------------------------------------------------------------------------
 *
 * Changes of a file, or of what is directly in a directory, through inotify. What
 * happens between two calls of next waits in the kernel, up to its limit
 * (fs.inotify.max_queued_events); what was lost beyond that shows as one
 * ALOOP_FILE_OVERFLOW, after which the program should look for itself. */

/* 0 with a reference in *watch; -errno (ALOOP_ENOENT, -ENOSPC for too many
 * watches, -EMFILE), ALOOP_EINVAL, ALOOP_ENOMEM, ALOOP_ENORUNNINGLOOP. */
ALOOP_API int64_t aloop_file_watch_new(aloop_file_watch **watch, const char *path);
/* An operation (see future.h) whose value is an aloop_file_event (a reference)
 * and whose status is its kind. One may wait at a time: ALOOP_EBUSY. Cancelled,
 * it loses nothing. ALOOP_ESTOPITERATION when the path itself is gone, after its
 * event; ALOOP_ESTALE after close. */
ALOOP_API aloop_future *aloop_file_watch_next(aloop_file_watch *watch);
/* Closes it; who waits gets ALOOP_ESTALE. Again: 0. Dropping it closes it, too. */
ALOOP_API int64_t aloop_file_watch_close(aloop_file_watch *watch);

/* What became of name, which is "" for the watched path itself. A move within
 * the directory is one event with both names; old_name alone: it was moved
 * away; name alone: it came from elsewhere. */
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
