#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/server_internal.h"

/* A server and a client that only hold what a request asks of them. */
static struct http_server server;
static struct client client;
static char memory[4096]; /* the head, as it lies in the connection's memory */

static int done_calls;

static void on_done(struct http_request *r, enum http_end end)
{
    (void)end;
    assert_true(r->in_callback);
    done_calls++;
}

static const struct http_handler handler = {.on_done = on_done};

static int setup(void **state)
{
    server = (struct http_server){.handler = &handler,
                                  .config = {.connection_memory = 16384, .body_min_rate = 256}};
    client = (struct client){.server = &server, .peer = "127.0.0.1:5"};
    list_init(&server.spare_requests);
    done_calls = 0;
    *state = http_request_new(&server, &client);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    http_request_recycle(*state);
    for (struct list *link; (link = list_pop_front(&server.spare_requests));)
        http_request_free(CONTAINER_OF(link, struct http_request, link));
    return 0;
}

/* ---- faults of a head ---- */

/*
 * Lays a head into memory as libmicrohttpd does, and its fields over it: names from `names`, each
 * value from after its colon to its line's end. The fault it then finds.
 */
static const char *fault_of(struct http_request *r, const char *head, size_t size)
{
    assert_true(size <= sizeof(memory));
    memcpy(memory, head, size);
    struct text rest = {memory, size};
    struct text line = text_cut(rest, '\n', &rest);
    buffer_clear(&r->target);
    r->method = text_cut(line, ' ', &line);
    assert_int_equal(buffer_add_text(&r->target, text_cut(line, ' ', &line)), 0);
    r->field_count = 0;
    while (rest.size > 2) {
        struct text value, name;
        line = text_cut(rest, '\n', &rest);
        line.size -= line.size > 0 && line.at[line.size - 1] == '\r';
        name = text_cut(line, ':', &value);
        while (value.size > 0 && value.at[0] == ' ')
            value = (struct text){value.at + 1, value.size - 1};
        value.size = strnlen(value.at, value.size); /* a NUL cuts it */
        assert_int_equal(http_request_add_field(r, (struct field){name, value}), 0);
    }
    return http_request_find_fault(r, size);
}

#define FAULT(literal) fault_of(*state, literal, sizeof(literal) - 1)

static void a_clean_head_has_no_fault(void **state)
{
    assert_null(FAULT("GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_null(FAULT("POST * HTTP/1.0\r\n\r\n"));
    assert_null(FAULT("GET / HTTP/1.1\r\nA: b\r\nEmpty:\r\nSpaces:   c  d  \r\nX:y\r\n\r\n"));
}

static void what_is_cut_or_joined_leaves_a_trace(void **state)
{
    assert_non_null(FAULT("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\nY: d\r\n\r\n"));
    assert_non_null(FAULT("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"));
    assert_non_null(FAULT("GET / HTTP/1.1\nHost: a\r\n\r\n"));
    assert_non_null(FAULT("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"));
    assert_non_null(FAULT("GET / HTTP/1.1\r\nHost: a\r\n\n"));
}

/* A folded line becomes part of the name, which then lies elsewhere; the sum may come out right. */
static void a_field_that_lies_elsewhere_is_a_fault(void **state)
{
    struct http_request *r = *state;
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    static char elsewhere[] = "X";
    assert_null(FAULT(head));
    r->fields[1].name = (struct text){elsewhere, 1};
    assert_non_null(http_request_find_fault(r, sizeof(head) - 1));

    assert_null(FAULT(head)); /* in another order */
    struct field first = r->fields[0];
    r->fields[0] = r->fields[1];
    r->fields[1] = first;
    assert_non_null(http_request_find_fault(r, sizeof(head) - 1));

    assert_null(FAULT(head)); /* a value that does not follow its name */
    r->fields[1].value = (struct text){r->fields[1].name.at, strlen("X: b")};
    assert_non_null(http_request_find_fault(r, sizeof(head) - 1));
}

/* ---- bodies ---- */

static void set_field(struct http_request *r, const char *name, const char *value)
{
    r->field_count = 0;
    r->body_bytes = 0;
    assert_int_equal(http_request_add_field(r, (struct field){TEXT("Host"), TEXT("a")}), 0);
    if (name)
        assert_int_equal(http_request_add_field(r, (struct field){text_of(name), text_of(value)}),
                         0);
}

static void a_body_is_announced_by_length_or_coding(void **state)
{
    struct http_request *r = *state;
    set_field(r, NULL, NULL);
    assert_false(http_request_announces_body(r));
    set_field(r, "Content-Length", "0");
    assert_false(http_request_announces_body(r));
    set_field(r, "content-length", "10");
    assert_true(http_request_announces_body(r));
    set_field(r, "Content-Length", "odd");
    assert_true(http_request_announces_body(r));
    set_field(r, "Transfer-Encoding", "chunked");
    assert_true(http_request_announces_body(r));
}

static void a_body_is_due_until_all_of_it_came(void **state)
{
    struct http_request *r = *state;
    set_field(r, NULL, NULL);
    assert_false(http_request_body_is_due(r));
    set_field(r, "Content-Length", "10");
    assert_true(http_request_body_is_due(r));
    r->body_bytes = 9;
    assert_true(http_request_body_is_due(r));
    r->body_bytes = 10;
    assert_false(http_request_body_is_due(r));
    set_field(r, "Transfer-Encoding", "chunked");
    r->body_bytes = 10;
    assert_true(http_request_body_is_due(r));
}

static void an_answer_is_early_while_a_body_is_due(void **state)
{
    struct http_request *r = *state;
    const struct http_response keep = {.status = 200}, close = {.status = 200, .close = true};
    set_field(r, "Content-Length", "10");
    assert_true(http_request_is_early(r, &keep));
    r->body_ended = true;
    assert_false(http_request_is_early(r, &keep));
    r->body_ended = false;
    r->aborted = true;
    assert_false(http_request_is_early(r, &keep));
    r->aborted = false;
    set_field(r, NULL, NULL);
    assert_false(http_request_is_early(r, &keep));
    assert_false(http_request_is_early(r, &close));
    r->in_head = true;
    assert_false(http_request_is_early(r, &keep));
    assert_true(http_request_is_early(r, &close));
}

static void an_answer_is_early_when_its_head_has_no_room(void **state)
{
    struct http_request *r = *state;
    static char long_value[15000];
    const struct field field = {TEXT("A"), {long_value, sizeof(long_value)}};
    const struct http_response large = {.status = 200, .fields = &field, .field_count = 1};
    r->body_ended = true;
    r->head_size = 100;
    assert_false(http_request_is_early(r, &large));
    r->head_size = 1000;
    assert_true(http_request_is_early(r, &large));
    r->head_size = 100;
    for (int i = 0; i < 10; i++)
        (void)buffer_add_string(&r->target, "?a&b");
    assert_true(http_request_is_early(r, &large));
}

static bool rate_ok(struct http_request *r, int64_t ms, uint64_t bytes)
{
    r->body_started_ns = 5 * NS_PER_MS;
    r->body_bytes = bytes;
    return http_request_body_rate_ok(r, (ms + 5) * NS_PER_MS);
}

static void a_body_has_ten_seconds_and_then_a_rate(void **state)
{
    struct http_request *r = *state;
    assert_true(rate_ok(r, 0, 0));
    assert_true(rate_ok(r, 9999, 0));
    assert_false(rate_ok(r, 10000, 2559));
    assert_true(rate_ok(r, 10000, 2560));
    assert_false(rate_ok(r, 100000, 25599));
    assert_true(rate_ok(r, 100000, 25600));
    server.config.body_min_rate = 0;
    assert_true(rate_ok(r, 100000, 0));
}

/* ---- memory ---- */

static void fields_may_be_many(void **state)
{
    struct http_request *r = *state;
    static char names[1000][8];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        names[i][0] = (char)('a' + i % 26);
        struct field f = {{names[i], 1}, {names[i], i % 8}};
        assert_int_equal(http_request_add_field(r, f), 0);
    }
    size_t count;
    const struct field *fields = http_request_fields(r, &count);
    assert_int_equal(count, ARRAY_SIZE(names));
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(fields[i].name.at, names[i]);
        assert_int_equal(fields[i].value.size, i % 8);
    }
}

static void a_target_is_copied_and_has_a_limit(void **state)
{
    struct http_request *r = *state;
    static char target[70000];
    memset(target, 'x', sizeof(target) - 1);
    assert_int_equal(http_request_set_target(r, target), -1);
    http_request_recycle(r);
    r = *state = http_request_new(&server, &client);
    target[65536] = '\0';
    assert_int_equal(http_request_set_target(r, target), 0);
    target[0] = 'y';
    assert_int_equal(http_request_target(r).size, 65536);
    assert_int_equal(http_request_target(r).at[0], 'x');
}

static void the_next_request_starts_clean_in_the_same_memory(void **state)
{
    struct http_request *r = *state;
    int user;
    assert_int_equal(http_request_set_target(r, "/secret"), 0);
    set_field(r, "A", "b");
    assert_int_equal(buffer_add_string(&r->answer, "body"), 0);
    http_request_set_user(r, &user);
    r->method = TEXT("POST");
    r->head_seen = r->body_ended = r->aborted = r->done = r->queued = r->suspended = true;
    r->body_bytes = r->response_bytes = 7;
    r->head_fault = "fault";
    const struct field *fields = r->fields;
    http_request_recycle(r);
    *state = http_request_new(&server, &client);
    assert_ptr_equal(*state, r);
    assert_ptr_equal(r->fields, fields);
    size_t count;
    (void)http_request_fields(r, &count);
    assert_int_equal(count, 0);
    assert_int_equal(http_request_target(r).size + http_request_method(r).size, 0);
    assert_int_equal(http_request_body_bytes(r) + http_request_response_bytes(r), 0);
    assert_null(http_request_user(r));
    assert_null(http_request_head_fault(r));
    assert_false(r->head_seen || r->body_ended || r->aborted || r->done || r->queued ||
                 r->suspended);
    assert_int_equal(buffer_size(&r->answer), 0);
    assert_ptr_equal(http_request_server(r), &server);
    assert_string_equal(http_request_peer(r), "127.0.0.1:5");
    assert_true(list_empty(&server.spare_requests));
}

static void it_is_done_once(void **state)
{
    struct http_request *r = *state;
    http_request_done(r, HTTP_END_OK);
    http_request_done(r, HTTP_END_CLIENT);
    assert_int_equal(done_calls, 1);
    assert_false(r->in_callback);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_clean_head_has_no_fault),
        TEST(what_is_cut_or_joined_leaves_a_trace),
        TEST(a_field_that_lies_elsewhere_is_a_fault),
        TEST(a_body_is_announced_by_length_or_coding),
        TEST(a_body_is_due_until_all_of_it_came),
        TEST(an_answer_is_early_while_a_body_is_due),
        TEST(an_answer_is_early_when_its_head_has_no_room),
        TEST(a_body_has_ten_seconds_and_then_a_rate),
        TEST(fields_may_be_many),
        TEST(a_target_is_copied_and_has_a_limit),
        TEST(the_next_request_starts_clean_in_the_same_memory),
        TEST(it_is_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
