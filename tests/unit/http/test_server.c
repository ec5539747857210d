/* The server as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/un.h>

#include "http/server_bed.h"

/* ---- a unix socket ---- */

static void answer_whom_the_kernel_names(struct bed_request *q)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    assert_int_equal(http_request_peer_credentials(q->r, &uid, &gid), 0);
    assert_int_equal(uid, geteuid());
    assert_int_equal(gid, getegid());
    bed_answer(q);
}

static void answer_nobody(struct bed_request *q)
{
    uid_t uid;
    gid_t gid;
    assert_int_equal(http_request_peer_credentials(q->r, &uid, &gid), -1);
    assert_null(http_request_peer_certificate(q->r));
    bed_answer(q);
}

static void a_unix_socket_is_served_too(void **state UNUSED)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error err;
    struct wire client;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-server-%d.sock",
                   (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(http_server_listen(bed.server, (struct http_socket){.fd = fd}, &err), 0);
    bed.at_body_end = answer_whom_the_kernel_names;
    wire_init(&client, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    assert_string_equal(bed.requests[0].peer, "unix");
    wire_close(&client);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(
        http_server_listen_only(bed.server, &(struct http_socket){.fd = bed.fd}, 1, &err), 0);
    (void)close(fd);
}

static void tcp_has_no_credentials(void **state UNUSED)
{
    struct wire client;
    bed.at_body_end = answer_nobody;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

/* ---- a chunk's line that fills the buffer ---- */

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void turn_for(int64_t ms)
{
    for (int64_t until = wire_real_ms() + ms; wire_real_ms() < until;) {
        loop_turn(bed.loop, (int)ms);
        http_server_turn(bed.server);
    }
}

static void say_long_line(struct wire *client, size_t size)
{
    static char line[20000];
    memset(line, 'a', sizeof(line));
    memcpy(line, CHUNKED "5;", sizeof(CHUNKED "5;") - 1);
    assert_true(size <= sizeof(line));
    bed_connect(client);
    wire_say_bytes(client, line, size);
}

/* True when so many bytes are more than there is place for: then the request is ended. */
static bool is_too_long(size_t size)
{
    struct wire client;
    size_t before = bed.count;
    say_long_line(&client, size);
    struct bed_request *q = bed_arrived(before);
    for (int i = 0; i < 40 && q->dones == 0; i++)
        turn_for(10);
    bool ended = q->dones > 0;
    wire_close(&client);
    AWAIT(q->dones > 0);
    return ended;
}

/* libmicrohttpd would go on looking at such a line; once it is suspended all is quiet. */
static void a_line_that_just_fills_the_buffer_costs_no_turns(void **state UNUSED)
{
    struct wire clients[3], honest;
    size_t fits = 8192, too_long = 16384;
    assert_true(is_too_long(too_long));
    while (too_long - fits > 1) {
        size_t middle = (fits + too_long) / 2;
        *(is_too_long(middle) ? &too_long : &fits) = middle;
    }
    size_t first = bed.count;
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        say_long_line(&clients[i], fits - i);
    (void)bed_arrived(first + ARRAY_SIZE(clients) - 1);
    turn_for(200);
    uint64_t before = loop_turns(bed.loop);
    turn_for(300);
    assert_in_range(loop_turns(bed.loop) - before, 1, 5);

    bed.at_body_end = bed_answer; /* and those who are honest go on beside it */
    bed_connect(&honest);
    wire_say(&honest, CHUNKED "5\r\nhel");
    turn_for(50);
    wire_say(&honest, "lo\r\n0\r\n");
    turn_for(50);
    wire_say(&honest, "\r\n");
    bed_expect_reply(&honest, "200 OK", "answer to /\n");
    wire_close(&honest);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        wire_close(&clients[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_unix_socket_is_served_too),
        BED_TEST(tcp_has_no_credentials),
        BED_TEST(a_line_that_just_fills_the_buffer_costs_no_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
