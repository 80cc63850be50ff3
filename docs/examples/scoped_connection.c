/*
 * A context manager as a function: get_connection acquires a connection and
 * leaves its release with the caller's scope. It is released after success,
 * after an error and after a cancellation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define NO_SUCH_TABLE (ALOOP_EUSER - 1)

struct connection {
    int open;
};

static int64_t release_db_connection(void *connection) {
    int64_t rc = aloop_await(aloop_sleep(0.1), NULL);
    ((struct connection *)connection)->open = 0;
    puts("connection released");
    return rc;
}

static int64_t get_connection(aloop_exit_stack *scope, struct connection *connection) {
    int64_t rc = aloop_await(aloop_sleep(0.1), NULL);
    if (rc < 0) return rc;
    connection->open = 1;
    puts("connection acquired");
    return aloop_exit_stack_callback(scope, release_db_connection, connection);
}

static int64_t query(const struct connection *connection, const char *table) {
    if (!connection->open) return ALOOP_EBADF;
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    if (table == NULL) return aloop_raise(NO_SUCH_TABLE, "no such table");
    printf("SELECT * FROM %s\n", table);
    return 0;
}

static int64_t get_all(void *table, void **value) {
    (void)value;
    ALOOP_SCOPE(scope);
    struct connection connection = {0};
    int64_t rc = get_connection(scope, &connection);
    if (rc < 0) return rc;
    return query(&connection, table);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = get_all("users", NULL);
    printf("-> %s\n", aloop_errname(rc));
    rc = get_all(NULL, NULL);
    printf("-> %s\n", rc == NO_SUCH_TABLE ? "no such table" : aloop_errname(rc));
    rc = aloop_await(aloop_wait_for(aloop_create_task(get_all, "users"), 0.5), NULL);
    printf("-> %s\n", aloop_errname(rc));
    return rc == ALOOP_ETIMEDOUT ? 0 : rc;
}

int main(void) { return aloop_main(run, NULL); }
