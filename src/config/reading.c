#include "config/reading.h"

#include "config/preset_merge.h"
#include "config/source_file.h"

void reading_init(struct reading *r, const char *path)
{
    messages_init(&r->messages);
    document_init(&r->document, path, &r->messages);
}

static void tell(struct reading *r, const char *sentence)
{
    struct place place = {r->document.file, 0, 0};
    messages_add(&r->messages, MESSAGE_ERROR, place, "%s", sentence);
}

void reading_out_of_memory(struct reading *r)
{
    tell(r, "out of memory");
}

int reading_take(struct reading *r, struct text contents)
{
    struct error err = {""};
    struct document *d = &r->document;
    if (document_read(d, contents, &err) != 0) {
        tell(r, err.text);
        return -1;
    }
    for (size_t i = 0; i < d->count; i++) {
        struct section *s = &d->sections[i];
        if (s->kind == SECTION_PROVIDER)
            preset_merge(d, s);
        for (size_t k = 0; k < s->count; k++)
            document_expand(d, s, &s->entries[k]);
    }
    return 0;
}

int reading_take_file(struct reading *r)
{
    struct error err = {""};
    struct buffer contents;
    buffer_init_secret(&contents, SOURCE_FILE_MAX);
    int result = source_file_read(r->document.file, &contents, &err);
    if (result == 0)
        result = reading_take(r, buffer_text(&contents));
    else
        messages_add(
            &r->messages, MESSAGE_ERROR, (struct place){r->document.file, 0, 0},
            "cannot be read: %s; put the configuration there, or name another with -c FILE",
            err.text);
    buffer_done(&contents);
    return result;
}

void reading_finish(struct reading *r, struct config_messages *ret_messages)
{
    messages_finish(&r->messages, ret_messages);
    document_done(&r->document);
}
