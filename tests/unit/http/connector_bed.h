/*
 * connector_bed.h - for the tests of the connector: an upstream on loopback, and attempts to
 * connect to it that note how they end. Include after cmocka.h.
 */
#ifndef TESTS_HTTP_CONNECTOR_BED_H
#define TESTS_HTTP_CONNECTOR_BED_H

#include <fcntl.h>
#include <stdio.h>

#include "http/connector.h"
#include "support/tls_peer.h"

enum { TIMEOUT_MS = 5000 };

/* One attempt to connect, and how it ended. */
struct attempt {
    struct connection *conn;
    int calls;
    enum connect_result result;
    char detail[256];
};

struct bed {
    struct loop *loop;
    struct connector *connector;
    int fd; /* the upstream listens here */
    unsigned port;
    char url[64];
    struct origin origin;
    size_t descriptors;
};

static struct bed bed;
static struct tls_identity identity;

static inline void turn(void)
{
    loop_turn(bed.loop, 1);
}

static inline int setup(void **state UNUSED)
{
    struct error err;
    bed = (struct bed){.descriptors = wire_open_descriptors()};
    bed.loop = loop_new(&err);
    bed.connector = connector_new(bed.loop, &err);
    assert_non_null(bed.connector);
    bed.fd = wire_listen(&bed.port);
    (void)snprintf(bed.url, sizeof(bed.url), "http://127.0.0.1:%u", bed.port);
    bed.origin = (struct origin){.url = bed.url};
    wire_turn = turn;
    return 0;
}

static inline int teardown(void **state UNUSED)
{
    connector_free(bed.connector);
    ca_store_unref(bed.origin.trusted);
    loop_free(bed.loop);
    if (bed.fd >= 0)
        (void)close(bed.fd);
    assert_int_equal(wire_open_descriptors(), bed.descriptors);
    return 0;
}

/* Goes on with what the file says now. */
static inline void trust(const char *ca_file)
{
    struct ca_store *before = bed.origin.trusted;
    bed.origin.trusted = ca_store_open(ca_file);
    assert_non_null(bed.origin.trusted);
    ca_store_unref(before);
}

static inline void use_tls(void)
{
    (void)snprintf(bed.url, sizeof(bed.url), "https://127.0.0.1:%u", bed.port);
    bed.origin.tls = true;
    trust(identity.ca_file);
}

static inline void on_connected(struct connection *conn, void *arg, enum connect_result result,
                                const char *detail)
{
    struct attempt *a = arg;
    a->calls++;
    a->result = result;
    (void)snprintf(a->detail, sizeof(a->detail), "%s", detail);
    if (result == CONNECT_OK)
        assert_ptr_equal(conn, a->conn);
    else
        assert_null(conn);
}

static inline void begin(struct attempt *a, int64_t timeout_ms)
{
    *a = (struct attempt){0};
    a->conn = connector_connect(bed.connector, &bed.origin, timeout_ms, on_connected, a);
    assert_non_null(a->conn);
    assert_int_equal(a->calls, 0); /* never from inside */
}

static inline void connect_now(struct attempt *a)
{
    begin(a, TIMEOUT_MS);
    AWAIT(a->calls > 0);
    if (a->result != CONNECT_OK)
        fail_msg("not connected: %s", a->detail);
}

static inline enum connect_result try_connecting(int64_t timeout_ms)
{
    struct attempt a;
    begin(&a, timeout_ms);
    AWAIT(a.calls > 0);
    assert_true(a.result == CONNECT_OK || a.detail[0]);
    if (a.result == CONNECT_OK)
        connection_close(a.conn);
    return a.result;
}

/* What connection_recv says when there is something to say. */
static inline ssize_t next_recv(struct connection *conn, char *data, size_t size)
{
    ssize_t got = -1;
    errno = EAGAIN;
    AWAIT((got = connection_recv(conn, data, size)) >= 0 || errno != EAGAIN);
    return got;
}

static inline void expect_bytes(struct connection *conn, const char *words)
{
    char got[256];
    size_t size = strlen(words);
    for (size_t have = 0; have < size;) {
        ssize_t more = next_recv(conn, got + have, size - have);
        assert_true(more > 0);
        have += (size_t)more;
    }
    assert_memory_equal(got, words, size);
}

#endif
