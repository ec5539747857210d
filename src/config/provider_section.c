#include "config/provider_section.h"

#include <stdlib.h>

#include "config/builder.h"
#include "config/provider_check.h"

/* What a key means when another one is set as it is. */
static void settle(const struct section *s, struct provider_config *p)
{
    if (p->token_method == TOKEN_METHOD_GET && !section_get(s, "token_body"))
        p->token_body = TOKEN_BODY_NONE;
    if (p->inject_in == INJECT_QUERY) {
        free(p->inject_scheme);
        p->inject_scheme = NULL;
    }
}

void provider_section_build(const struct document *d, const struct section *s,
                            struct provider_config *p)
{
    p->name = text_dup(text_of(s->name));
    p->preset = s->preset ? text_dup(text_of(s->preset)) : NULL;
    if (!p->name)
        section_error(d, s, NULL, "out of memory");
    builder_fill(d, s, s, p);
    settle(s, p);
    provider_check(d, s, p);
}

void provider_section_done(struct provider_config *p)
{
    builder_clear(SECTION_PROVIDER, p);
    free(p->name);
    free(p->preset);
}
