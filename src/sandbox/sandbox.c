#include "sandbox/sandbox.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/endpoint.h"
#include "sandbox/router.h"

enum {
    MAX_CONNECTIONS = 512,
    BACKLOG = 128,
    REPLY_MAX = 256 * 1024,
    ADDRESS_SIZE = NI_MAXHOST + NI_MAXSERV + 4,
};

struct sandbox {
    struct sandbox_state state;
    struct endpoint *endpoint;
    int fd;
    char address[ADDRESS_SIZE];
};

static void answer(void *ctx, const struct endpoint_request *request, struct endpoint_call *call)
{
    struct sandbox *s = ctx;
    struct sandbox_reply reply = {.status = 500};
    buffer_init(&reply.body, REPLY_MAX);
    sandbox_route(&s->state, request, &reply);
    if (reply.body.failed) {
        reply.status = 500;
        buffer_clear(&reply.body);
    }
    const struct field no_store = {TEXT("Cache-Control"), TEXT("no-store")};
    endpoint_answer(call, &(struct endpoint_response){
                              .status = reply.status,
                              .content_type = buffer_size(&reply.body) ? reply.content_type : NULL,
                              .fields = &no_store,
                              .field_count = 1,
                              .body = buffer_text(&reply.body),
                          });
    buffer_done(&reply.body);
}

/* ---- listening ---- */

/* "host:port" or "[v6]:port" into two strings; -1 when it is neither. */
static int split_address(const char *listen, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
    struct text rest, before;
    bool v6 = listen[0] == '[';
    before = text_cut(text_of(v6 ? listen + 1 : listen), v6 ? ']' : ':', &rest);
    if (v6 && rest.size && rest.at[0] == ':')
        rest = (struct text){rest.at + 1, rest.size - 1};
    else if (v6)
        return -1;
    uint64_t number;
    if (before.size == 0 || before.size >= NI_MAXHOST || text_to_u64(rest, &number) ||
        number > UINT16_MAX)
        return -1;
    (void)snprintf(host, NI_MAXHOST, "%.*s", TEXT_ARG(before));
    (void)snprintf(port, NI_MAXSERV, "%u", (unsigned)number);
    return 0;
}

static struct addrinfo *resolve(const char *listen, struct error *err)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (split_address(listen, host, port)) {
        error_set(err, "%s is no address to listen on; write host:port or [v6]:port", listen);
        return NULL;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code) {
        error_set(err, "cannot listen on %s: %s", listen, gai_strerror(code));
        return NULL;
    }
    return found;
}

static int open_socket(const struct sandbox_options *options, struct error *err)
{
    const char *where = options->listen ? options->listen : SANDBOX_LISTEN;
    struct addrinfo *found = resolve(where, err);
    if (!found)
        return -1;
    int one = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG)) {
        error_set(err, "the sandbox cannot listen on %s: %s; choose another address with %s", where,
                  strerror(errno), options->listen_option);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static int name_address(struct sandbox *s, struct error *err)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(s->fd, (struct sockaddr *)&bound, &size) ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return error_set(err, "cannot tell the sandbox's own address");
    bool v6 = bound.ss_family == AF_INET6;
    (void)snprintf(s->address, sizeof(s->address), "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "",
                   port);
    return 0;
}

/* ---- life ---- */

static int start(struct sandbox *s, struct loop *loop, const struct sandbox_options *options,
                 struct error *err)
{
    s->fd = open_socket(options, err);
    if (s->fd < 0 || name_address(s, err))
        return -1;
    const struct endpoint_config config = {.max_body = SANDBOX_MAX_BODY,
                                           .max_connections = MAX_CONNECTIONS};
    s->endpoint = endpoint_new(loop, &config, answer, s, err);
    return s->endpoint ? endpoint_listen(s->endpoint, s->fd, err) : -1;
}

struct sandbox *sandbox_new(struct loop *loop, const struct sandbox_options *options,
                            struct error *err)
{
    struct sandbox *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "no memory for the sandbox");
        return NULL;
    }
    s->fd = -1;
    s->state.token_lifetime_ms = options->token_lifetime_ms;
    if (start(s, loop, options, err)) {
        sandbox_free(s);
        return NULL;
    }
    return s;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    endpoint_free(s->endpoint);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

void sandbox_turn(struct sandbox *s)
{
    endpoint_turn(s->endpoint);
}

const char *sandbox_address(const struct sandbox *s)
{
    return s->address;
}
