#include "config/host_name.h"

static bool is_label_char(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_ipv6(struct text host)
{
    bool brackets = host.size > 1 && host.at[0] == '[' && host.at[host.size - 1] == ']';
    if (brackets)
        host = (struct text){host.at + 1, host.size - 2};
    size_t colons = 0;
    for (size_t i = 0; i < host.size; i++) {
        char l = text_lower(host.at[i]);
        if (l == ':')
            colons++;
        else if (!((l >= '0' && l <= '9') || (l >= 'a' && l <= 'f') || l == '.'))
            return false;
    }
    return colons >= 2;
}

bool host_name_is_sound(struct text host, bool wildcard)
{
    if (is_ipv6(host))
        return true;
    if (wildcard && text_starts_with(host, TEXT("*.")))
        host = (struct text){host.at + 2, host.size - 2};
    bool label = false;
    for (size_t i = 0; i < host.size; i++) {
        if (host.at[i] == '.' && !label)
            return false;
        label = host.at[i] != '.';
        if (label && !is_label_char(host.at[i]))
            return false;
    }
    return label && host.size <= 253;
}

void host_name_lower(char *host)
{
    size_t size = strlen(host);
    if (size > 1 && host[0] == '[' && host[size - 1] == ']') {
        memmove(host, host + 1, size - 2);
        host[size - 2] = '\0';
    }
    for (char *c = host; *c; c++)
        *c = text_lower(*c);
}
