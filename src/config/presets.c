#include "config/presets.h"

const struct embedded_preset *preset_find(struct text name)
{
    for (const struct embedded_preset *p = embedded_presets; p->name; p++)
        if (text_equal(text_of(p->name), name))
            return p;
    return NULL;
}
