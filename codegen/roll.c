#include "codegen/roll.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ir/table.h"

/* --- Arguments ---------------------------------------------------------------------------------------------------------- */

static const struct launch_argument *at(struct launch *const *launches, const struct roll *roll, int position,
                                        int argument, int copy) {
  return &launches[roll->first + position + copy * roll->period]->arguments.items[argument];
}

/* Whether two buffers are copies of one name, which can stand in one array of pointers. Inputs and outputs cannot: each
   has a field of its own. */
static bool same_family(const struct buffer *x, const struct buffer *y) {
  return x == y || (x->role != BUFFER_INPUT && x->role != BUFFER_OUTPUT && x->copy >= 0 && y->copy >= 0 &&
                    x->role == y->role && x->storage == y->storage && !strcmp(x->name, y->name));
}

/* Whether the argument is regular for copies from `low` to before `high`; *family then says how. */
static bool regular_pointers(struct launch *const *launches, const struct roll *roll, int position, int argument,
                             int low, int high, struct argument_family *family) {
  const struct launch_argument *first = at(launches, roll, position, argument, low);
  const struct launch_argument *second = high - low > 1 ? at(launches, roll, position, argument, low + 1) : first;
  if (!same_family(first->buffer, second->buffer)) return false;
  bool same = first->buffer == second->buffer;
  int64_t slope = same ? 0 : second->buffer->copy - first->buffer->copy, step = second->offset - first->offset;
  for (int t = low; t < high; t++) {
    const struct launch_argument *x = at(launches, roll, position, argument, t);
    if (!same_family(first->buffer, x->buffer) || x->offset != first->offset + step * (t - low)) return false;
    if (same ? x->buffer != first->buffer : x->buffer->copy != first->buffer->copy + slope * (t - low)) return false;
  }
  family->copies = !same;
  family->slope = slope;
  family->start = same ? 0 : first->buffer->copy - slope * low;
  family->offset_step = step;
  family->offset_start = first->offset - step * low;
  return true;
}

static struct argument_family pointer_family(struct launch *const *launches, const struct roll *roll, int position,
                                             int argument) {
  struct argument_family family = {0};
  int n = roll->copies;
  if (regular_pointers(launches, roll, position, argument, 0, n, &family))
    family.form = family.copies || family.offset_step ? FORM_AFFINE : FORM_SAME;
  else if (regular_pointers(launches, roll, position, argument, 1, n, &family))
    family.form = FORM_EXCEPT_FIRST;
  else if (regular_pointers(launches, roll, position, argument, 0, n - 1, &family))
    family.form = FORM_EXCEPT_LAST;
  else
    family = (struct argument_family){.form = FORM_TABLE};
  return family;
}

static bool same_number(const struct launch_argument *x, const struct launch_argument *y) {
  return x->number_kind == y->number_kind && x->number == y->number && !memcmp(&x->real, &y->real, sizeof x->real);
}

static struct argument_family number_family(struct launch *const *launches, const struct roll *roll, int position,
                                            int argument) {
  const struct launch_argument *first = at(launches, roll, position, argument, 0);
  const struct launch_argument *second = at(launches, roll, position, argument, 1);
  struct argument_family family = {.form = FORM_SAME, .start = first->number, .slope = second->number - first->number};
  bool same = true, affine = first->number_kind == NUMBER_CONSTANT;
  for (int t = 0; t < roll->copies; t++) {
    const struct launch_argument *x = at(launches, roll, position, argument, t);
    same = same && same_number(first, x);
    affine = affine && x->number == family.start + family.slope * t && !memcmp(&x->real, &first->real, sizeof x->real);
  }
  if (!same) family.form = affine ? FORM_AFFINE : FORM_TABLE;
  return family;
}

struct argument_family roll_argument(struct launch *const *launches, const struct roll *roll, int position,
                                     int argument) {
  bool pointer = at(launches, roll, position, argument, 0)->buffer != NULL;
  return pointer ? pointer_family(launches, roll, position, argument)
                 : number_family(launches, roll, position, argument);
}

/* --- Copies ------------------------------------------------------------------------------------------------------------- */

/* Whether the argument's buffers are different activations of one kind that have no copy numbers from a repeat of the
   spec. */
static bool can_be_copies(struct launch *const *launches, const struct roll *roll, int position, int argument) {
  const struct buffer *first = at(launches, roll, position, argument, 0)->buffer;
  if (!first) return false;
  for (int t = 0; t < roll->copies; t++) {
    struct buffer *buffer = at(launches, roll, position, argument, t)->buffer;
    if (buffer->role != BUFFER_ACTIVATION || buffer->copy >= 0 || buffer->storage != first->storage ||
        buffer->count != first->count)
      return false;
    buffer->mark = -1;
  }
  for (int t = 0; t < roll->copies; t++) {
    struct buffer *buffer = at(launches, roll, position, argument, t)->buffer;
    if (buffer->mark >= 0) return false; /* the same buffer comes twice */
    buffer->mark = t;
  }
  return true;
}

/* The number of the repeat's copy that launch t belongs to, if the roll's copies are just the repeat's, in order or
   reversed; else t. */
static int copy_number(struct launch *const *launches, const struct roll *roll, int position, int t) {
  const struct origin *first = &launches[roll->first + position]->origin;
  for (int copy = 0; copy < roll->copies; copy++) {
    const struct origin *origin = &launches[roll->first + position + copy * roll->period]->origin;
    bool ascending = origin->copy == copy, descending = origin->copy == roll->copies - 1 - copy;
    if (!origin->repeat || origin->repeat != first->repeat || !(first->copy == 0 ? ascending : descending)) return t;
  }
  return first->copy == 0 ? t : roll->copies - 1 - t;
}

/* Where the number begins in which two paths differ; -1 where they differ otherwise. */
static int number_begins(const char *first, const char *second) {
  int at = 0;
  while (first[at] && first[at] == second[at]) at++;
  /* 9 and 10, or 10 and 11: the numbers begin before the first difference. */
  while (at > 0 && isdigit((unsigned char)first[at - 1])) at--;
  const size_t digits = strspn(first + at, "0123456789"), others = strspn(second + at, "0123456789");
  if (!digits || !others || at == 0 || first[at - 1] != '.' || strcmp(first + at + digits, second + at + others) != 0)
    return -1;
  return first[at + (int)digits] && first[at + (int)digits] != '.' ? -1 : at;
}

const char *path_of_copies(struct arena *arena, const char *first, const char *second, const char *with) {
  const int at = number_begins(first, second);
  if (at < 0) return NULL;
  return arena_format(arena, "%.*s%s%s", at - 1, first, with, first + at + strspn(first + at, "0123456789"));
}

int64_t path_number(const char *first, const char *second) {
  const int at = number_begins(first, second);
  return at < 0 ? 0 : strtoll(first + at, NULL, 10);
}

static const char *identifier(struct arena *arena, const char *path) {
  char *name = arena_strdup(arena, path);
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  return name;
}

/* Makes the buffers of an argument copies of one new name. `families` has the names that copies have already. */
static void make_copies(struct arena *arena, struct table *families, struct launch *const *launches,
                        const struct roll *roll, int position, int argument) {
  const struct buffer *first = at(launches, roll, position, argument, 0)->buffer;
  const struct buffer *second = at(launches, roll, position, argument, 1)->buffer;
  const char *path = first->label && second->label ? path_of_copies(arena, first->label, second->label, "") : NULL;
  const char *base = path ? identifier(arena, path) : first->name, *name = base;
  for (int number = 2; table_find(families, name); number++) name = arena_format(arena, "%s_%d", base, number);
  table_set(arena, families, name, (void *)name);
  for (int t = 0; t < roll->copies; t++) {
    struct buffer *buffer = at(launches, roll, position, argument, t)->buffer;
    buffer->name = name;
    buffer->copy = copy_number(launches, roll, position, t);
  }
}

void roll_name_copies(struct arena *arena, const struct module *module, struct launch *const *launches, int count) {
  struct rolls rolls = roll_launches(arena, launches, count);
  struct table families = {0};
  for (int i = 0; i < module->buffers.count; i++)
    if (module->buffers.items[i]->copy >= 0)
      table_set(arena, &families, module->buffers.items[i]->name, module->buffers.items[i]);
  /* Buffers that are written get their numbers first; those that are read mostly follow. */
  for (int all = 0; all < 2; all++) {
    for (int i = 0; i < rolls.items.count; i++) {
      const struct roll *roll = &rolls.items.items[i];
      for (int position = 0; position < roll->period && roll->copies > 1; position++) {
        const struct launch *launch = launches[roll->first + position];
        for (int argument = 0; argument < launch->arguments.count; argument++) {
          const struct parameter *parameter = &launch->function->parameters.items[argument];
          if (!parameter->array || (all == 0 && !parameter->array->written)) continue;
          if (roll_argument(launches, roll, position, argument).form == FORM_TABLE &&
              can_be_copies(launches, roll, position, argument))
            make_copies(arena, &families, launches, roll, position, argument);
        }
      }
    }
  }
}

/* --- Which runs to roll ------------------------------------------------------------------------------------------------- */

/* Whether two launches call the same function, with numbers of the same kind: only such calls can be turns of one
   loop. */
static bool same_call(const struct launch *x, const struct launch *y) {
  if (x->function != y->function || x->arguments.count != y->arguments.count || x->in_order != y->in_order)
    return false;
  for (int i = 0; i < x->arguments.count; i++) {
    const struct launch_argument *a = &x->arguments.items[i], *b = &y->arguments.items[i];
    if (!a->buffer != !b->buffer) return false;
    if (!a->buffer &&
        (a->number_kind != b->number_kind || (a->number_kind != NUMBER_CONSTANT && a->number != b->number)))
      return false;
  }
  return true;
}

enum { MOST_PERIOD = 4096 /* in launches; hardly any spec has a longer loop */ };

/* How long arguments continue evenly from one period to the next. The forms of any roll follow from this, without a
   look at each copy. */
struct runs {
  struct arena *arena;
  struct launch *const *launches;
  int count;
  struct pointer_table known; /* by launch and period: an index of `items` */
  ARRAY(struct run *) items; /* by argument */
};

/* even: from one launch on, in how many copies the argument is the same or affine. numbered: how many of them are
   activations that make_copies can number. Their numbers ascend, or descend where this is negative, and so they are
   different. */
struct run {
  int even, numbered;
};

/* Whether two copies can begin a run. */
static bool is_pair(const struct launch_argument *x, const struct launch_argument *y) {
  if (x->buffer) return same_family(x->buffer, y->buffer);
  return !memcmp(&x->real, &y->real, sizeof x->real) && (x->number_kind == NUMBER_CONSTANT || x->number == y->number);
}

static bool same_step(const struct launch_argument *x, const struct launch_argument *y,
                      const struct launch_argument *z) {
  if (!x->buffer) return y->number - x->number == z->number - y->number;
  if (y->offset - x->offset != z->offset - y->offset || (x->buffer == y->buffer) != (y->buffer == z->buffer))
    return false;
  return x->buffer == y->buffer || y->buffer->copy - x->buffer->copy == z->buffer->copy - y->buffer->copy;
}

static int *runs_at(struct runs *runs, int launch, int period) {
  const uintptr_t key = (uintptr_t)launch * (MOST_PERIOD + 1) + (uintptr_t)period; /* a period is at least 1 */
  return pointer_table_at(runs->arena, &runs->known, (const void *)key, -1);
}

static bool is_numberless(const struct buffer *buffer) {
  return buffer && buffer->role == BUFFER_ACTIVATION && buffer->copy < 0;
}

static int count_numbered(const struct buffer *x, const struct buffer *y, int next) {
  if (!is_numberless(x)) return 0;
  if (!is_numberless(y) || x->storage != y->storage || x->count != y->count || x == y) return 1;
  int way = y->number > x->number ? 1 : -1;
  return way * next > 1 ? next + way : 2 * way;
}

static const struct run *runs_of(struct runs *runs, int launch, int period) {
  struct launch *const *launches = runs->launches;
  int last = launch; /* the last launch of the chain, or the first that has runs already */
  while (*runs_at(runs, last, period) < 0 && last + period < runs->count &&
         same_call(launches[last], launches[last + period]))
    last += period;
  for (int i = last; i >= launch; i -= period) {
    if (*runs_at(runs, i, period) >= 0) continue;
    bool more = i + period < runs->count && same_call(launches[i], launches[i + period]);
    const struct run *next = more ? runs->items.items[*runs_at(runs, i + period, period)] : NULL;
    int arguments = launches[i]->arguments.count;
    struct run *own = arena_new_array(runs->arena, struct run, arguments);
    for (int j = 0; j < arguments; j++) {
      const struct launch_argument *x = &launches[i]->arguments.items[j],
                                   *y = more ? &launches[i + period]->arguments.items[j] : NULL;
      own[j].numbered = count_numbered(x->buffer, more ? y->buffer : NULL, more ? next[j].numbered : 0);
      if (!more || !is_pair(x, y))
        own[j].even = 1;
      else
        own[j].even =
            next[j].even >= 2 && same_step(x, y, &launches[i + 2 * period]->arguments.items[j]) ? next[j].even + 1 : 2;
    }
    *runs_at(runs, i, period) = runs->items.count;
    array_push(runs->arena, &runs->items, own);
  }
  return runs->items.items[*runs_at(runs, launch, period)];
}

/* Costs in tenths of a line. */
enum { COST_LAUNCH = 10, COST_LOOP = 20, COST_CONDITION = 3, COST_TABLE = 12, COST_POINTER = 3, COST_NUMBER = 1 };

static int plain_cost(const struct roll *roll) { return COST_LOOP + roll->period * COST_LAUNCH; }

/* The cost of a roll; once it reaches `limit` the exact number does not matter. Only the first `positions` launches are
   looked at, since the others are known to cost nothing more. */
static int roll_cost(struct runs *runs, const struct roll *roll, int positions, int limit) {
  int cost = plain_cost(roll);
  for (int position = 0; position < positions && cost < limit; position++) {
    const struct launch *launch = runs->launches[roll->first + position];
    const struct run *first = runs_of(runs, roll->first + position, roll->period);
    const struct run *second = runs_of(runs, roll->first + position + roll->period, roll->period);
    for (int argument = 0; argument < launch->arguments.count; argument++) {
      bool pointer = launch->arguments.items[argument].buffer != NULL;
      if (first[argument].even >= roll->copies) continue;
      if (pointer && (second[argument].even >= roll->copies - 1 || first[argument].even >= roll->copies - 1))
        cost += COST_CONDITION;
      else if (abs(first[argument].numbered) < roll->copies && !can_be_copies(runs->launches, roll, position, argument))
        cost += COST_TABLE + roll->copies * (pointer ? COST_POINTER : COST_NUMBER);
    }
  }
  return cost;
}

/* By launch: the next launch with the same call, or `count`. */
static int *find_next(struct arena *arena, struct launch *const *launches, int count) {
  int *next = arena_new_array(arena, int, count);
  /* by function: the earliest launch so far of one of its calls; `other` links to those of its other calls */
  struct pointer_table latest = {0};
  int *other = arena_new_array(arena, int, count);
  for (int i = count - 1; i >= 0; i--) {
    int *head = pointer_table_at(arena, &latest, launches[i]->function, count), *link = head;
    while (*link < count && !same_call(launches[*link], launches[i])) link = &other[*link];
    next[i] = *link;
    other[i] = *link < count ? other[*link] : count;
    *link = i;
  }
  return next;
}

/* What is known of a period, while launches are taken from the last to the first. */
struct period {
  int first, reach; /* so many launches from `first` on equal those one period later */
  int plain_first, copies; /* a roll from here on, with so many copies, needs no tables or conditions */
};

struct rolls roll_launches(struct arena *arena, struct launch *const *launches, int count) {
  struct arena *scratch = arena_new();
  struct runs runs = {.arena = scratch, .launches = launches, .count = count};
  for (int i = 0, number = 0; i < count; i++)
    for (int j = 0; j < launches[i]->arguments.count; j++)
      if (launches[i]->arguments.items[j].buffer) launches[i]->arguments.items[j].buffer->number = number++;
  struct rolls rolls = {0};
  int *cost = arena_new_array(scratch, int, count + 1), *next = find_next(scratch, launches, count);
  struct period *periods = arena_new_array(scratch, struct period, count + 1);
  struct roll *best = arena_new_array(scratch, struct roll, count + 1);
  for (int first = count - 1; first >= 0; first--) {
    best[first] = (struct roll){first, 1, 1};
    cost[first] = cost[first + 1] + COST_LAUNCH;
    int covered = 0; /* launches that a shorter period covers without tables: its multiples are no better */
    for (int again = next[first]; again < count && again - first <= MOST_PERIOD; again = next[again]) {
      int number = again - first;
      struct period *period = &periods[number];
      period->reach = period->first == first + 1 ? period->reach + 1 : 1;
      period->first = first;
      if (first + 2 * number > count) continue;
      int copies = period->reach / number + 1;
      if (copies < 2 || copies * number <= covered) continue;
      for (int fewer = 0; fewer < 2 && copies - fewer >= 2; fewer++) {
        struct roll roll = {first, number, copies - fewer};
        int after = cost[first + roll.period * roll.copies];
        /* Most candidates end here, since they would be no better even without tables. */
        if (after + plain_cost(&roll) >= cost[first]) continue;
        /* The roll that begins one launch later has all launches of this one, except for the first of each copy, so
           only that position is new. With two copies this does not hold, as these have forms of their own. */
        bool known = period->plain_first == first + 1 &&
                     (period->copies == roll.copies || (period->copies > roll.copies && roll.copies > 2));
        int own = roll_cost(&runs, &roll, known ? 1 : number, cost[first] - after);
        if (own == plain_cost(&roll) && period->plain_first != first)
          period->plain_first = first, period->copies = roll.copies;
        if (own == plain_cost(&roll) && !fewer) covered = copies * number;
        if (after + own < cost[first]) cost[first] = after + own, best[first] = roll;
      }
    }
  }
  for (int first = 0; first < count; first += best[first].period * best[first].copies)
    array_push(arena, &rolls.items, best[first]);
  arena_free(scratch);
  return rolls;
}

const struct launch *roll_launch(const struct roll *roll, struct launch *const *launches, int position, int copy) {
  return launches[roll->first + position + copy * roll->period];
}
