#include "http/response_parser.h"

/* What the fields say about the message's end, as far as they were read. */
struct framing_fields {
    bool chunked;
    bool close;
    bool keep_alive;
};

static int refuse(struct response_head *head, const char *fault)
{
    head->fault = fault;
    return -1;
}

/* ---- the end of the head ---- */

/* Garbage is told at once: a peer that does not speak HTTP may never send an empty line. */
static bool may_be_http(struct text bytes)
{
    static const char version[] = "HTTP/1.";
    size_t size = bytes.size < sizeof(version) - 1 ? bytes.size : sizeof(version) - 1;
    return memcmp(bytes.at, version, size) == 0;
}

/*
 * 1 when the head is whole: *ret_end is behind its empty line. 0 when it is not, -1 when it never
 * will be. *scanned stays on a line feed until the two bytes behind it are there.
 */
static int find_end(struct text bytes, size_t *scanned, struct response_head *head,
                    const char **ret_end)
{
    size_t size = bytes.size < RESPONSE_HEAD_MAX ? bytes.size : RESPONSE_HEAD_MAX;
    const char *end = bytes.at + size;
    const char *at = bytes.at + *scanned;

    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        if (at == bytes.at || at[-1] != '\r')
            return refuse(head, "bare line feed in the head");
        if (end - at == 1 || (end - at == 2 && at[1] == '\r'))
            break;
        if (at[1] == '\r' && at[2] == '\n') {
            *ret_end = at + 3;
            return 1;
        }
        at++;
    }
    if (size == RESPONSE_HEAD_MAX)
        return refuse(head, "head too large");
    *scanned = at ? (size_t)(at - bytes.at) : size;
    return 0;
}

/* ---- lines ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes the bytes up to the next CRLF; NULL when something else ends them. */
static const char *take_text(const char *at, const char *end, struct response_head *head,
                             struct text *ret_text)
{
    struct text rest = {at, (size_t)(end - at)};
    size_t size = field_clean_size(rest);
    if (at[size] != '\r' || at[size + 1] != '\n') {
        (void)refuse(head, at[size] ? "bare carriage return in the head" : "NUL in the head");
        return NULL;
    }
    *ret_text = (struct text){at, size};
    return at + size + 2;
}

static const char *parse_status_line(const char *at, const char *end, struct response_head *head)
{
    static const char version[] = "HTTP/1.";
    if (end - at < 15 || memcmp(at, version, sizeof(version) - 1) != 0 ||
        (at[7] != '0' && at[7] != '1') || at[8] != ' ') {
        (void)refuse(head, "no HTTP/1.0 or HTTP/1.1 status line");
        return NULL;
    }
    head->minor = (unsigned)(at[7] - '0');
    if (at[9] < '1' || at[9] > '9' || !is_digit(at[10]) || !is_digit(at[11]) ||
        (at[12] != ' ' && at[12] != '\r')) {
        (void)refuse(head, "the status is no number of three digits");
        return NULL;
    }
    head->status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    at += at[12] == ' ' ? 13 : 12;
    return take_text(at, end, head, &head->reason);
}

static const char *name_fault(const char *line, const char *stop)
{
    if (*line == ' ' || *line == '\t')
        return "folded line in the head";
    if (stop > line && (*stop == ' ' || *stop == '\t'))
        return "blank before the colon of a field";
    return "malformed field name";
}

static const char *parse_field_line(const char *at, const char *end, struct response_head *head,
                                    struct field *field)
{
    const char *line = at;
    while (field_token_bytes[(unsigned char)*at])
        at++;
    if (*at != ':' || at == line) {
        (void)refuse(head, name_fault(line, at));
        return NULL;
    }
    field->name = (struct text){line, (size_t)(at - line)};
    struct text value;
    at = take_text(at + 1, end, head, &value);
    if (at)
        field->value = text_trim(value);
    return at;
}

/* ---- fields with a meaning for the framing ---- */

/* 1: an equal one was there before, it is not kept. */
static int note_content_length(struct text value, struct response_head *head)
{
    uint64_t length;
    if (text_to_u64(value, &length))
        return refuse(head, "Content-Length is no plain number");
    if (head->has_length)
        return length == head->length ? 1 : refuse(head, "several Content-Length that differ");
    head->has_length = true;
    head->length = length;
    return 0;
}

static int note_transfer_encoding(struct text value, struct response_head *head,
                                  struct framing_fields *framing)
{
    if (framing->chunked)
        return refuse(head, "several Transfer-Encoding");
    if (!text_equal_nocase(value, TEXT("chunked")))
        return refuse(head, "a Transfer-Encoding other than chunked");
    framing->chunked = true;
    return 0;
}

static int note_connection(struct text list, struct framing_fields *framing)
{
    while (list.size > 0) {
        struct text option = text_trim(text_cut(list, ',', &list));
        if (text_equal_nocase(option, TEXT("close")))
            framing->close = true;
        else if (text_equal_nocase(option, TEXT("keep-alive")))
            framing->keep_alive = true;
    }
    return 0;
}

/* 0: keep the field; 1: drop it; -1: refuse the head. Most are told by their length alone. */
static int note_field(const struct field *field, struct response_head *head,
                      struct framing_fields *framing)
{
    switch (field->name.size) {
    case 10:
        if (text_equal_nocase(field->name, TEXT("Connection")))
            return note_connection(field->value, framing);
        return 0;
    case 14:
        if (text_equal_nocase(field->name, TEXT("Content-Length")))
            return note_content_length(field->value, head);
        return 0;
    case 17:
        if (text_equal_nocase(field->name, TEXT("Transfer-Encoding")))
            return note_transfer_encoding(field->value, head, framing);
        return 0;
    default:
        return 0;
    }
}

static int parse_fields(const char *at, const char *end, struct response_head *head,
                        struct framing_fields *framing)
{
    const char *empty_line = end - 2;
    while (at < empty_line) {
        if (head->field_count == RESPONSE_FIELDS_MAX)
            return refuse(head, "too many fields");
        struct field *field = &head->fields[head->field_count];
        at = parse_field_line(at, end, head, field);
        if (!at)
            return -1;
        int noted = note_field(field, head, framing);
        if (noted < 0)
            return -1;
        head->field_count += noted == 0;
    }
    return 0;
}

/* ---- the framing ---- */

static int check_framing(struct response_head *head, const struct framing_fields *framing)
{
    if (framing->chunked && head->has_length)
        return refuse(head, "Content-Length together with Transfer-Encoding");
    if (framing->chunked && head->minor == 0)
        return refuse(head, "Transfer-Encoding in HTTP/1.0");
    if (head->status == 101)
        return refuse(head, "status 101 that nobody asked for");
    if (head->status < 200 && (framing->chunked || head->length > 0))
        return refuse(head, "interim response with a body");
    return 0;
}

static enum body_framing body_framing(const struct response_head *head, bool chunked, bool to_head)
{
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
        return BODY_NONE;
    if (chunked)
        return BODY_CHUNKED;
    return head->has_length ? BODY_LENGTH : BODY_UNTIL_CLOSE;
}

static bool is_kept_alive(const struct response_head *head, const struct framing_fields *framing)
{
    if (framing->close || head->framing == BODY_UNTIL_CLOSE)
        return false;
    /* Should the announced body come all the same, it must not be read as the next response. */
    if (head->status == 204 && (framing->chunked || head->length > 0))
        return false;
    return head->minor == 1 || framing->keep_alive;
}

enum parse_result response_head_parse(struct text bytes, bool to_head, size_t *scanned,
                                      struct response_head *head)
{
    struct framing_fields framing = {false, false, false};
    const char *end = NULL;

    if (bytes.size == 0)
        return PARSE_MORE;
    head->has_length = false;
    head->length = 0;
    head->field_count = 0;
    head->fault = NULL;
    if (!may_be_http(bytes)) {
        (void)refuse(head, "no HTTP/1.0 or HTTP/1.1 status line");
        return PARSE_BAD;
    }
    int found = find_end(bytes, scanned, head, &end);
    if (found <= 0)
        return found < 0 ? PARSE_BAD : PARSE_MORE;

    const char *at = parse_status_line(bytes.at, end, head);
    if (!at || parse_fields(at, end, head, &framing) || check_framing(head, &framing))
        return PARSE_BAD;
    head->framing = body_framing(head, framing.chunked, to_head);
    head->keep_alive = is_kept_alive(head, &framing);
    head->size = (size_t)(end - bytes.at);
    return PARSE_DONE;
}
