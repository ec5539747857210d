/*
 * fields.h - named values with templates: header.NAME, token_param.NAME and their relatives.
 *
 * No state; any thread.
 */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"

/* RFC 9110 5.6.2 */
bool field_name_is_token(struct text name);

/* Belongs to the connection or the framing, which bearerd does itself; never configurable. */
bool field_name_is_reserved(struct text name);

/* The same field for a server that takes `_` for `-`, in any case. */
bool field_names_alike(struct text a, struct text b);

/* Appends a copy of the name and the template of `source`. */
WARN_UNUSED int config_fields_add(struct config_fields *fields, struct text name,
                                  struct text source, struct error *err);
void config_fields_done(struct config_fields *fields);

/* The field of that name in any case, or NULL. */
const struct config_field *config_fields_find(const struct config_fields *fields, struct text name);

/* Appends copies of those of `from` that are in neither of `fields`, `others` and `removed`. */
WARN_UNUSED int config_fields_inherit(struct config_fields *fields,
                                      const struct config_fields *from,
                                      const struct config_fields *others,
                                      const struct config_list *removed, struct error *err);

#endif
