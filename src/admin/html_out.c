#include "admin/html_out.h"

#include <stdarg.h>

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        /* control characters have no place in HTML */
        return (unsigned char)c < ' ' || c == 0x7f ? "&#xfffd;" : NULL;
    }
}

void html_add_text(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.size; i++) {
        const char *escape = escape_of(t.at[i]);
        if (escape)
            (void)buffer_add_string(b, escape);
        else
            (void)buffer_add_char(b, t.at[i]);
    }
}

/* One conversion; returns where the format goes on. */
static const char *convert(struct buffer *b, const char *at, va_list *args)
{
    if (at[0] == 's') {
        html_add_text(b, text_of(va_arg(*args, const char *)));
        return at + 1;
    }
    if (strncmp(at, "llu", 3) == 0) {
        (void)buffer_add_u64(b, va_arg(*args, unsigned long long));
        return at + 3;
    }
    if (at[0] == '%') {
        (void)buffer_add_char(b, '%');
        return at + 1;
    }
    b->failed = true;
    return "";
}

void html_addf(struct buffer *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    for (const char *at = fmt; *at;) {
        size_t plain = strcspn(at, "%");
        (void)buffer_add(b, at, plain);
        at += plain;
        if (*at == '%')
            at = convert(b, at + 1, &args);
    }
    va_end(args);
}
