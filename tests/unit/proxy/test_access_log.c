#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "proxy/access_log.h"

enum { READ_MAX = 1 << 20 };

static struct {
    int read_fd, write_fd; /* a pipe */
    struct access_log log;
    char got[READ_MAX];
    size_t size;
} bed;

static int setup(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    bed.read_fd = fds[0];
    bed.write_fd = fds[1];
    assert_int_equal(fcntl(bed.read_fd, F_SETFL, O_NONBLOCK), 0);
    bed.size = 0;
    access_log_init(&bed.log, bed.write_fd, LOG_TEXT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    access_log_done(&bed.log);
    (void)close(bed.read_fd);
    (void)close(bed.write_fd);
    return 0;
}

static void use_json(void)
{
    access_log_done(&bed.log);
    access_log_init(&bed.log, bed.write_fd, LOG_JSON);
}

/* 2026-01-02T03:04:05.067Z */
static struct access_entry sample(void)
{
    return (struct access_entry){
        .wall_ms = INT64_C(1767323045067),
        .caller = "shop",
        .known_by = "api_key_next",
        .peer = "127.0.0.1:5678",
        .method = TEXT("POST"),
        .host = TEXT("localhost"),
        .path = TEXT("/pay/7"),
        .route = "payments",
        .provider = "bambora",
        .status = 201,
        .bytes_in = 15,
        .bytes_out = UINT64_C(5000000000),
        .total_us = 12345,
        .upstream_us = 900,
        .token_us = 0,
        .replays = 1,
        .request_id = TEXT("id-1"),
        .traceparent = TEXT("00-1-2-01"),
        .error = "",
    };
}

/* Takes what is in the pipe. */
static const char *written(void)
{
    ssize_t got;
    while ((got = read(bed.read_fd, bed.got + bed.size, READ_MAX - 1 - bed.size)) > 0)
        bed.size += (size_t)got;
    bed.got[bed.size] = '\0';
    return bed.got;
}

static const char *line_of(const struct access_entry *e)
{
    bed.size = 0;
    access_log_add(&bed.log, e);
    access_log_flush(&bed.log);
    return written();
}

/* ---- lines ---- */

static void a_text_line_is_keys_and_values(void **state)
{
    (void)state;
    struct access_entry e = sample();
    assert_string_equal(
        line_of(&e),
        "2026-01-02T03:04:05.067Z caller=shop by=api_key_next peer=127.0.0.1:5678 method=POST "
        "host=localhost "
        "path=/pay/7 route=payments provider=bambora status=201 in=15 out=5000000000 ms=12.345 "
        "upstream_ms=0.900 token_ms=0.000 replays=1 request_id=id-1 trace=00-1-2-01 error=-\n");
}

static void what_is_not_there_is_a_dash(void **state)
{
    (void)state;
    struct access_entry e = {.wall_ms = INT64_C(1767323046999),
                             .peer = "unix",
                             .total_us = -5,
                             .upstream_us = 1000,
                             .token_us = 999999999,
                             .error = "bad_request"};
    assert_string_equal(
        line_of(&e),
        "2026-01-02T03:04:06.999Z caller=- by=- peer=unix method=- host=- path=- route=- "
        "provider=- status=0 in=0 out=0 ms=0.000 upstream_ms=1.000 "
        "token_ms=999999.999 replays=0 request_id=- trace=- error=bad_request\n");
}

static void the_time_is_each_lines_own(void **state)
{
    (void)state;
    struct access_entry e = sample();
    (void)line_of(&e);
    e.wall_ms += 1;
    assert_memory_equal(line_of(&e), "2026-01-02T03:04:05.068Z ", 25);
    e.wall_ms += 1000;
    assert_memory_equal(line_of(&e), "2026-01-02T03:04:06.068Z ", 25);
    e.wall_ms -= 1000;
    assert_memory_equal(line_of(&e), "2026-01-02T03:04:05.068Z ", 25);
}

static void nobody_forges_a_line(void **state)
{
    (void)state;
    struct access_entry e = sample();
    e.path = TEXT("/a\"b\\c");
    e.host = TEXT("\x80\x1b\nb");
    e.method = TEXT("G T");
    const char *line = line_of(&e);
    assert_non_null(
        strstr(line, " method=\"G T\" host=\"\\u0080\\u001b\\nb\" path=\"/a\\\"b\\\\c\" "));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    for (const char *at = line; *at != '\n'; at++)
        assert_in_range(*at, 0x20, 0x7e);
}

static double number(const struct json *j, const char *name)
{
    double value = -1;
    assert_int_equal(json_number(json_at(j, text_of(name)), &value), 0);
    return value;
}

static void assert_string(const struct json *j, const char *name, const char *expected)
{
    const char *value = json_string(json_at(j, text_of(name)));
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s is %s instead of %s", name, value ? value : "(no string)", expected);
}

static void a_json_line_is_one_object(void **state)
{
    (void)state;
    use_json();
    struct access_entry e = sample();
    e.path = TEXT("/a\"b\\c\x01");
    e.provider = NULL;
    const char *line = line_of(&e);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    struct json *j = json_parse(text_of(line), NULL);
    assert_non_null(j);
    assert_string(j, "time", "2026-01-02T03:04:05.067Z");
    assert_string(j, "caller", "shop");
    assert_string(j, "by", "api_key_next");
    assert_string(j, "peer", "127.0.0.1:5678");
    assert_string(j, "method", "POST");
    assert_string(j, "host", "localhost");
    assert_string(j, "path", "/a\"b\\c\x01");
    assert_string(j, "route", "payments");
    assert_string(j, "request_id", "id-1");
    assert_string(j, "trace", "00-1-2-01");
    assert_non_null(strstr(line, ",\"provider\":null,"));
    assert_non_null(strstr(line, ",\"error\":null}"));
    assert_true(number(j, "status") > 200.5 && number(j, "status") < 201.5);
    assert_true(number(j, "out") > 4999999999.5 && number(j, "out") < 5000000000.5);
    assert_true(number(j, "ms") > 12.3445 && number(j, "ms") < 12.3455);
    assert_true(number(j, "replays") > 0.5);
    json_free(j);
}

/* Longer than a pipe takes at once: it could be mixed with another worker's. */
static void no_line_is_longer_than_a_pipe_takes(void **state)
{
    (void)state;
    static char quotes[20000];
    memset(quotes, '"', sizeof(quotes));
    quotes[0] = '/';
    struct access_entry e = sample();
    e.path = (struct text){quotes, sizeof(quotes)};
    e.host = (struct text){quotes, sizeof(quotes)};
    e.method = (struct text){quotes, sizeof(quotes)};
    for (int json = 0; json < 2; json++) {
        const char *line = line_of(&e);
        assert_in_range(strlen(line), 1000, 4096);
        assert_non_null(strstr(line, "id-1"));
        use_json();
    }
}

/* ---- writing ---- */

static void lines_gather_until_they_are_flushed(void **state)
{
    (void)state;
    struct access_entry e = sample();
    access_log_add(&bed.log, &e);
    access_log_add(&bed.log, &e);
    assert_string_equal(written(), "");
    access_log_flush(&bed.log);
    size_t size = strlen(written());
    assert_int_equal(size % 2, 0);
    assert_memory_equal(bed.got, bed.got + size / 2, size / 2);
    access_log_flush(&bed.log);
    assert_int_equal(strlen(written()), size);
}

static void what_is_left_is_written_at_the_end(void **state)
{
    (void)state;
    struct access_entry e = sample();
    access_log_add(&bed.log, &e);
    access_log_done(&bed.log);
    assert_non_null(strstr(written(), "error=-\n"));
    access_log_init(&bed.log, bed.write_fd, LOG_TEXT);
}

static void with_the_log_off_nothing_happens(void **state)
{
    (void)state;
    struct access_log off;
    struct access_entry e = sample();
    access_log_init(&off, -2, LOG_TEXT);
    access_log_add(&off, &e);
    assert_int_equal(buffer_size(&off.lines), 0);
    access_log_flush(&off);
    access_log_done(&off);
}

/* The reader stands still: lines are lost and counted, nobody waits, none is cut. */
static void a_full_pipe_is_not_waited_for(void **state)
{
    (void)state;
    struct access_entry e = sample();
    (void)line_of(&e);
    size_t line = strlen(bed.got);
    char first[512];
    memcpy(first, bed.got, line);
    bed.size = 0;
    size_t count = 0;
    while (bed.log.dropped < 10) {
        access_log_add(&bed.log, &e);
        access_log_flush(&bed.log); /* would wait here for ever: the pipe's end blocks */
        count++;
    }
    size_t kept = count - 10;
    assert_true(kept * line > ACCESS_LOG_CEILING);
    assert_true(buffer_size(&bed.log.lines) <= ACCESS_LOG_CEILING);
    while (bed.size < kept * line) { /* the reader goes on */
        size_t before = bed.size;
        (void)written();
        access_log_flush(&bed.log);
        assert_true(bed.size > before);
    }
    assert_int_equal(bed.size, kept * line);
    for (size_t i = 0; i < kept; i++)
        assert_memory_equal(bed.got + i * line, first, line);
    assert_int_equal(bed.log.dropped, 10);
    access_log_add(&bed.log, &e);
    assert_int_equal(bed.log.dropped, 10);
}

static void a_full_disk_is_named_and_nobody_waits(void **state)
{
    (void)state;
    struct access_entry e = sample();
    struct access_log log;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    access_log_init(&log, full, LOG_TEXT);
    while (log.dropped < 3) {
        access_log_add(&log, &e);
        access_log_flush(&log);
    }
    assert_int_equal(log.error, ENOSPC);
    (void)line_of(&e);
    size_t line = strlen(bed.got), waiting = buffer_size(&log.lines) / line;
    bed.size = 0;
    access_log_move(&log, bed.write_fd, LOG_TEXT); /* what it could not write is lost, too */
    assert_int_equal(log.dropped, 3 + waiting);
    access_log_add(&log, &e);
    access_log_flush(&log);
    assert_int_equal(strlen(written()), line);
    assert_int_equal(log.error, 0);
    access_log_done(&log);
    (void)close(full);
}

static void a_fifo_without_a_reader_is_an_error(void **state)
{
    (void)state;
    struct error err;
    char folder[] = "/tmp/bearerd-log-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(access_log_open(path, &err), -1);
    assert_non_null(strstr(err.text, "it is a FIFO that nobody reads"));
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int fd = access_log_open(path, &err);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)close(reader);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void check_whole_lines(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        if (memcmp(text, "2026-01-02T03:04:05.067Z caller=", 32) != 0 ||
            memcmp(end - 8, " error=-", 8) != 0 ||
            memchr(text + 1, 'Z', (size_t)(end - text - 1)) != text + 23)
            fail_msg("a mixed line: %.*s", (int)(end - text), text);
        text = end + 1;
    }
}

/* Each worker has a log of its own before the same descriptor. */
static void lines_of_two_workers_do_not_mix(void **state)
{
    (void)state;
    struct access_log other;
    struct access_entry e = sample();
    access_log_init(&other, bed.write_fd, LOG_TEXT);
    for (int i = 0; i < 700; i++) {
        e.path.size = 1 + (size_t)i % 6;
        access_log_add(&bed.log, &e);
        access_log_add(&other, &e);
    }
    for (int i = 0; i < 100; i++) { /* the reader takes a piece now and then */
        access_log_flush(i % 2 ? &bed.log : &other);
        ssize_t got = read(bed.read_fd, bed.got + bed.size, 5000);
        bed.size += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(buffer_size(&bed.log.lines) + buffer_size(&other.lines), 0);
    check_whole_lines(written());
    access_log_done(&other);
}

/* Takes all that is in the pipe, then leaves room for one piece. */
static void leave_room_for_one_piece(void)
{
    static char full[65536];
    bed.size = 0;
    (void)written();
    assert_int_equal(fcntl(bed.write_fd, F_GETPIPE_SZ), sizeof(full));
    assert_int_equal(write(bed.write_fd, full, sizeof(full) - 4096), sizeof(full) - 4096);
}

static pthread_barrier_t together;

static void *flush_in_thread(void *arg)
{
    (void)pthread_barrier_wait(&together);
    access_log_flush(arg);
    return NULL;
}

/* Both see that there is room for a piece; only one may write it. */
static void two_workers_do_not_wait_for_each_others_room(void **state)
{
    (void)state;
    struct access_log other;
    struct access_entry e = sample();
    pthread_t threads[2];
    access_log_init(&other, bed.write_fd, LOG_TEXT);
    assert_int_equal(pthread_barrier_init(&together, NULL, 2), 0);
    (void)alarm(20); /* ends the test if one waits for the reader */
    for (int i = 0; i < 2000; i++) {
        for (int lines = 0; lines < 40; lines++) {
            access_log_add(&bed.log, &e);
            access_log_add(&other, &e);
        }
        leave_room_for_one_piece();
        assert_int_equal(pthread_create(&threads[0], NULL, flush_in_thread, &bed.log), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, flush_in_thread, &other), 0);
        assert_int_equal(pthread_join(threads[0], NULL), 0);
        assert_int_equal(pthread_join(threads[1], NULL), 0);
        buffer_clear(&bed.log.lines);
        buffer_clear(&other.lines);
    }
    (void)alarm(0);
    (void)pthread_barrier_destroy(&together);
    access_log_done(&other);
}

/* ---- where to ---- */

static void the_target_names_a_stream_or_a_file(void **state)
{
    (void)state;
    struct error err = {""};
    char path[] = "/tmp/test-access-log-XXXXXX";
    struct stat st;
    assert_int_equal(access_log_open("off", &err), -2);
    assert_int_equal(access_log_open("stdout", &err), STDOUT_FILENO);
    assert_int_equal(access_log_open("stderr", &err), STDERR_FILENO);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before\n", 7), 7);
    (void)close(fd);

    fd = access_log_open(path, &err);
    assert_true(fd > STDERR_FILENO);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct access_log log;
    struct access_entry e = sample();
    access_log_init(&log, fd, LOG_TEXT);
    access_log_add(&log, &e);
    access_log_done(&log);
    (void)close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_in_range(read(fd, bed.got, READ_MAX), 7 + 200, 7 + 400);
    assert_memory_equal(bed.got, "before\n2026", 11); /* appended */
    (void)close(fd);
    assert_int_equal(unlink(path), 0);

    fd = access_log_open(path, &err); /* made when it is not there, and not for everybody */
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07137, 0);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct error err = {""};
    assert_int_equal(access_log_open("/nowhere/access.log", &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/access.log"));
    assert_non_null(strstr(err.text, strerror(ENOENT)));
}

/* A file takes everything at once, whatever has gathered. */
static void a_file_gets_all_that_has_gathered(void **state)
{
    (void)state;
    char path[] = "/tmp/test-access-log-XXXXXX";
    int fd = mkstemp(path);
    struct access_log log;
    struct access_entry e = sample();
    access_log_init(&log, fd, LOG_TEXT);
    for (int i = 0; i < 800; i++)
        access_log_add(&log, &e);
    assert_int_equal(log.dropped, 0);
    size_t size = buffer_size(&log.lines);
    access_log_flush(&log);
    assert_int_equal(buffer_size(&log.lines), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)size);
    assert_int_equal(pread(fd, bed.got, READ_MAX - 1, 0), (ssize_t)size);
    bed.got[size] = '\0';
    check_whole_lines(bed.got);
    access_log_done(&log);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_line_is_keys_and_values),
        TEST(what_is_not_there_is_a_dash),
        TEST(the_time_is_each_lines_own),
        TEST(nobody_forges_a_line),
        TEST(a_json_line_is_one_object),
        TEST(no_line_is_longer_than_a_pipe_takes),
        TEST(lines_gather_until_they_are_flushed),
        TEST(what_is_left_is_written_at_the_end),
        TEST(with_the_log_off_nothing_happens),
        TEST(a_full_disk_is_named_and_nobody_waits),
        TEST(a_fifo_without_a_reader_is_an_error),
        TEST(a_full_pipe_is_not_waited_for),
        TEST(lines_of_two_workers_do_not_mix),
        TEST(two_workers_do_not_wait_for_each_others_room),
        TEST(the_target_names_a_stream_or_a_file),
        TEST(a_file_that_cannot_be_opened_is_named),
        TEST(a_file_gets_all_that_has_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
