/*
 * Sends a command to many devices at once and parses what each answers. One of
 * them is not there: its error is a result like the others' tables.
 *
 * The devices are servers on loopback with a prompt, as a router has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 3
#define MOST_ROWS 8
#define NOT_A_TABLE (ALOOP_EUSER - 1)

struct device {
    const char *name;
    const char *table; /* what the device shows; NULL: it is switched off */
    int port;
};

/* The client -------------------------------------------------------------------------- */

struct row {
    char interface[24], address[24], status[24], protocol[12];
};

struct table {
    int rows;
    struct row row[MOST_ROWS];
};

static int64_t parse_output(const char *text, struct table *table) {
    table->rows = 0;
    const char *line = strchr(text, '\n'); /* the first one is the heading */
    for (; line != NULL && table->rows < MOST_ROWS; line = strchr(line + 1, '\n')) {
        struct row *row = &table->row[table->rows];
        if (sscanf(line, " %23s %23s %*s %*s %23s %11s", row->interface, row->address, row->status,
                   row->protocol) == 4) {
            table->rows++;
        }
    }
    return table->rows > 0 ? 0 : aloop_raise(NOT_A_TABLE, "no table in the answer");
}

/* Everything up to the prompt. */
static int64_t read_prompt(aloop_stream *connection, aloop_bytes **text) {
    return aloop_await(aloop_wait_for(aloop_stream_readuntil(connection, "#", 1), 5),
                       (void **)text);
}

static int64_t send_command(aloop_stream *connection, const char *command, struct table *table) {
    aloop_bytes *text = NULL;
    int64_t rc = read_prompt(connection, &text);
    aloop_bytes_unref(text);
    if (rc < 0) return rc;
    aloop_stream_write(connection, command, strlen(command));
    aloop_stream_write(connection, "\n", 1);
    text = NULL;
    rc = read_prompt(connection, &text);
    if (rc >= 0) rc = parse_output((const char *)aloop_bytes_data(text), table);
    aloop_bytes_unref(text);
    return rc;
}

static int64_t send_show(void *arg, void **value) {
    (void)value;
    const struct device *device = arg;
    ALOOP_SCOPE(scope);
    aloop_stream *connection = NULL;
    int64_t rc =
        aloop_await(aloop_open_connection("127.0.0.1", device->port, NULL), (void **)&connection);
    if (rc < 0) return rc;
    aloop_exit_stack_unref(scope, connection); /* which closes it */
    struct table *table = malloc(sizeof *table);
    if (table == NULL) return ALOOP_ENOMEM;
    rc = send_command(connection, "show ip int br", table);
    if (rc >= 0) return aloop_return(0, table, free);
    free(table);
    return rc;
}

static void print(const struct device *device, aloop_results *results, int i) {
    printf("%s:\n", device->name);
    if (aloop_results_error(results, i) != NULL) {
        printf("  %s\n", aloop_strerror(aloop_results_status(results, i)));
        return;
    }
    const struct table *table = aloop_results_value(results, i);
    for (int k = 0; k < table->rows; k++) {
        const struct row *row = &table->row[k];
        printf("  %-12s %-16s %s/%s\n", row->interface, row->address, row->status, row->protocol);
    }
}

static int64_t run_all(struct device *devices) {
    aloop_task *tasks[DEVICES];
    for (int i = 0; i < DEVICES; i++) tasks[i] = aloop_create_task(send_show, &devices[i]);
    aloop_results *results = NULL;
    int64_t rc =
        aloop_await(aloop_gather(tasks, DEVICES, ALOOP_RETURN_EXCEPTIONS), (void **)&results);
    if (rc < 0) return rc;
    for (int i = 0; i < DEVICES; i++) print(&devices[i], results, i);
    aloop_results_unref(results);
    return 0;
}

/* The devices ------------------------------------------------------------------------- */

#define HEADING "Interface    IP-Address      OK? Method Status Protocol\n"

static struct device devices[DEVICES] = {
    {"192.168.100.1",
     HEADING "Ethernet0/0  192.168.100.1   YES NVRAM  up     up\n"
             "Ethernet0/1  192.168.200.1   YES NVRAM  up     up\n",
     0},
    {"192.168.100.2",
     HEADING "Ethernet0/0  192.168.100.2   YES NVRAM  up     up\n"
             "Ethernet0/1  unassigned      YES NVRAM  down   down\n",
     0},
    {"192.168.100.3", NULL, 0},
};

static int64_t be_device(aloop_stream *client, void *data) {
    const struct device *device = data;
    for (;;) {
        aloop_stream_write(client, "router#", 7);
        aloop_bytes *command = NULL;
        int64_t rc = aloop_await(aloop_stream_readline(client), (void **)&command);
        aloop_bytes_unref(command);
        if (rc <= 0) return rc;
        aloop_stream_write(client, device->table, strlen(device->table));
    }
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *servers[DEVICES] = {NULL};
    int64_t rc = 0;
    for (int i = 0; i < DEVICES && rc >= 0; i++) {
        aloop_stream_options *options = aloop_stream_options_new();
        /* One that is switched off keeps its port, and does not listen. */
        aloop_stream_options_set_start_serving(options, devices[i].table != NULL);
        rc = aloop_await(aloop_start_server(be_device, &devices[i], "127.0.0.1", 0, options),
                         (void **)&servers[i]);
        aloop_unref(options);
        devices[i].port = (int)aloop_server_port(servers[i], 0);
    }
    if (rc >= 0) rc = run_all(devices);
    for (int i = 0; i < DEVICES; i++) {
        aloop_server_close(servers[i]);
        aloop_unref(servers[i]);
    }
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
