/*
 * fleet_state.h - what fleet.h plays with: instances, what store and provider know, who is next.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_FLEET_STATE_H
#define TESTS_FLEET_STATE_H

#include "oauth/oauth_testing.h"
#include "oauth/token_share.h"
#include "oauth/token_source.h"

enum { FLEET_TOKENS = 1 << 16 };

/* What may go wrong in a run. */
struct fleet_faults {
    bool crashes;      /* instances die, and are started again */
    bool stalls;       /* instances stand still, longer than their lock lives */
    bool slowness;     /* answers of the store come later than anybody waits, or never */
    bool downs;        /* the store is away for a while */
    bool lost_news;    /* half of the news do not arrive */
    bool lost_answers; /* answers of the provider */
    bool revocations;
};

struct fleet_setting {
    const char *lines; /* of the provider */
    int instances, sources;
    int64_t life_s;   /* of a token */
    int tokens_max;   /* of a source in a run; 0: FLEET_TOKENS */
    int64_t start_ms; /* the instances start within this time; 0: all at once */
    /*
     * What a question and a publication to one instance cost the store, in microseconds: it does
     * one thing after the other. 0: they cost nothing.
     */
    int question_us, message_us;
    struct fleet_faults faults;
};

/* What became of a refresh token that was sent. */
enum fleet_fate {
    FATE_NONE,      /* it was not sent */
    FATE_IN_FLIGHT, /* its sender waits for the answer */
    FATE_ANSWERED,  /* its sender has the one that came for it, or the store has */
    FATE_LOST,      /* its sender knows that the answer was lost */
    FATE_DEAD,      /* its sender died, and with it what it may have got */
    FATE_COUNT,
};

/* One source in one instance. */
struct fleet_node {
    int instance, number;
    struct token_source *source;
    struct token_reader reader;
    int64_t start_ms; /* true time, as all here; before that it does nothing */
    int64_t run_ms;

    bool fetching;
    int64_t fetched_ms; /* the answer comes */
    int64_t limit_ms;   /* after that it is not taken */
    bool lost;          /* it does not */
    char sent[32];      /* refresh token */
    char answer[200];

    bool asking;
    struct token_ask question;
    char bytes[2048];
    size_t size;
    int64_t asked_ms;
    int64_t done_ms, told_ms; /* the store does it; the answer is there, or is given up */
    bool undone;              /* it has not done it yet */
    struct token_told told;
    int64_t age_ms; /* of what was found, then */

    bool locked;
    int64_t extend_ms;
    int64_t ask_ms; /* the next request of a client */

    int64_t next_ms; /* when it has something to do */
    int place;       /* in the heap */
};

struct fleet_instance {
    int64_t offset_ms; /* its clock is that much ahead */
    int64_t away_ms;   /* until then it does not ask the store */
    int64_t stalled_ms;
};

/* What the store and the provider know of a source. */
struct fleet_truth {
    uint64_t generation;
    char bytes[2048];
    size_t size;
    int64_t saved_ms, keep_ms;
    struct fleet_node *owner;
    int64_t lock_ms;

    int64_t *expires_ms;  /* by token; 0: revoked */
    unsigned char *fates; /* of refresh tokens, enum fleet_fate */
    int tokens;           /* issued; the last is the newest */
    int refreshes;
    int in_flight;
    int64_t issued_ms;
    bool excused; /* the next request needs no reason: a crash, a refusal */
};

struct fleet {
    struct fleet_setting setting;
    uint64_t seed, random_state;
    struct fake_clock clock;
    struct clock_source clock_source;
    struct loop *loop;
    struct config *config;
    int64_t now_ms, began_ms;
    struct fleet_instance *instances;
    struct fleet_node *nodes; /* those of an instance side by side */
    struct fleet_node **heap; /* the first has the next thing to do */
    struct fleet_truth *truths;
    int64_t down_ms;  /* until then the store is away */
    int64_t busy_us;  /* until then it is, in true time */
    int64_t fault_ms; /* when the next thing goes wrong */
    bool calm;        /* nothing goes wrong any more */

    uint64_t steps, requests, answered;
    uint64_t twice[FATE_COUNT]; /* refresh tokens sent again, by what had become of them */
    uint64_t questions, saves, messages, late; /* late: an answer that nobody waited for */
    int64_t queue_us;                          /* the longest that a question waited for others */
};

/* The one that runs. */
static struct fleet *f;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %llu, step %llu, line %d: %s (%s)", (unsigned long long)f->seed,        \
                     (unsigned long long)f->steps, __LINE__, #condition, f->setting.lines);        \
    } while (0)

/* ---- randomness that can be repeated ---- */

static uint32_t random_number(void)
{
    f->random_state = f->random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(f->random_state >> 33);
}

static int64_t below(int64_t limit)
{
    return random_number() % (uint32_t)limit;
}

static bool one_in(int64_t n)
{
    return below(n) == 0;
}

static int tokens_max(void)
{
    return f->setting.tokens_max ? f->setting.tokens_max : FLEET_TOKENS;
}

/* ---- the instances' view ---- */

static struct fleet_instance *instance_of(const struct fleet_node *n)
{
    return &f->instances[n->instance];
}

static struct fleet_truth *truth_of(const struct fleet_node *n)
{
    return &f->truths[n->number];
}

static int64_t local_now(const struct fleet_node *n)
{
    return f->now_ms + instance_of(n)->offset_ms;
}

static bool is_stalled(const struct fleet_node *n)
{
    return f->now_ms < instance_of(n)->stalled_ms;
}

static void run(struct fleet_node *n)
{
    int64_t next = token_source_run(n->source, local_now(n));
    n->run_ms = next == INT64_MAX ? next : next - instance_of(n)->offset_ms;
    if (n->run_ms <= f->now_ms)
        n->run_ms = f->now_ms + 1;
}

/* ---- who is next ---- */

static int node_count(void)
{
    return f->setting.instances * f->setting.sources;
}

static int64_t give_up_ms(const struct fleet_node *n)
{
    return n->asked_ms + n->question.patience_ms;
}

/* When the node has something to do; what that is, follows from the times. */
static int64_t node_time(const struct fleet_node *n)
{
    int64_t next = n->run_ms < n->ask_ms ? n->run_ms : n->ask_ms;
    if (n->fetching && n->fetched_ms < next)
        next = n->fetched_ms;
    if (n->asking) {
        int64_t told = n->told_ms < give_up_ms(n) ? n->told_ms : give_up_ms(n);
        next = told < next ? told : next;
    }
    if (n->locked && n->extend_ms < next)
        next = n->extend_ms;
    int64_t stalled = instance_of(n)->stalled_ms, away = instance_of(n)->away_ms;
    if (n->number == 0 && away && away < next)
        next = away;
    next = next > stalled ? next : stalled;
    return n->undone && n->done_ms < next ? n->done_ms : next;
}

static void put(int place, struct fleet_node *n)
{
    f->heap[place] = n;
    n->place = place;
}

/* Its times have changed. */
static void touch(struct fleet_node *n)
{
    int at = n->place, count = node_count();
    n->next_ms = node_time(n);
    for (int up; at > 0 && f->heap[up = (at - 1) / 2]->next_ms > n->next_ms; at = up)
        put(at, f->heap[up]);
    for (int down; (down = 2 * at + 1) < count; at = down) {
        if (down + 1 < count && f->heap[down + 1]->next_ms < f->heap[down]->next_ms)
            down++;
        if (f->heap[down]->next_ms >= n->next_ms)
            break;
        put(at, f->heap[down]);
    }
    put(at, n);
}

#endif
