#include "sandbox/issued.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crypto.h"

int issued_add(struct issued_table *table, enum sandbox_provider provider, enum issued_kind kind,
               int64_t lifetime_ms, char ret_text[ISSUED_TEXT_SIZE])
{
    unsigned char random[(ISSUED_TEXT_SIZE - 1) / 2];
    if (crypto_random(random, sizeof(random)))
        return -1;
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", random[i]);

    struct issued_token *token = &table->tokens[table->next];
    table->next = (table->next + 1) % ISSUED_CAPACITY;
    memcpy(token->text, ret_text, ISSUED_TEXT_SIZE);
    token->provider = provider;
    token->kind = kind;
    token->expires_ms = clock_monotonic_ms() + lifetime_ms;
    return 0;
}

enum issued_verdict issued_look_up(const struct issued_table *table, enum sandbox_provider provider,
                                   enum issued_kind kind, struct text token)
{
    if (token.size != ISSUED_TEXT_SIZE - 1)
        return ISSUED_UNKNOWN;
    for (size_t i = 0; i < ISSUED_CAPACITY; i++) {
        const struct issued_token *known = &table->tokens[i];
        if (!text_equal(text_of(known->text), token))
            continue;
        if (known->provider != provider || known->kind != kind)
            return ISSUED_FOREIGN;
        return clock_monotonic_ms() < known->expires_ms ? ISSUED_VALID : ISSUED_EXPIRED;
    }
    return ISSUED_UNKNOWN;
}
