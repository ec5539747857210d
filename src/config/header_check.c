#include "config/header_check.h"

#include <string.h>

#include "config/fields.h"

static bool is_header_option(const struct option *o)
{
    return o->type == OPTION_FIELDS && strstr(o->key, "header");
}

static void check_name(const struct document *d, const struct section *s, const struct entry *e,
                       const struct injection *injection)
{
    struct text name = text_of(e->name);
    bool is_api = strcmp(e->option->key, "token_header") != 0;
    if (!field_name_is_token(name))
        section_error(d, s, e, "a header field's name is made of letters, digits and - _ . only");
    else if (field_name_is_reserved(name))
        section_error(d, s, e,
                      "bearerd sets or removes this field itself; it cannot be configured");
    else if (is_api && injection->in == INJECT_HEADER && injection->name && !e->bad &&
             entry_text(e).size > 0 && field_names_alike(name, text_of(injection->name)))
        section_error(d, s, e, "this field carries the token (inject_name = %s)", injection->name);
}

static void check_both(const struct document *d, const struct section *s, const struct entry *e)
{
    if (strcmp(e->option->key, "header_default") != 0)
        return;
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *other = &s->entries[i];
        if (strcmp(other->option->key, "header") == 0 && entry_text(other).size > 0 &&
            entry_text(e).size > 0 && text_equal_nocase(text_of(other->name), text_of(e->name)))
            section_error(d, s, e, "header.%s sets this field always; remove one of them",
                          other->name);
    }
}

void header_check_names(const struct document *d, const struct section *s,
                        const struct injection *injection)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        if (!is_header_option(e->option) || !*e->name)
            continue;
        check_name(d, s, e, injection);
        check_both(d, s, e);
    }
}

static bool fits_header(const struct secret *secret)
{
    struct text t = secret_bytes(secret);
    for (size_t i = 0; i < t.size; i++)
        if (((unsigned char)t.at[i] < 0x20 && t.at[i] != '\t') || t.at[i] == 0x7f)
            return false;
    return true;
}

/* What is wrong with the secrets that a field of this text would show, or NULL. */
static const char *secret_fault(const char *text, bool is_header, const struct provider_config *p)
{
    bool id = strstr(text, "{client_id}"), secret = strstr(text, "{client_secret}");
    if ((id || secret) && !p)
        return "{client_id} and {client_secret} need a provider";
    if ((id && !p->client_id) || (secret && !p->client_secret))
        return "the provider has no such key; set client_id and client_secret";
    if (is_header &&
        ((id && !fits_header(p->client_id)) || (secret && !fits_header(p->client_secret))))
        return "a secret with a line break cannot stand in a header field";
    return NULL;
}

void header_check_secrets(const struct document *d, const struct section *s,
                          const struct provider_config *p)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        if (e->option->type != OPTION_FIELDS || e->bad)
            continue;
        const char *fault = secret_fault(entry_text(e).at, is_header_option(e->option), p);
        if (fault)
            section_error(d, s, e, "%s", fault);
    }
}

void header_check_injection(const struct document *d, const struct section *s,
                            const struct entry *e, const struct injection *injection,
                            const char *scheme)
{
    struct text name = text_of(injection->name);
    if (injection->in == INJECT_NONE || !injection->name)
        return;
    if (injection->in == INJECT_HEADER && !field_name_is_token(name))
        section_error(d, s, e, "inject_name: \"%s\" is no header field name", injection->name);
    else if (injection->in == INJECT_HEADER && field_name_is_reserved(name) &&
             !text_equal_nocase(name, TEXT("Proxy-Authorization")))
        section_error(d, s, e, "inject_name: bearerd sets or removes %s itself", injection->name);
    else if (injection->in == INJECT_HEADER && scheme && !field_name_is_token(text_of(scheme)))
        section_error(d, s, e, "inject_scheme: \"%s\" is no single word; write none for none",
                      scheme);
}
