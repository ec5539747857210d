#include "sandbox/form.h"

#include "base/encoding.h"

bool form_next(struct text *form, struct text *ret_name, struct text *ret_value)
{
    while (form->size > 0) {
        struct text pair = text_cut(*form, '&', form);
        if (pair.size == 0)
            continue;
        *ret_name = text_cut(pair, '=', ret_value);
        return true;
    }
    return false;
}

/* The byte that the two digits at `at` stand for, or -1. */
static int percent_byte(struct text t, size_t at)
{
    if (at + 2 >= t.size)
        return -1;
    int high = hex_digit(t.at[at + 1]), low = hex_digit(t.at[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int form_decode(struct text encoded, struct buffer *out)
{
    for (size_t i = 0; i < encoded.size; i++) {
        char c = encoded.at[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int byte = percent_byte(encoded, i);
            if (byte < 0)
                return -1;
            c = (char)byte;
            i += 2;
        }
        if (buffer_add_char(out, c))
            return -1;
    }
    return 0;
}

int form_get(struct text form, const char *name, struct buffer *out)
{
    struct text key, value;
    while (form_next(&form, &key, &value))
        if (text_equal(key, text_of(name)))
            return form_decode(value, out);
    return -1;
}

bool form_is(struct text form, const char *name, const char *expected)
{
    CLEANUP(buffer_done) struct buffer value;
    buffer_init_secret(&value, form.size);
    return form_get(form, name, &value) == 0 && text_equal(buffer_text(&value), text_of(expected));
}
