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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_unix_socket_is_served_too),
        BED_TEST(tcp_has_no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
