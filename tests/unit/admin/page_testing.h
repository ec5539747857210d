/*
 * page_testing.h - what the tests of the status page share: hostile texts, and a look at markup.
 *
 * Include after admin_testing.h.
 */
#ifndef TESTS_PAGE_TESTING_H
#define TESTS_PAGE_TESTING_H

#define HOSTILE "\"'><script>alert(1)</script><b onclick=x>&amp;"
#define HOSTILE_ESCAPED                                                                            \
    "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=x&gt;&amp;amp;"

enum { MARKUP_DEPTH = 64 };

/* No configuration can say this, so it is put in afterwards. */
static inline void make_hostile(char **text)
{
    free(*text);
    *text = strdup(HOSTILE);
    assert_non_null(*text);
}

static inline void stage_make_hostile(struct stage *s)
{
    make_hostile(&s->config->path);
    make_hostile(&s->config->providers[0].name);
    make_hostile(&s->config->providers[0].preset);
    make_hostile(&s->config->routes[0].name);
    make_hostile(&s->config->routes[0].path);
    make_hostile(&s->config->routes[0].host);
}

static inline bool is_void_element(struct text name)
{
    return text_equal(name, TEXT("meta")) || text_equal(name, TEXT("link"));
}

static inline bool is_raw_element(struct text name)
{
    return text_equal(name, TEXT("style")) || text_equal(name, TEXT("script"));
}

/* The name that a tag begins with. */
static inline struct text tag_name(const char *at)
{
    return (struct text){at, strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789")};
}

/* Behind the end of a tag; quotes are respected. `*closed` is true for <…/>. */
static inline const char *tag_end(const char *at, bool *closed)
{
    for (char quote = 0; *at; at++) {
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '>')
            break;
    }
    assert_int_equal(*at, '>');
    *closed = at[-1] == '/';
    return at + 1;
}

/* Every element that is opened is closed, in its turn. */
static inline void assert_balanced(const char *html)
{
    struct text open[MARKUP_DEPTH];
    size_t depth = 0;
    for (const char *at = strchr(html, '<'); at; at = strchr(at, '<')) {
        bool ends = at[1] == '/', closed;
        struct text name = tag_name(at + 1 + ends);
        const char *tag = at;
        at = tag_end(at, &closed);
        if (tag[1] == '!' || is_void_element(name) || closed)
            continue;
        assert_true(name.size > 0);
        if (ends) {
            assert_true(depth > 0);
            if (!text_equal(open[--depth], name))
                fail_msg("<%.*s> is closed by %.40s", TEXT_ARG(open[depth]), tag);
        } else {
            assert_true(depth < MARKUP_DEPTH);
            open[depth++] = name;
            if (is_raw_element(name))
                at = strstr(at, name.at[1] == 't' ? "</style>" : "</script>");
        }
    }
    assert_int_equal(depth, 0);
}

#endif
