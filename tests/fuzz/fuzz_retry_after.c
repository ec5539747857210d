/* Retry-After fields: in bounds, and never a wait beyond the limit or below zero. */
#include "fuzz.h"

#include "oauth/retry_after.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {0, INT64_C(784111777000), INT64_C(1736942400000)};
    char *copy = fuzz_copy(data, size);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t wait = retry_after_ms((struct text){copy, size}, times[i]);
        REQUIRE(wait >= 0 && wait <= RETRY_AFTER_MAX_MS);
    }
    free(copy);
    return 0;
}
