#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_slot.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/loop.h"
#include "oauth/token_publish.h"

/* Token times, from obtained to expired. */
enum { OBTAINED = 1000, EARLY = 5000, LATE = 8000, EXPIRES = 9000 };

struct bed {
    struct loop *loop;
    int wakes;
    struct token_slot *slot;
    struct token_reader reader, other;
    struct token *token; /* of the last answer */
    struct token_failure failure;
};

static void on_wake(void *ctx)
{
    struct bed *bed = ctx;
    bed->wakes++;
}

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    loop_on_wake(bed->loop, on_wake, bed);
    bed->slot = token_slot_new(bed->loop);
    assert_non_null(bed->slot);
    token_reader_init(&bed->reader, bed->slot);
    token_reader_init(&bed->other, bed->slot);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    token_reader_done(&bed->reader);
    token_reader_done(&bed->other);
    token_slot_unref(bed->slot);
    loop_free(bed->loop);
    free(bed);
    return 0;
}

static void put(struct bed *bed, uint64_t generation)
{
    struct token *token =
        token_new(generation, secret_new(TEXT("t")), OBTAINED, EARLY, LATE, EXPIRES);
    assert_non_null(token);
    token_slot_put(bed->slot, token);
    token_unref(token);
}

static void publish_failure(struct bed *bed, enum token_failure_kind kind, int64_t retry_ms)
{
    struct token_failure failure = {.kind = kind, .retry_ms = retry_ms};
    token_slot_fail(bed->slot, &failure);
    token_slot_hold_until(bed->slot, retry_ms);
}

static enum token_answer get(struct bed *bed, int64_t now_ms)
{
    return token_reader_get(&bed->reader, now_ms, &bed->token, &bed->failure);
}

/* How often the loop was woken since the last time. */
static int wakes(struct bed *bed)
{
    bed->wakes = 0;
    loop_turn(bed->loop, 0);
    return bed->wakes;
}

static void without_a_token_a_request_asks_and_waits(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(get(bed, 0), TOKEN_PENDING);
    assert_int_equal(wakes(bed), 1);
    assert_int_equal(get(bed, 0), TOKEN_PENDING); /* the source knows already */
    assert_int_equal(wakes(bed), 0);
    assert_true(token_slot_take_mail(bed->slot).wanted);
    assert_false(token_slot_take_mail(bed->slot).wanted);
    assert_int_equal(get(bed, 0), TOKEN_PENDING);
    assert_int_equal(wakes(bed), 1);
}

static void a_published_token_is_used_until_its_late_window(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    assert_int_equal(bed->token->generation, 1);
    assert_int_equal(get(bed, LATE - 1), TOKEN_READY);
    assert_int_equal(get(bed, LATE), TOKEN_PENDING);
    assert_int_equal(get(bed, EXPIRES), TOKEN_PENDING);
    assert_true(token_slot_take_mail(bed->slot).wanted);
}

/* Two workers that count the same token would share a cache line with each request. */
static void each_reader_counts_a_token_of_its_own(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    struct token *mine = token_ref(bed->token), *theirs;
    assert_int_equal(token_reader_get(&bed->other, OBTAINED, &theirs, &bed->failure), TOKEN_READY);
    assert_ptr_not_equal(theirs, mine);
    assert_int_equal(theirs->generation, mine->generation);
    assert_int_equal(theirs->expires_ms, mine->expires_ms);
    assert_ptr_equal(theirs->value, mine->value);
    assert_int_equal(atomic_load(&mine->refs), 2);
    assert_int_equal(atomic_load(&theirs->refs), 1);
    put(bed, 2);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    assert_int_equal(bed->token->generation, 2);
    assert_int_equal(mine->generation, 1); /* who sends it goes on with it */
    token_unref(mine);
}

static void the_use_is_told_once_a_generation(void **state)
{
    struct bed *bed = *state;
    put(bed, 7);
    assert_int_equal(wakes(bed), 0);
    assert_int_equal(token_slot_take_mail(bed->slot).used, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    assert_int_equal(wakes(bed), 1);
    assert_int_equal(token_slot_take_mail(bed->slot).used, 7);
    assert_int_equal(get(bed, EARLY), TOKEN_READY);
    assert_int_equal(wakes(bed), 0);
    put(bed, 8);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    assert_int_equal(wakes(bed), 1);
    assert_int_equal(token_slot_take_mail(bed->slot).used, 8);
}

static void a_late_reader_does_not_hide_the_use_of_a_newer_token(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(token_reader_get(&bed->other, OBTAINED, &bed->token, &bed->failure),
                     TOKEN_READY);
    bed->other.told = 0; /* as if it told only now, after the first has used generation 2 */
    put(bed, 2);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    bed->other.version = bed->reader.version;
    assert_int_equal(token_reader_get(&bed->other, OBTAINED, &bed->token, &bed->failure),
                     TOKEN_READY);
    assert_int_equal(bed->token->generation, 1);
    assert_int_equal(token_slot_take_mail(bed->slot).used, 2);
}

static void a_failure_is_answered_at_once_until_the_next_attempt(void **state)
{
    struct bed *bed = *state;
    publish_failure(bed, TOKEN_REFUSED, 500);
    assert_int_equal(get(bed, 499), TOKEN_FAILED);
    assert_int_equal(bed->failure.kind, TOKEN_REFUSED);
    assert_int_equal(bed->failure.retry_ms, 500);
    assert_int_equal(wakes(bed), 0);
    assert_int_equal(get(bed, 500), TOKEN_PENDING);
    assert_int_equal(wakes(bed), 1);
}

static void a_valid_token_survives_failures_to_its_end(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    publish_failure(bed, TOKEN_UNAVAILABLE, EXPIRES + 100);
    assert_int_equal(get(bed, EARLY), TOKEN_READY);
    assert_int_equal(get(bed, LATE), TOKEN_READY);
    assert_int_equal(get(bed, EXPIRES - 1), TOKEN_READY);
    assert_int_equal(get(bed, EXPIRES), TOKEN_FAILED);
    assert_int_equal(get(bed, EXPIRES + 100), TOKEN_PENDING);
    /* while the next attempt runs, nobody waits for it as long as the token is good */
    publish_failure(bed, TOKEN_UNAVAILABLE, LATE);
    assert_int_equal(get(bed, LATE + 1), TOKEN_READY);
}

static void a_new_token_ends_the_failure(void **state)
{
    struct bed *bed = *state;
    publish_failure(bed, TOKEN_REFUSED, INT64_MAX);
    assert_int_equal(get(bed, 0), TOKEN_FAILED);
    put(bed, 1);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    token_slot_put(bed->slot, NULL);
    assert_int_equal(get(bed, OBTAINED), TOKEN_PENDING);
    publish_failure(bed, TOKEN_REFUSED, INT64_MAX);
    token_slot_fail(bed->slot, NULL);
    assert_int_equal(get(bed, OBTAINED), TOKEN_PENDING);
}

static void a_rejection_drops_that_token_for_all(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    (void)wakes(bed);
    assert_int_equal(token_reader_reject(&bed->other, 1, 2000), TOKEN_REPLACING);
    assert_int_equal(wakes(bed), 1);
    struct token_mail mail = token_slot_take_mail(bed->slot);
    assert_true(mail.wanted);
    assert_int_equal(mail.rejected, 1);
    assert_int_equal(get(bed, 2000), TOKEN_PENDING);
    /* the others that were refused with it wait for the same fetch */
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2001), TOKEN_REPLACING);
    assert_int_equal(token_slot_rejections(bed->slot), 2);
}

static void a_late_rejection_does_not_hurt_the_new_token(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2000), TOKEN_REPLACING);
    put(bed, 2);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2500), TOKEN_REPLACED);
    assert_int_equal(get(bed, 2500), TOKEN_READY);
    assert_int_equal(bed->token->generation, 2);
}

static void forced_fetches_are_five_seconds_apart(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2000), TOKEN_REPLACING);
    put(bed, 2);
    assert_int_equal(token_reader_reject(&bed->reader, 2, 2000 + FORCED_FETCH_PAUSE_MS - 1),
                     TOKEN_NOT_REPLACED);
    assert_int_equal(get(bed, 3000), TOKEN_READY); /* it is not dropped either */
    assert_int_equal(token_reader_reject(&bed->reader, 2, 2000 + FORCED_FETCH_PAUSE_MS),
                     TOKEN_REPLACING);
}

static void what_cannot_be_replaced_is_not_dropped(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    publish_failure(bed, TOKEN_UNAVAILABLE, 3000); /* back-off, or the quota is used up */
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2999), TOKEN_NOT_REPLACED);
    assert_int_equal(get(bed, 2999), TOKEN_READY);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 3000), TOKEN_REPLACING);
    /* and when the forced fetch has failed, the refusal is all there is */
    publish_failure(bed, TOKEN_REFUSED, 4000);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 3500), TOKEN_NOT_REPLACED);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 4000), TOKEN_REPLACING);
}

static void a_rejection_asks_for_a_fetch_although_the_last_one_failed(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    publish_failure(bed, TOKEN_UNAVAILABLE, 1500);
    assert_int_equal(token_reader_reject(&bed->reader, 1, 2000), TOKEN_REPLACING);
    assert_int_equal(get(bed, 2000), TOKEN_PENDING);
}

static void a_closed_slot_fails_for_good(void **state)
{
    struct bed *bed = *state;
    put(bed, 1);
    assert_int_equal(get(bed, OBTAINED), TOKEN_READY);
    (void)wakes(bed);
    token_slot_close(bed->slot);
    assert_int_equal(get(bed, OBTAINED), TOKEN_FAILED);
    assert_int_equal(bed->failure.retry_ms, INT64_MAX);
    assert_int_equal(token_reader_reject(&bed->reader, 1, OBTAINED), TOKEN_NOT_REPLACED);
    assert_int_equal(wakes(bed), 0);
}

static void a_slot_knows_when_it_is_deserted(void **state)
{
    struct bed *bed = *state;
    struct token_slot *slot = token_slot_new(bed->loop);
    struct token_reader reader;
    assert_true(token_slot_is_deserted(slot));
    token_reader_init(&reader, slot);
    assert_false(token_slot_is_deserted(slot));
    token_reader_done(&reader);
    assert_true(token_slot_is_deserted(slot));
    token_slot_unref(slot);
    token_slot_unref(NULL);
    token_unref(NULL);
}

/* ---- threads ---- */

enum { READERS = 3, ROUNDS = 2000 };

struct shared {
    struct token_slot *slot;
    atomic_bool stop;
    atomic_int wrong;
};

/* Reads and rejects as fast as it can; a token must always be whole and never go backwards. */
static void *read_on(void *arg)
{
    struct shared *shared = arg;
    struct token_reader reader;
    uint64_t last = 0;
    token_reader_init(&reader, shared->slot);
    for (unsigned i = 0; !atomic_load(&shared->stop); i++) {
        struct token *token;
        struct token_failure failure;
        if (token_reader_get(&reader, OBTAINED, &token, &failure) != TOKEN_READY)
            continue;
        if (token->generation < last || !secret_equal(token->value, TEXT("t")))
            atomic_fetch_add(&shared->wrong, 1);
        last = token->generation;
        if (i % 64 == 0)
            (void)token_reader_reject(&reader, last, (int64_t)i);
    }
    token_reader_done(&reader);
    return NULL;
}

static void readers_and_the_writer_do_not_disturb_each_other(void **state)
{
    struct bed *bed = *state;
    struct shared shared = {.slot = bed->slot};
    pthread_t threads[READERS];
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &shared), 0);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        put(bed, round);
        if (round % 16 == 0)
            publish_failure(bed, TOKEN_UNAVAILABLE, 0);
        struct token_mail mail = token_slot_take_mail(bed->slot);
        assert_true(mail.used <= round && mail.rejected <= round);
    }
    atomic_store(&shared.stop, true);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&shared.wrong), 0);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(without_a_token_a_request_asks_and_waits),
        BED(a_published_token_is_used_until_its_late_window),
        BED(each_reader_counts_a_token_of_its_own),
        BED(the_use_is_told_once_a_generation),
        BED(a_late_reader_does_not_hide_the_use_of_a_newer_token),
        BED(a_failure_is_answered_at_once_until_the_next_attempt),
        BED(a_valid_token_survives_failures_to_its_end),
        BED(a_new_token_ends_the_failure),
        BED(a_rejection_drops_that_token_for_all),
        BED(a_late_rejection_does_not_hurt_the_new_token),
        BED(forced_fetches_are_five_seconds_apart),
        BED(what_cannot_be_replaced_is_not_dropped),
        BED(a_rejection_asks_for_a_fetch_although_the_last_one_failed),
        BED(a_closed_slot_fails_for_good),
        BED(a_slot_knows_when_it_is_deserted),
        BED(readers_and_the_writer_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
