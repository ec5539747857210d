/*
 * page.h - the status page for people: /status.
 *
 * One HTML document with its style and script inside (src/admin/page, compiled in). As it is sent
 * it shows everything in tables; its script then follows /status.json. All that is filled in is
 * escaped (html_out.h), and the Content-Security-Policy lets nothing but that style and script
 * work, so that not even a provider's words in a reason could become code.
 */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include "admin/admin_state.h"

/* What the build compiled in. */
struct page_files {
    struct text html, style, script;
};
extern const struct page_files page_files;

enum { PAGE_POLICY_SIZE = 512 };

/* The Content-Security-Policy that goes with it. -1 when there is no memory for the digests. */
WARN_UNUSED int page_policy(char ret_policy[PAGE_POLICY_SIZE]);

/* Appends the whole document. `alive`: every worker has answered (pulse.h). */
void page_write(const struct admin_state *s, bool alive, struct buffer *out);

#endif
