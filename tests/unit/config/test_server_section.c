#include "config_testing.h"

static void try_server(const char *lines, const char *part)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "[server]\n%s\n" PROVIDER ROUTE, lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    unload(&l);
}

static void defaults(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE);
    const struct server_config *s = &l.config->server;
    assert_int_equal(s->listen.count, 1);
    assert_string_equal(s->listen.items[0].host, "127.0.0.1");
    assert_int_equal(s->listen.items[0].port, 8080);
    assert_int_equal(s->admin_listen.items[0].port, 8081);
    assert_true(s->workers >= 1);
    assert_false(s->accept_any_host);
    assert_int_equal(s->accept_hosts.count + s->accept_origins.count, 0);
    assert_null(s->require_header_name);
    assert_int_equal(s->max_connections, 10000);
    assert_int_equal(s->max_in_flight, 4096);
    assert_int_equal(s->connection_memory, 16384);
    assert_int_equal(s->header_timeout, 10000);
    assert_int_equal(s->idle_timeout, 75000);
    assert_int_equal(s->body_timeout, 30000);
    assert_int_equal(s->body_min_rate, 256);
    assert_int_equal(s->shutdown_timeout, 25000);
    assert_true(s->via);
    assert_int_equal(s->log_level, LOG_INFO);
    assert_int_equal(s->log_format, LOG_TEXT);
    assert_string_equal(s->access_log, "stdout");
    assert_int_equal(l.messages.count, 0);
    unload(&l);
}

static void hosts_and_origins(void **state)
{
    (void)state;
    struct loaded l = load_sound("[server]\naccept_hosts = Proxy.Example, [::1], 10.0.0.1\n"
                                 "accept_origins = https://App.example, http://localhost:3000\n"
                                 "admin_listen = off\n" PROVIDER ROUTE);
    const struct server_config *s = &l.config->server;
    assert_string_equal(s->accept_hosts.items[0], "proxy.example");
    assert_string_equal(s->accept_hosts.items[1], "::1");
    assert_string_equal(s->accept_origins.items[0], "https://app.example");
    assert_int_equal(s->admin_listen.count, 0);
    unload(&l);
    l = load_sound("[server]\naccept_hosts = *\n" PROVIDER ROUTE);
    assert_true(l.config->server.accept_any_host);
    unload(&l);
}

static void mistakes(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"accept_hosts = proxy:port", "t.ini:2: [server] accept_hosts: proxy:port is no host name"},
        {"accept_hosts = proxy:70000", "is no host name"},
        {"accept_hosts = proxy:", "is no host name"},
        {"accept_hosts = http://x", "is no host name"},
        {"accept_hosts = *.example.com", "is no host name"},
        {"accept_origins = app.example", "is no origin"},
        {"accept_origins = https://app.example/", "is no origin"},
        {"accept_origins = *", "is no origin"},
        {"listen = 127.0.0.1:90\nadmin_listen = 127.0.0.1:90",
         "t.ini:3: [server] admin_listen: listen and admin_listen are both 127.0.0.1:90"},
        {"listen = 127.0.0.1:8081", "t.ini:2: [server] listen: listen and admin_listen are both"},
        {"listen = unix:/a\nadmin_listen = unix:/a", "are both unix:/a"},
        {"listen = 127.0.0.1:0\nadmin_listen = 127.0.0.1:0", NULL},
        {"listen = 127.0.0.1:1, 127.0.0.1:1", "listed twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
        try_server(attempts[i].lines, attempts[i].mistake);
}

/* Nobody is asked who they are: a listener for the network is said aloud. */
static void exposure_is_warned_about(void **state)
{
    (void)state;
    struct loaded l = load_sound("[server]\nlisten = 0.0.0.0:8080, [::1]:80, unix:/x, localhost:1\n"
                                 "admin_listen = [::]:8081\n" PROVIDER ROUTE);
    assert_int_equal(l.messages.count, 2);
    assert_told(&l, "t.ini:2: warning: [server] listen: 0.0.0.0:8080 is not loopback: whoever");
    assert_told(&l, "t.ini:3: warning: [server] admin_listen: [::]:8081 is not loopback");
    unload(&l);
}

static void callers_are_asked_who_they_are(void **state)
{
    (void)state;
    struct loaded l = load_sound("[server]\nlisten = 0.0.0.0:8080\n" PROVIDER ROUTE
                                 "[caller shop]\napi_key = literal:0123456789abcdef\n");
    assert_int_equal(l.messages.count, 0);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(hosts_and_origins),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(exposure_is_warned_about),
        cmocka_unit_test(callers_are_asked_who_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
