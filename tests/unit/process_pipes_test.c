/* process.h: talking to children.
 * SPDX-License-Identifier: MIT */
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t by_hand(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("while read x; do echo got $x; done",
                             pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_stream_write(aloop_process_stdin(p), "line\n", 5) >= 0);
        aloop_bytes *line = NULL;
        assert_code(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line), 9);
        assert_string_equal((const char *)aloop_bytes_data(line), "got line\n");
        aloop_unref(line);
    }
    assert_code(aloop_stream_write(aloop_process_stdout(p), "x", 1), ALOOP_EINVALIDSTATE);
    assert_code(aloop_stream_write_eof(aloop_process_stdin(p)), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_bytes *rest = NULL;
    assert_code(aloop_await(aloop_stream_read(aloop_process_stdout(p), -1), (void **)&rest), 0);
    aloop_unref(rest);
    assert_code(aloop_stream_close(aloop_process_stdin(p)), 0);
    assert_code(aloop_await(aloop_stream_wait_closed(aloop_process_stdin(p)), NULL), 0);
    aloop_unref(p);
    return 0;
}

static void talking_to_a_child(void **state) {
    (void)state;
    on_real_clock(by_hand);
}

enum { much = 20 * 1000 * 1000 };

static int64_t through_cat(void *unused, void **value) {
    (void)unused;
    (void)value;
    uint8_t *data = malloc(much);
    for (int i = 0; i < much; i++) data[i] = (uint8_t)(i * 7 + i / 251);
    aloop_process *p = shell("tee /dev/stderr", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, much), (void **)&results), 0);
    for (int i = 0; i < 2; i++) {
        aloop_bytes *b = aloop_results_value(results, i);
        assert_int_equal(aloop_results_status(results, i), much);
        assert_int_equal(aloop_bytes_size(b), much);
        assert_true(memcmp(aloop_bytes_data(b), data, much) == 0);
    }
    aloop_unref(results);
    aloop_unref(p);
    free(data);
    return 0;
}

static void much_in_all_directions_at_once(void **state) {
    (void)state;
    on_real_clock(through_cat);
}

/* Both ways: cat answers while it is still being written to. */
static int64_t a_megabyte(void *unused, void **value) {
    (void)unused;
    (void)value;
    const size_t size = 1000 * 1000; /* a hundred of them: tests/stress/children_test.c */
    uint32_t *data = malloc(size);
    for (size_t i = 0; i < size / 4; i++) data[i] = (uint32_t)(i * 2654435761u);
    aloop_process *p = shell("exec cat", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, size), (void **)&results), 0);
    aloop_bytes *back = aloop_results_value(results, 0);
    assert_int_equal(aloop_bytes_size(back), size);
    assert_true(memcmp(aloop_bytes_data(back), data, size) == 0);
    aloop_unref(results);
    aloop_unref(p);
    free(data);
    return 0;
}

static void much_through_cat_and_back(void **state) {
    (void)state;
    on_real_clock(a_megabyte);
}

static int64_t unwanted_input(void *unused, void **value) {
    (void)unused;
    (void)value;
    char *data = calloc(1, 1 << 20);
    aloop_process *p = shell("exec true", pipes(ALOOP_PIPE, ALOOP_INHERIT, ALOOP_INHERIT));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, 1 << 20), (void **)&results), 0);
    assert_int_equal(aloop_results_count(results), 2);
    aloop_unref(results);
    aloop_unref(p);
    free(data);
    return 0;
}

static void unread_input_is_no_error(void **state) {
    (void)state;
    on_real_clock(unwanted_input);
}

static int64_t partial(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("echo first; read x; echo second $x",
                             pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_future *f = aloop_ensure_future(aloop_process_communicate(p, NULL, 0));
    aloop_bytes *so_far = NULL;
    do { /* its stdin is closed: it ends, but the reader is cancelled before that */
        assert_code(aloop_await(aloop_sleep(0.002), NULL), 0);
        aloop_unref(so_far);
        so_far = aloop_process_output(p, 1);
    } while (aloop_bytes_size(so_far) == 0);
    assert_true(strncmp((const char *)aloop_bytes_data(so_far), "first\n", 6) == 0);
    aloop_unref(so_far);
    aloop_future_cancel(f, NULL);
    aloop_await(f, NULL);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)),
                        "first\nsecond\n");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static int64_t timed_out(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("echo partial; exec sleep 60",
                             pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_bytes *so_far = NULL;
    do {
        assert_code(aloop_await(aloop_wait_for(aloop_process_communicate(p, NULL, 0), 0.05), NULL),
                    ALOOP_ETIMEDOUT);
        aloop_unref(so_far);
        so_far = aloop_process_output(p, 1);
    } while (aloop_bytes_size(so_far) == 0);
    assert_string_equal((const char *)aloop_bytes_data(so_far), "partial\n");
    aloop_unref(so_far);
    assert_code(aloop_process_kill(p), 0);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results),
                ALOOP_SIGNALED + SIGKILL);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)),
                        "partial\n");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void a_cancelled_communicate_keeps_what_it_read(void **state) {
    (void)state;
    on_real_clock(partial);
    on_real_clock(timed_out);
}

static int64_t capped(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_set_output_limit(o, 100000), 0);
    aloop_process *p = shell("exec cat /dev/zero", o);
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL), ALOOP_ELIMITOVERRUN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "the child wrote more than 100000 bytes to its stdout");
    for (int i = 0; i < 2; i++) { /* again: it would read no more */
        aloop_bytes *kept = aloop_process_output(p, 1);
        assert_int_equal(aloop_bytes_size(kept), 100000);
        aloop_unref(kept);
        assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL), ALOOP_ELIMITOVERRUN);
    }
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    return 0;
}

/* What is over the cap stays in the stream, in order. */
static int64_t just_capped(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *commands[] = {"printf 123456", "printf 1234567", "printf 12345; printf 67"};
    for (int i = 0; i < 3; i++) {
        aloop_process_options *o = pipes(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
        assert_code(aloop_process_options_set_output_limit(o, 6), 0);
        aloop_process *p = shell(commands[i], o);
        for (int again = 0; again < 2; again++) {
            assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL),
                        i == 0 ? 0 : ALOOP_ELIMITOVERRUN);
            aloop_bytes *kept = aloop_process_output(p, 1);
            assert_string_equal((const char *)aloop_bytes_data(kept), "123456");
            aloop_unref(kept);
        }
        aloop_bytes *rest = NULL;
        if (i > 0) {
            aloop_future *f = aloop_stream_read(aloop_process_stdout(p), -1);
            assert_code(aloop_await(f, (void **)&rest), 1);
            assert_string_equal((const char *)aloop_bytes_data(rest), "7");
            aloop_unref(rest);
        }
        assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
        aloop_unref(p);
    }
    return 0;
}

static void output_has_a_cap(void **state) {
    (void)state;
    on_real_clock(capped);
    on_real_clock(just_capped);
}

/* The child reads late, so that the first communicate is cancelled halfway. */
static int64_t halfway(void *unused, void **value) {
    (void)unused;
    (void)value;
    enum { size = 1000000 };
    char *data = malloc(size);
    for (int i = 0; i < size; i++) data[i] = (char)('a' + i % 23);
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    aloop_process_options *o = pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_add_fd(o, go[0], 3), 0);
    aloop_process *p = shell("read go <&3; exec cat", o);
    const void *inputs[] = {data, data, NULL};
    const size_t sizes[] = {size, size, 0};
    for (int i = 0; i < 3; i++) { /* the same input again, or none: it goes on */
        assert_code(aloop_await(aloop_wait_for(aloop_process_communicate(p, inputs[i], sizes[i]),
                                               0.005), NULL), ALOOP_ETIMEDOUT);
    }
    assert_code(aloop_await(aloop_process_communicate(p, "other", 5), NULL), ALOOP_EINVALIDSTATE);
    assert_int_equal(write(go[1], "\n", 1), 1);
    close(go[0]);
    close(go[1]);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, size), (void **)&results), 0);
    aloop_bytes *back = aloop_results_value(results, 0);
    assert_int_equal(aloop_bytes_size(back), size);
    assert_true(memcmp(aloop_bytes_data(back), data, size) == 0);
    aloop_unref(results);
    assert_code(aloop_await(aloop_process_communicate(p, data, size), NULL), 0);
    assert_code(aloop_await(aloop_process_communicate(p, "other", 5), NULL), ALOOP_EINVALIDSTATE);
    aloop_unref(p);
    free(data);
    return 0;
}

/* Also when all of it has been sent long ago another of the same size is refused. */
static int64_t another_input(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("cat; exec sleep 60", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_bytes *so_far = NULL;
    do {
        aloop_future *talk = aloop_process_communicate(p, "aaaa", 4);
        assert_code(aloop_await(aloop_wait_for(talk, 0.05), NULL), ALOOP_ETIMEDOUT);
        aloop_unref(so_far);
        so_far = aloop_process_output(p, 1);
    } while (aloop_bytes_size(so_far) < 4);
    aloop_unref(so_far);
    assert_code(aloop_await(aloop_process_communicate(p, "bbbb", 4), NULL), ALOOP_EINVALIDSTATE);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "communicate has begun with another input");
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_communicate(p, "aaaa", 4), NULL),
                ALOOP_SIGNALED + SIGKILL);
    assert_code(aloop_await(aloop_process_communicate(p, "bbbb", 4), NULL), ALOOP_EINVALIDSTATE);
    aloop_unref(p);
    return 0;
}

static void a_cancelled_communicate_goes_on_with_its_input(void **state) {
    (void)state;
    on_real_clock(halfway);
    on_real_clock(another_input);
}

static struct reports reports;

/* One that fails is over when it says so: another may begin at once. */
static int64_t one_at_a_time(void *unused, void **value) {
    (void)unused;
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    aloop_process_options *o = pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE);
    assert_code(aloop_process_options_set_output_limit(o, 3), 0);
    aloop_process *p = shell("printf 1234; sleep 60 >&-", o);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL), ALOOP_ELIMITOVERRUN);
    }
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    p = shell("read x; echo $x", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE));
    aloop_future *first = aloop_ensure_future(aloop_process_communicate(p, "x\n", 2));
    aloop_future *second = aloop_ensure_future(aloop_process_communicate(p, NULL, 0));
    assert_code(aloop_await(second, NULL), ALOOP_EBUSY);
    assert_code(aloop_await(first, NULL), 0);
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL), 0);
    aloop_unref(p);
    return 0;
}

static int64_t communicate_in_task(void *process, void **value) {
    (void)value;
    return aloop_await(aloop_process_communicate(process, NULL, 0), NULL);
}

/* Cancelled while it fails it ends with one or the other, as a gather does, and
 * another may begin. */
static int64_t cancelled_while_failing(void *unused, void **value) {
    (void)unused;
    (void)value;
    int failed = 0;
    int cancelled = 0;
    capture_reports(aloop_get_running_loop(), &reports);
    for (int before = 0; before < 8; before++) {
        aloop_process_options *o = pipes(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_PIPE);
        assert_code(aloop_process_options_set_output_limit(o, 3), 0);
        aloop_process *p = shell("printf 1234; printf x >&2; exec sleep 60 >&-", o);
        aloop_bytes *written = NULL; /* what it wrote before that is there, too */
        aloop_future *f = aloop_stream_read(aloop_process_stderr(p), 1);
        assert_code(aloop_await(f, (void **)&written), 1);
        aloop_unref(written);
        aloop_task *t = aloop_create_task(communicate_in_task, p);
        let_run(before);
        aloop_task_cancel(t, NULL);
        if (aloop_await(t, NULL) == ALOOP_ECANCELED) cancelled++;
        else failed++;
        assert_code(communicate_in_task(p, NULL), ALOOP_ELIMITOVERRUN);
        assert_code(aloop_process_kill(p), 0);
        assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
        aloop_unref(p);
    }
    assert_true(cancelled > 0 && failed > 0);
    return 0;
}

static void one_communicates_at_a_time(void **state) {
    (void)state;
    on_real_clock(cancelled_while_failing);
    assert_int_equal(reports.count, 0);
    on_real_clock(one_at_a_time);
    assert_int_equal(reports.count, 0);
}

/* As a pipe, it can be opened anew; and the host gets no SIGPIPE from it. */
static int64_t input_by_name(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("exec cat /dev/stdin", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, "by name", 7), (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)), "by name");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void a_child_opens_dev_stdin(void **state) {
    (void)state;
    on_real_clock(input_by_name);
}

SUITE(CASE(talking_to_a_child), CASE(much_in_all_directions_at_once),
      CASE(much_through_cat_and_back), CASE(unread_input_is_no_error),
      CASE(a_cancelled_communicate_keeps_what_it_read),
      CASE(output_has_a_cap), CASE(a_cancelled_communicate_goes_on_with_its_input),
      CASE(one_communicates_at_a_time), CASE(a_child_opens_dev_stdin))
