/* Histories written by hand, as text. */

#include "tests/unit/history/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "tests/history/text.h"

struct hand {
    struct judge judge;
    struct arena arena;
    size_t left; /* events that were not looked at */
    const char *broken;
};

/* One line; false: something does not hold. */
static bool see_line (struct hand *self, const char *line, size_t size)
{
    struct history_event event;
    struct objection objection;
    char *copy = arena_calloc (&self->arena, size + 1, 1);
    assert_non_null (copy);
    memcpy (copy, line, size);
    if (history_is_blank (copy)) {
        return true;
    }
    if (!history_parse (copy, &self->arena, &event, &objection)) {
        fail_msg ("%.*s: %s", (int) size, line, objection.text);
    }
    return judge_see (&self->judge, &event);
}

static void judge_piece (struct hand *self, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn (text, "\n");
        if (self->broken != NULL) {
            self->left++;
        } else if (!see_line (self, text, size)) {
            self->broken = self->judge.broken;
        }
        text += size + (text[size] == '\n');
    }
}

static void judge_all (struct hand *self, const char *const *pieces)
{
    judge_init (&self->judge);
    arena_init (&self->arena, 4096, 0);
    self->left = 0;
    self->broken = NULL;
    for (; *pieces != NULL; pieces++) {
        judge_piece (self, *pieces);
    }
    if (self->broken == NULL && !judge_finish (&self->judge)) {
        self->broken = self->judge.broken;
    }
}

static void end (struct hand *self)
{
    judge_deinit (&self->judge);
    arena_deinit (&self->arena);
}

void expect_good (const char *const *pieces)
{
    struct hand hand;
    judge_all (&hand, pieces);
    if (hand.broken != NULL) {
        fail_msg ("%s: %s", hand.broken, hand.judge.objection.text);
    }
    end (&hand);
}

void expect_broken (const char *rule, const char *const *pieces)
{
    struct hand hand;
    judge_all (&hand, pieces);
    if (hand.broken == NULL) {
        fail_msg ("nothing is found, and \"%s\" does not hold", rule);
    } else if (strcmp (hand.broken, rule) != 0) {
        fail_msg ("\"%s\" is broken, not \"%s\": %s", hand.broken, rule, hand.judge.objection.text);
    }
    assert_string_not_equal (hand.judge.objection.text, "");
    assert_int_equal (hand.left, 0);
    end (&hand);
}
