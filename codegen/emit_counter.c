#include "codegen/emit_counter.h"

#include <limits.h>

struct c_argument emit_known_number(struct arena *arena, int64_t number) {
  return (struct c_argument){piece_name(arena_format(arena, "%lld", (long long)number)), true, number};
}

struct c_argument emit_affine(struct arena *arena, const struct counter *counter, int64_t factor, int64_t constant) {
  if (!factor) return emit_known_number(arena, constant);
  struct c_argument sum = {.piece.binding = BINDS_SUM};
  if (factor == -1) {
    sum.piece.text = constant ? arena_format(arena, "%lld - i", (long long)constant) : "-i";
    return sum;
  }
  int64_t most = counter->begin > counter->copies ? counter->begin : counter->copies + counter->begin;
  int64_t magnitude = factor < 0 ? -factor : factor;
  const char *i = magnitude > INT_MAX / (most + 1) ? "(int64_t)i" : "i";
  struct piece term = piece_name("i");
  if (factor != 1) term = (struct piece){arena_format(arena, "%s * %lld", i, (long long)factor), BINDS_PRODUCT, false};
  if (!constant) return (struct c_argument){.piece = term};
  sum.piece.text = arena_format(arena, "%s %c %lld", term.text, constant < 0 ? '-' : '+',
                                (long long)(constant < 0 ? -constant : constant));
  return sum;
}

struct c_argument emit_in_counter(struct arena *arena, const struct counter *counter, int64_t start, int64_t slope) {
  int64_t factor = slope * counter->direction;
  return emit_affine(arena, counter, factor, start - factor * counter->begin);
}

struct counter emit_choose_counter(const struct roll *roll, struct launch *const *launches) {
  struct {
    int64_t start;
    int slope, count;
  } votes[16];
  int vote_count = 0, best = -1;
  for (int position = 0; position < roll->period; position++) {
    const struct launch *launch = roll_launch(roll, launches, position, 0);
    for (int argument = 0; argument < launch->arguments.count; argument++) {
      if (!launch->arguments.items[argument].buffer) continue;
      struct argument_family family = roll_argument(launches, roll, position, argument);
      if (family.form == FORM_TABLE || !family.copies || (family.slope != 1 && family.slope != -1)) continue;
      int vote = 0;
      while (vote < vote_count && (votes[vote].start != family.start || votes[vote].slope != family.slope)) vote++;
      if (vote == vote_count) {
        if (vote_count == 16) continue;
        votes[vote_count].start = family.start, votes[vote_count].slope = (int)family.slope,
        votes[vote_count++].count = 0;
      }
      votes[vote].count++;
    }
  }
  for (int vote = 0; vote < vote_count; vote++)
    if (best < 0 || votes[vote].count > votes[best].count) best = vote;
  if (best < 0) return (struct counter){0, 1, roll->copies};
  return (struct counter){votes[best].start, votes[best].slope, roll->copies};
}
