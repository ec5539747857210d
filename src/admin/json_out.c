#include "admin/json_out.h"

#include "base/encoding.h"

static void begin(struct json_out *j, const char *name)
{
    if (j->comma)
        (void)buffer_add_char(j->buffer, ',');
    j->comma = true;
    if (name) {
        (void)buffer_add_json_string(j->buffer, text_of(name));
        (void)buffer_add_char(j->buffer, ':');
    }
}

void json_open(struct json_out *j, const char *name, char bracket)
{
    begin(j, name);
    (void)buffer_add_char(j->buffer, bracket);
    j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
    (void)buffer_add_char(j->buffer, bracket);
    j->comma = true;
}

void json_add_text(struct json_out *j, const char *name, const char *value)
{
    begin(j, name);
    if (value)
        (void)buffer_add_json_string(j->buffer, text_of(value));
    else
        (void)buffer_add_string(j->buffer, "null");
}

void json_add_u64(struct json_out *j, const char *name, uint64_t value)
{
    begin(j, name);
    (void)buffer_add_u64(j->buffer, value);
}

void json_add_bool(struct json_out *j, const char *name, bool value)
{
    begin(j, name);
    (void)buffer_add_string(j->buffer, value ? "true" : "false");
}

void json_add_null(struct json_out *j, const char *name)
{
    json_add_text(j, name, NULL);
}

void json_add_ms(struct json_out *j, const char *name, int64_t ms)
{
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    begin(j, name);
    (void)buffer_addf(j->buffer, "%s%llu.%03llu", ms < 0 ? "-" : "",
                      (unsigned long long)(size / 1000), (unsigned long long)(size % 1000));
}

void json_add_us(struct json_out *j, const char *name, uint64_t us)
{
    begin(j, name);
    (void)buffer_addf(j->buffer, "%llu.%06llu", (unsigned long long)(us / 1000000),
                      (unsigned long long)(us % 1000000));
}

void json_add_time(struct json_out *j, const char *name, int64_t wall_ms)
{
    begin(j, name);
    (void)buffer_add_char(j->buffer, '"');
    (void)buffer_add_rfc3339(j->buffer, wall_ms);
    (void)buffer_add_char(j->buffer, '"');
}
