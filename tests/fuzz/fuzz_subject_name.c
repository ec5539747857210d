/*
 * A certificate's subject as another program writes it: one form, which is its own and has no
 * control character.
 */
#include "fuzz.h"

#include "base/subject_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer once, twice;
    buffer_init(&once, 65536);
    buffer_init(&twice, 65536);
    if (subject_name_canonical(&once, (struct text){(const char *)data, size}) == 0) {
        for (size_t i = 0; i < buffer_size(&once); i++)
            REQUIRE((unsigned char)buffer_data(&once)[i] > 0x20);
        if (buffer_size(&once) <= SUBJECT_NAME_MAX) {
            REQUIRE(subject_name_canonical(&twice, buffer_text(&once)) == 0);
            REQUIRE(text_equal(buffer_text(&once), buffer_text(&twice)));
        }
    }
    buffer_done(&once);
    buffer_done(&twice);
    return 0;
}
