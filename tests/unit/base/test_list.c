#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    char name;
    struct list link;
};

static void fill(struct list *head, struct item *items, const char *names)
{
    list_init(head);
    for (; *names; names++, items++) {
        items->name = *names;
        list_push_back(head, &items->link);
    }
}

/* The names in order, both ways round. */
static void assert_names(struct list *head, const char *names)
{
    size_t count = 0;
    for (struct list *l = head->next; l != head; l = l->next)
        assert_int_equal(CONTAINER_OF(l, struct item, link)->name, names[count++]);
    assert_int_equal(names[count], '\0');
    for (struct list *l = head->prev; l != head; l = l->prev)
        assert_int_equal(CONTAINER_OF(l, struct item, link)->name, names[--count]);
    assert_int_equal(count, 0);
    assert_int_equal(list_empty(head), names[0] == '\0');
}

static void elements_go_to_both_ends(void **state)
{
    (void)state;
    struct list head;
    struct item items[3], x = {.name = 'x'}, y = {.name = 'y'};
    fill(&head, items, "");
    assert_names(&head, "");
    fill(&head, items, "abc");
    assert_names(&head, "abc");
    list_push_front(&head, &x.link);
    assert_names(&head, "xabc");
    list_insert_after(&items[0].link, &y.link);
    assert_names(&head, "xaybc");
}

static void elements_leave_from_anywhere(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    fill(&head, items, "abc");
    list_remove(&items[1].link);
    assert_names(&head, "ac");
    list_remove(&items[1].link); /* again: harmless */
    assert_names(&head, "ac");
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    assert_names(&head, "");
    list_push_back(&head, &items[1].link);
    assert_names(&head, "b");
}

static void the_first_is_popped(void **state)
{
    (void)state;
    struct list head;
    struct item items[2];
    fill(&head, items, "ab");
    assert_ptr_equal(list_pop_front(&head), &items[0].link);
    list_remove(&items[0].link); /* it is in no list any more */
    assert_names(&head, "b");
    assert_ptr_equal(list_pop_front(&head), &items[1].link);
    assert_null(list_pop_front(&head));
}

static void a_list_is_spliced_onto_another(void **state)
{
    (void)state;
    struct list to, from;
    struct item first[2], second[2];
    fill(&to, first, "ab");
    fill(&from, second, "cd");
    list_splice(&to, &from);
    assert_names(&to, "abcd");
    assert_names(&from, "");

    list_splice(&to, &from); /* an empty one changes nothing */
    assert_names(&to, "abcd");
    list_splice(&from, &to); /* onto an empty one */
    assert_names(&from, "abcd");
    assert_names(&to, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_go_to_both_ends),
        cmocka_unit_test(elements_leave_from_anywhere),
        cmocka_unit_test(the_first_is_popped),
        cmocka_unit_test(a_list_is_spliced_onto_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
