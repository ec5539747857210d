#include "proxy/caller_basic.h"

#include "base/encoding.h"

enum basic caller_basic_password(struct text value, char room[BASIC_CREDENTIALS_MAX],
                                 struct text *ret_password)
{
    struct text credentials, password;
    size_t size;
    if (!text_equal_nocase(text_cut(value, ' ', &credentials), TEXT("Basic")))
        return BASIC_OTHER;
    credentials = text_trim(credentials);
    if (credentials.size > BASIC_CREDENTIALS_MAX / 3 * 4 || base64_decode(credentials, room, &size))
        return BASIC_MALFORMED;
    struct text user = text_cut((struct text){room, size}, ':', &password);
    if (user.size == size)
        return BASIC_MALFORMED;
    *ret_password = password;
    return BASIC_PASSWORD;
}
