/*
 * Files, and what happens to them: one task writes, renames and deletes, another
 * is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t watch(void *watched, void **value) {
    (void)value;
    static const char *const kinds[] = {"?", "created", "modified", "deleted", "moved"};
    for (;;) {
        aloop_file_event *event = NULL;
        const int64_t kind = aloop_await(aloop_file_watch_next(watched), (void **)&event);
        if (kind == ALOOP_ESTOPITERATION) return 0; /* the directory is gone */
        if (kind < 0) return kind;
        const char *name = aloop_file_event_name(event);
        const char *old_name = aloop_file_event_old_name(event);
        if (kind == ALOOP_FILE_MOVED) {
            printf("moved: %s to %s\n", old_name, name);
        } else if (kind <= ALOOP_FILE_MOVED) {
            printf("%s: %s\n", kinds[kind], *name != '\0' ? name : "the directory");
        }
        aloop_unref(event);
    }
}

static int64_t change(const char *directory) {
    char draft[128], final[128];
    snprintf(draft, sizeof draft, "%s/draft", directory);
    snprintf(final, sizeof final, "%s/final", directory);
    aloop_file *file = NULL;
    int64_t rc = aloop_await(aloop_file_open(draft, O_WRONLY | O_CREAT, 0600),
                             (void **)&file);
    if (rc < 0) return rc;
    rc = aloop_await(aloop_file_write(file, "Hello\n", 6), NULL);
    if (rc >= 0) rc = aloop_await(aloop_file_close(file), NULL);
    aloop_unref(file);
    if (rc < 0) return rc;
    rename(draft, final);
    aloop_bytes *text = NULL;
    rc = aloop_await(aloop_read_file(final, -1), (void **)&text);
    if (rc >= 0) printf("read: %s", (const char *)aloop_bytes_data(text));
    aloop_bytes_unref(text);
    unlink(final);
    rmdir(directory);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    char directory[] = "/tmp/watch-files-XXXXXX";
    if (mkdtemp(directory) == NULL) return ALOOP_EINVAL;
    aloop_file_watch *watched = NULL;
    int64_t rc = aloop_file_watch_new(&watched, directory);
    if (rc < 0) return rc;
    rc = change(directory);
    if (rc >= 0) rc = aloop_await(aloop_create_task(watch, watched), NULL);
    aloop_unref(watched);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
