#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/siphash.h"

static struct siphash_key key_of_the_paper(void)
{
    return (struct siphash_key){{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
}

/* The first, some and the last of the reference implementation's vectors (as little-endian). */
static void it_has_the_reference_values(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)}, {16, UINT64_C(0x3f2acc7f57c29bdb)},
        {63, UINT64_C(0x958a324ceb064572)},
    };
    char bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct siphash_key key = key_of_the_paper();
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(siphash(&key, (struct text){bytes, vectors[i].size}) == vectors[i].hash);
}

static void it_depends_on_the_key(void **state)
{
    (void)state;
    struct siphash_key a = key_of_the_paper(), b = a, c = a;
    b.words[0] ^= 1;
    c.words[1] ^= UINT64_C(1) << 63;
    assert_true(siphash(&a, TEXT("text")) != siphash(&b, TEXT("text")));
    assert_true(siphash(&a, TEXT("text")) != siphash(&c, TEXT("text")));
    assert_true(siphash(&a, TEXT_NONE) != siphash(&b, TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_the_reference_values),
        cmocka_unit_test(it_depends_on_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
