#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A cJSON node is handed out as a struct json; the root is the node that is freed. */
static const cJSON *node(const struct json *j)
{
    return (const cJSON *)(const void *)j;
}

static const struct json *from_node(const cJSON *n)
{
    return (const struct json *)(const void *)n;
}

/* ---- memory that is wiped, also what a parse that fails half-way leaves behind ---- */

struct block {
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

static void *wiped_malloc(size_t size)
{
    struct block *b = malloc(sizeof(*b) + size);
    if (!b)
        return NULL;
    b->size = size;
    return b->bytes;
}

static void wiped_free(void *p)
{
    if (!p)
        return;
    struct block *b = CONTAINER_OF(p, struct block, bytes);
    explicit_bzero(b->bytes, b->size);
    free(b);
}

static void install_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = wiped_malloc, .free_fn = wiped_free};
    cJSON_InitHooks(&hooks);
}

/* ---- what the library would let pass ---- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The index of the quotation mark that ends the string begun before `i`; t.size if none does. */
static size_t string_end(struct text t, size_t i, struct error *err)
{
    for (; i < t.size && t.at[i] != '"'; i++) {
        if ((unsigned char)t.at[i] < 0x20) {
            (void)error_set(err, "a control character inside a string");
            return t.size;
        }
        if (t.at[i] != '\\')
            continue;
        /* The library would end the string there, and a part would pass for the whole. */
        if (t.size - i > 5 && memcmp(t.at + i, "\\u0000", 6) == 0) {
            (void)error_set(err, "a NUL inside a string");
            return t.size;
        }
        i++;
    }
    if (i >= t.size) {
        (void)error_set(err, "it ends inside a string");
        return t.size;
    }
    return i;
}

static int check_shape(struct text t, struct error *err)
{
    size_t depth = 0;
    for (size_t i = 0; i < t.size; i++) {
        char c = t.at[i];
        if (c == '"') {
            i = string_end(t, i + 1, err);
            if (i == t.size)
                return -1;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return error_set(err, "more than %d levels deep", JSON_MAX_DEPTH);
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                return error_set(err, "a bracket that nothing opened");
        } else if ((unsigned char)c < 0x20 && !is_white(c)) {
            return error_set(err, "a control character");
        }
    }
    return 0;
}

static bool all_white(const char *at, const char *end)
{
    while (at < end && is_white(*at))
        at++;
    return at == end;
}

struct json *json_parse(struct text t, struct error *err)
{
    static pthread_once_t hooks = PTHREAD_ONCE_INIT;
    (void)pthread_once(&hooks, install_hooks);
    if (t.size == 0 || all_white(t.at, t.at + t.size)) {
        (void)error_set(err, "it is empty");
        return NULL;
    }
    if (check_shape(t, err))
        return NULL;
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(t.at, t.size, &end, false);
    if (!root) {
        (void)error_set(err, "it is no JSON");
        return NULL;
    }
    struct json *j = (struct json *)(void *)root;
    if (!all_white(end, t.at + t.size)) {
        (void)error_set(err, "something follows the JSON value");
        json_free(j);
        return NULL;
    }
    return j;
}

void json_free(struct json *j)
{
    cJSON_Delete((cJSON *)(void *)j);
}

/* ---- reading ---- */

/* A member's name as a C string; names longer than that are not asked for. */
enum { NAME_SIZE = 256 };

static const cJSON *child(const cJSON *n, struct text name)
{
    char buffer[NAME_SIZE];
    uint64_t index;
    if (name.size >= sizeof(buffer) || name.size == 0)
        return NULL;
    if (cJSON_IsArray(n))
        return text_to_u64(name, &index) || index > INT32_MAX ? NULL
                                                              : cJSON_GetArrayItem(n, (int)index);
    memcpy(buffer, name.at, name.size);
    buffer[name.size] = '\0';
    return cJSON_GetObjectItemCaseSensitive(n, buffer);
}

const struct json *json_at(const struct json *j, struct text path)
{
    const cJSON *n = node(j);
    while (n) {
        const cJSON *whole = child(n, path);
        if (whole)
            return from_node(whole);
        struct text rest;
        struct text name = text_cut(path, '.', &rest);
        if (name.size == path.size)
            return NULL;
        n = child(n, name);
        path = rest;
    }
    return NULL;
}

bool json_is_object(const struct json *j)
{
    return cJSON_IsObject(node(j));
}

const char *json_string(const struct json *j)
{
    return cJSON_IsString(node(j)) ? node(j)->valuestring : NULL;
}

int json_number(const struct json *j, double *ret_value)
{
    if (!cJSON_IsNumber(node(j)) || !isfinite(node(j)->valuedouble))
        return -1;
    *ret_value = node(j)->valuedouble;
    return 0;
}
