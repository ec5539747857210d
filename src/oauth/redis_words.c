#include "oauth/redis_words.h"

#define PASSWORD_WORDS "it refuses the user or password (redis_user, redis_password)"
#define SLOT_WORDS     "its cluster is moving the slot"

static const struct {
    struct text start;
    const char *words;
} meanings[] = {
    {TEXT_INIT("WRONGPASS"), PASSWORD_WORDS},
    {TEXT_INIT("ERR invalid password"), PASSWORD_WORDS},
    {TEXT_INIT("NOAUTH"), "it asks for a password (redis_password)"},
    {TEXT_INIT("ERR AUTH <password> called without"), "it has no password, redis_password gives "
                                                      "one"},
    {TEXT_INIT("ERR Client sent AUTH, but no password"), "it has no password, redis_password "
                                                         "gives one"},
    {TEXT_INIT("NOPERM"), "its user may not use a command, key or channel that is needed"},
    {TEXT_INIT("READONLY"), "it is a read-only replica"},
    {TEXT_INIT("OOM"), "its memory is full (maxmemory)"},
    {TEXT_INIT("MISCONF"), "it refuses to write, since it cannot save to its disk"},
    {TEXT_INIT("NOREPLICAS"), "it refuses to write, since it has too few replicas"},
    {TEXT_INIT("LOADING"), "it is still loading its data"},
    {TEXT_INIT("MASTERDOWN"), "it is a replica that has lost its master"},
    {TEXT_INIT("CLUSTERDOWN"), "its cluster is down"},
    {TEXT_INIT("MOVED"), SLOT_WORDS},
    {TEXT_INIT("ASK"), SLOT_WORDS},
    {TEXT_INIT("TRYAGAIN"), SLOT_WORDS},
    {TEXT_INIT("BUSY"), "it is busy with a script"},
    {TEXT_INIT("DENIED"), "its protected mode lets only its own host in"},
    {TEXT_INIT("ERR max number of clients"), "it has no connection left (maxclients)"},
    {TEXT_INIT("ERR DB index"), "it has no database of that number"},
    {TEXT_INIT("ERR SELECT is not allowed"), "a cluster has only database 0"},
    {TEXT_INIT("ERR unknown command"), "it does not know a command that is needed: Redis 5 or "
                                       "later is"},
};

const char *redis_words(const struct redis_reply *reply)
{
    if (reply->kind != REDIS_ERROR)
        return "it answers something else than Redis does";
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (text_starts_with(reply->text, meanings[i].start))
            return meanings[i].words;
    /* what a script met is told behind its own name: "ERR Error running script (…): -OOM …" */
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (text_contains_nocase(reply->text, meanings[i].start))
            return meanings[i].words;
    return "it answers with an error";
}

bool redis_words_moved(const struct redis_reply *reply, struct text *ret_host, uint16_t *ret_port)
{
    struct text slot, address = reply->text;
    uint64_t port;
    if (reply->kind != REDIS_ERROR || !text_starts_with(address, TEXT("MOVED ")))
        return false;
    (void)text_cut(address, ' ', &address);
    slot = text_cut(address, ' ', &address);
    size_t colon = address.size;
    while (colon > 0 && address.at[colon - 1] != ':')
        colon--;
    struct text digits = {address.at + colon, address.size - colon};
    if (slot.size == 0 || colon == 0 || text_to_u64(digits, &port) || port < 1 || port > UINT16_MAX)
        return false;
    *ret_host = (struct text){address.at, colon - 1};
    *ret_port = (uint16_t)port;
    return true;
}
