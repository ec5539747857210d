#include "proxy/caller_gate.h"

#include "base/clock.h"
#include "proxy/caller_basic.h"

/* ---- the key ---- */

/* What the fields of a request have shown so far. */
struct keys {
    const struct caller_entry *entry; /* NULL: no key yet */
    bool wrong;                       /* one is unknown, or they differ */
};

static void take_key(const struct caller_table *t, struct keys *k, struct text key)
{
    const struct caller_entry *e = caller_table_find(t, IDENTITY_KEY, key);
    k->wrong |= !e || (k->entry && k->entry != e);
    k->entry = e;
}

static void take_basic(const struct caller_table *t, struct keys *k, struct text value)
{
    char room[BASIC_CREDENTIALS_MAX];
    struct text password;
    switch (caller_basic_password(value, room, &password)) {
    case BASIC_OTHER:
        return; /* a program's own token, which goes no further */
    case BASIC_PASSWORD:
        take_key(t, k, password);
        break;
    case BASIC_MALFORMED:
        k->wrong = true;
        break;
    }
    explicit_bzero(room, sizeof(room));
}

static struct keys find_keys(const struct caller_table *t, const struct admission *a)
{
    struct keys k = {0};
    for (size_t i = 0; i < a->field_count; i++) {
        if (a->kinds[i] == FIELD_API_KEY)
            take_key(t, &k, a->fields[i].value);
        else if (a->kinds[i] == FIELD_AUTHORIZATION || a->kinds[i] == FIELD_PROXY_AUTHORIZATION)
            take_basic(t, &k, a->fields[i].value);
    }
    return k;
}

/* ---- the peer ---- */

/* The most precise entry counts: user and group, then the user, then the group. */
static const struct caller_entry *find_peer(const struct caller_table *t,
                                            const struct http_request *r)
{
    uid_t uid;
    gid_t gid;
    if (http_request_peer_credentials(r, &uid, &gid))
        return NULL;
    const uint64_t tries[][2] = {{uid, gid}, {uid, CONFIG_NO_ID}, {CONFIG_NO_ID, gid}};
    const struct caller_entry *e = NULL;
    for (size_t i = 0; !e && i < ARRAY_SIZE(tries); i++) {
        char bytes[IDENTITY_PEER_SIZE];
        caller_identity_of_peer(tries[i][0], tries[i][1], bytes);
        e = caller_table_find(t, IDENTITY_PEER, (struct text){bytes, sizeof(bytes)});
    }
    return e;
}

/* ---- the certificate ---- */

static const struct caller_entry *find_certificate(const struct caller_table *t,
                                                   const struct http_request *r)
{
    const struct http_peer_certificate *c = http_request_peer_certificate(r);
    if (!c)
        return NULL;
    struct text fingerprint = {(const char *)c->fingerprint, sizeof(c->fingerprint)};
    const struct caller_entry *e = caller_table_find(t, IDENTITY_FINGERPRINT, fingerprint);
    if (!e)
        return caller_table_find(t, IDENTITY_SUBJECT, text_of(c->subject));
    const char *subject = e->caller->config->subject;
    return !subject || strcmp(subject, c->subject) == 0 ? e : NULL;
}

/* ---- the verdicts ---- */

static int refuse(const struct admission *a, struct problem *problem)
{
    (void)problem_set(problem, PROBLEM_caller_unknown,
                      "The caller is not known; send its key as X-Api-Key, or as the password of "
                      "Basic; the [caller] sections say who is");
    if (a->target.form == TARGET_ABSOLUTE)
        problem->status = 407;
    return -1;
}

static int check_rate(const struct caller *c, int64_t now_ns, struct problem *problem)
{
    int64_t wait_ns;
    if (rate_limit_take(&c->limit, c->cell, now_ns, &wait_ns))
        return 0;
    (void)problem_set(problem, PROBLEM_rate_limited,
                      "The caller %s sends more than its rate allows; rate and burst of its "
                      "section say how much that is",
                      c->config->name);
    problem->retry_after_s = (wait_ns + MS_PER_S * NS_PER_MS - 1) / (MS_PER_S * NS_PER_MS);
    problem->rate_policy = c->policy;
    return -1;
}

int caller_gate_admit(const struct caller_table *t, const struct http_request *r,
                      const struct admission *a, int64_t now_ns,
                      const struct caller_entry **ret_known, struct problem *problem)
{
    struct keys k = {0};
    if (!caller_table_asks(t))
        return 0;
    if (caller_table_knows(t, IDENTITY_KEY))
        k = find_keys(t, a);
    if (!k.entry && !k.wrong)
        k.entry = find_certificate(t, r);
    if (!k.entry && !k.wrong && caller_table_knows(t, IDENTITY_PEER))
        k.entry = find_peer(t, r);
    if (!k.entry || k.wrong)
        return refuse(a, problem);
    *ret_known = k.entry;
    return check_rate(k.entry->caller, now_ns, problem);
}

int caller_gate_enter(const struct caller_table *t, const struct caller *c, size_t route,
                      struct problem *problem)
{
    if (!c || caller_table_allows(t, c, route))
        return 0;
    return problem_set(problem, PROBLEM_caller_forbidden,
                       "The route does not let the caller %s in; its callers key names those that "
                       "it does",
                       c->config->name);
}
