/*
 * page_tables.h - the rows of the status page's tables, as they are before its script runs.
 */
#ifndef ADMIN_PAGE_TABLES_H
#define ADMIN_PAGE_TABLES_H

#include "admin/admin_state.h"
#include "admin/now.h"

/* What a page is made from, at one moment. */
struct page_view {
    const struct admin_state *state;
    struct now now;
    bool alive; /* every worker has answered (pulse.h) */
};

/* Each appends what goes between the tags of status.html. */
void page_add_providers(const struct page_view *v, struct buffer *out);
void page_add_routes(const struct page_view *v, struct buffer *out);
void page_add_callers(const struct page_view *v, struct buffer *out);
void page_add_figures(const struct page_view *v, struct buffer *out);
void page_add_errors(const struct page_view *v, struct buffer *out);

#endif
