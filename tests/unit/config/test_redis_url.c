#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "config/redis_url.h"

static struct redis_place place_of(const char *url)
{
    struct redis_place place;
    struct error err = {""};
    if (redis_url_parse(text_of(url), &place, &err))
        fail_msg("%s: %s", url, err.text);
    return place;
}

static void refuses(const char *url, const char *word)
{
    struct redis_place place;
    struct error err = {""};
    if (redis_url_parse(text_of(url), &place, &err) == 0)
        fail_msg("taken: %s", url);
    if (!strstr(err.text, word))
        fail_msg("%s: %s", url, err.text);
}

static void servers(void **state UNUSED)
{
    struct redis_place p = place_of("redis://cache");
    assert_int_equal(p.kind, REDIS_SERVERS);
    assert_int_equal(p.host_count, 1);
    assert_string_equal(p.hosts[0].name, "cache");
    assert_int_equal(p.hosts[0].port, 6379);
    assert_int_equal(p.db, 0);
    p = place_of("redis://10.0.0.1:7000,[::1]:7001,c/5");
    assert_int_equal(p.host_count, 3);
    assert_string_equal(p.hosts[0].name, "10.0.0.1");
    assert_string_equal(p.hosts[1].name, "::1");
    assert_int_equal(p.hosts[1].port, 7001);
    assert_int_equal(p.hosts[2].port, 6379);
    assert_int_equal(p.db, 5);
    assert_int_equal(place_of("redis://cache:1/").db, 0);
}

static void sentinels(void **state UNUSED)
{
    struct redis_place p = place_of("redis+sentinel://a,b:1/mymaster/2");
    assert_int_equal(p.kind, REDIS_SENTINELS);
    assert_int_equal(p.hosts[0].port, 26379);
    assert_int_equal(p.hosts[1].port, 1);
    assert_string_equal(p.service, "mymaster");
    assert_int_equal(p.db, 2);
    assert_int_equal(place_of("redis+sentinel://a/m").db, 0);
}

static void sockets(void **state UNUSED)
{
    struct redis_place p = place_of("unix:///run/redis/redis.sock");
    assert_int_equal(p.kind, REDIS_SOCKET);
    assert_string_equal(p.path, "/run/redis/redis.sock");
    p = place_of("redis+unix:///run/r.sock?db=3");
    assert_string_equal(p.path, "/run/r.sock");
    assert_int_equal(p.db, 3);
}

static void mistakes_are_named(void **state UNUSED)
{
    char path[200] = "unix:///";
    memset(path + 8, 'a', sizeof(path) - 9);
    path[sizeof(path) - 1] = '\0';
    refuses(path, "longer than 107");
    refuses("", "expected");
    refuses("cache:6379", "expected");
    refuses("http://cache", "expected");
    refuses("rediss://cache:6380", "stunnel");
    refuses("redis://", "missing");
    refuses("redis://:6379", "host");
    refuses("redis://a:0", "port");
    refuses("redis://a:99999", "port");
    refuses("redis://a:b", "port");
    refuses("redis://a/x", "database");
    refuses("redis://a/99999", "database");
    refuses("redis://a/0/1", "database");
    refuses("redis://a,,b", "host");
    refuses("redis+sentinel://a", "service");
    refuses("redis+sentinel://a//0", "service");
    refuses("unix://run/redis.sock", "slash");
    refuses("unix:///a?x=1", "db=");
    refuses("redis://a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", "16");
}

static void a_password_is_refused_and_not_repeated(void **state UNUSED)
{
    struct redis_place place;
    struct error err = {""};
    assert_int_equal(redis_url_parse(TEXT("redis://u:hunter2@cache"), &place, &err), -1);
    assert_non_null(strstr(err.text, "redis_password"));
    assert_null(strstr(err.text, "hunter2"));
    assert_int_equal(redis_url_parse(TEXT("redis+sentinel://:hunter2@a/m"), &place, &err), -1);
    assert_null(strstr(err.text, "hunter2"));
    assert_int_equal(redis_url_parse(TEXT("redis://u:hun/ter2@cache"), &place, &err), -1);
    assert_null(strstr(err.text, "ter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers),
        cmocka_unit_test(sentinels),
        cmocka_unit_test(sockets),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_password_is_refused_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
