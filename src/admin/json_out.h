/*
 * json_out.h - writing JSON, member by member.
 *
 * Commas come by themselves. `name` is NULL for the elements of an array and for the outermost
 * value. Failures are the buffer's (buffer.h): ask once at the end.
 */
#ifndef ADMIN_JSON_OUT_H
#define ADMIN_JSON_OUT_H

#include "base/buffer.h"

struct json_out {
    struct buffer *buffer;
    bool comma; /* something stands before at this level */
};

/* '{' or '[', and the bracket that closes it. */
void json_open(struct json_out *j, const char *name, char bracket);
void json_close(struct json_out *j, char bracket);

void json_add_text(struct json_out *j, const char *name, const char *value); /* NULL: null */
void json_add_u64(struct json_out *j, const char *name, uint64_t value);
void json_add_bool(struct json_out *j, const char *name, bool value);
void json_add_null(struct json_out *j, const char *name);

/* Seconds with three decimals; may be negative. */
void json_add_ms(struct json_out *j, const char *name, int64_t ms);

/* Seconds with six. */
void json_add_us(struct json_out *j, const char *name, uint64_t us);

/* A moment as RFC 3339, from milliseconds since 1970. */
void json_add_time(struct json_out *j, const char *name, int64_t wall_ms);

#endif
