/*
 * secret_source.h - a secret by its reference: env:NAME, file:PATH, credential:NAME, literal:TEXT.
 *
 * Read when the configuration is loaded (control thread); a file of a reload is read again. A bare
 * text is the secret itself, with a warning. Sentences name the reference, never the secret.
 */
#ifndef CONFIG_SECRET_SOURCE_H
#define CONFIG_SECRET_SOURCE_H

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"

/* Bytes of a secret's file. */
enum { SECRET_FILE_MAX = 64 * 1024 };

/*
 * The secret, with a count of 1, or NULL with a sentence. `warning` gets a sentence when something
 * works but should not stay so, else it is left as it is.
 *
 * file: drops one trailing line end; warns when everybody may read the file, unless it lies below
 * /run/secrets, /var/run/secrets or $CREDENTIALS_DIRECTORY, where containers and systemd put them.
 */
WARN_UNUSED struct secret *secret_from_reference(struct text reference, struct error *warning,
                                                 struct error *err);

/*
 * The path that a reference to a file names: file:PATH, credential:NAME, or the path itself. The
 * caller frees it. NULL with a sentence where there is none.
 */
WARN_UNUSED char *path_from_reference(struct text reference, struct error *err);

/* The same as secret_from_reference() for file:PATH, from its path. `warning` may be NULL. */
WARN_UNUSED struct secret *secret_from_file(const char *path, struct error *warning,
                                            struct error *err);

#endif
