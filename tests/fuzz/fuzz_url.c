/* URLs of the configuration: in bounds, and the parts put together again are the whole. */
#include "fuzz.h"

#include "base/buffer.h"
#include "base/url.h"

static void check_url(const struct url *url, struct text raw)
{
    struct buffer b;
    buffer_init(&b, raw.size + 1);
    (void)buffer_add(&b, raw.at, url->tls ? 8 : 7); /* in whatever case it came */
    (void)buffer_add_text(&b, url->authority);
    (void)buffer_add_text(&b, url->path);
    if (url->has_query)
        (void)buffer_add_char(&b, '?');
    (void)buffer_add_text(&b, url->query);
    REQUIRE(text_equal(buffer_text(&b), raw));
    buffer_done(&b);

    REQUIRE(url->host.size > 0 && url->port > 0);
    REQUIRE(url->path.size == 0 || url->path.at[0] == '/');
    REQUIRE(url->has_query || url->query.size == 0);
    REQUIRE(!memchr(url->host.at, '@', url->host.size));
    REQUIRE(!memchr(url->host.at, '/', url->host.size));
    REQUIRE(!!memchr(url->host.at, ':', url->host.size) == url->host_is_ipv6);
    REQUIRE(url->authority.size >= url->host.size + (url->host_is_ipv6 ? 2 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct text raw = {copy, size};
    struct url url;
    struct error err = {""};
    if (url_parse(raw, &url, &err) == 0) {
        check_url(&url, raw);
        (void)url_host_is_loopback(url.host);
    } else {
        REQUIRE(err.text[0] != '\0');
    }
    (void)url_host_is_loopback(raw);
    free(copy);
    return 0;
}
