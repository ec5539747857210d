/*
 * redis_wire.h - what is said to Redis and what it says, as bytes (RESP2).
 *
 * The only file that knows hiredis, of which it takes the reader and the writer of the protocol.
 * Its asynchronous connection is not used: version 0.14 aborts the process on a reply that nobody
 * asked for, has no deadlines, reads replies of any size and resolves names while the loop waits.
 * Control thread only.
 */
#ifndef OAUTH_REDIS_WIRE_H
#define OAUTH_REDIS_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Of one reply: bytes on the wire, elements of all its arrays together. */
enum { REDIS_REPLY_BYTES_MAX = 256 * 1024, REDIS_REPLY_ITEMS_MAX = 256 };

enum redis_kind { REDIS_NIL, REDIS_INTEGER, REDIS_STRING, REDIS_STATUS, REDIS_ERROR, REDIS_ARRAY };

struct redis_reply {
    enum redis_kind kind;
    int64_t integer;
    struct text text; /* of a string, status or error; owned by the reply */
    size_t count;     /* of an array */
    struct redis_reply **items;
};

struct redis_wire;

WARN_UNUSED struct redis_wire *redis_wire_new(void);
void redis_wire_free(struct redis_wire *w);

/* Adds a command to what is to be sent; -1 when memory is out or the buffer is full. */
WARN_UNUSED int redis_wire_command(struct buffer *out, const struct text *args, size_t count);

/* Takes in what was received; -1: more than one reply may have, or memory is out. */
WARN_UNUSED int redis_wire_feed(struct redis_wire *w, struct text bytes);

/*
 * The next whole reply: 1 and the caller owns it; 0: none yet; -1: this is not Redis' protocol, or
 * past its limits. After -1 nothing more can be read.
 */
WARN_UNUSED int redis_wire_next(struct redis_wire *w, struct redis_reply **ret_reply);

/* NULL is accepted. */
void redis_reply_free(struct redis_reply *reply);

/* For CLEANUP(redis_reply_freep). */
void redis_reply_freep(struct redis_reply **reply);

/* The i-th element of an array if it is a string or status; else the empty text. */
struct text redis_reply_text(const struct redis_reply *reply, size_t i);

/* The i-th element of an array if it is an integer; else `otherwise`. */
int64_t redis_reply_integer(const struct redis_reply *reply, size_t i, int64_t otherwise);

#endif
