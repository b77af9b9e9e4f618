#include "passes/linear.h"

#include <string.h>

struct linear linear_constant(int64_t constant) { return (struct linear){constant, NULL, 0}; }

static struct linear from_atom(struct arena *arena, const struct atom *atom) {
  struct term *term = arena_new_struct(arena, struct term);
  *term = (struct term){atom, 1};
  return (struct linear){0, term, 1};
}

struct linear linear_variable(struct arena *arena, const struct variable *variable, int64_t high, int64_t multiple,
                              int level) {
  struct atom *atom = arena_new_struct(arena, struct atom);
  *atom =
      (struct atom){.kind = ATOM_VARIABLE, .variable = variable, .high = high, .multiple = multiple, .level = level};
  return from_atom(arena, atom);
}

struct linear linear_from(struct arena *arena, const struct expression *expression, int64_t low, int64_t high,
                          int level) {
  if (expression->kind == EXPRESSION_NUMBER) return linear_constant((int64_t)expression->number);
  struct atom *atom = arena_new_struct(arena, struct atom);
  *atom = (struct atom){
      .kind = ATOM_EXPRESSION, .expression = expression, .low = low, .high = high, .multiple = 1, .level = level};
  return from_atom(arena, atom);
}

static bool atom_equal(const struct atom *x, const struct atom *y) {
  if (x == y) return true;
  if (x->kind != y->kind) return false;
  switch (x->kind) {
    case ATOM_VARIABLE:
      return x->variable == y->variable;
    case ATOM_QUOTIENT:
    case ATOM_MOD:
      return x->divisor == y->divisor && linear_equal(*x->of, *y->of);
    case ATOM_EXPRESSION:
      return expression_equal(x->expression, y->expression);
  }
  return false;
}

/* Sums keep the order in which terms were added, so each term is looked up in the other sum. */
bool linear_equal(struct linear x, struct linear y) {
  if (x.constant != y.constant || x.count != y.count) return false;
  for (int i = 0; i < x.count; i++) {
    bool found = false;
    for (int j = 0; j < y.count && !found; j++)
      found = x.terms[i].factor == y.terms[j].factor && atom_equal(x.terms[i].atom, y.terms[j].atom);
    if (!found) return false;
  }
  return true;
}

static int64_t greatest_divisor(int64_t x, int64_t y) {
  if (x < 0) x = -x;
  if (y < 0) y = -y;
  while (y != 0) {
    int64_t rest = x % y;
    x = y, y = rest;
  }
  return x;
}

static int64_t floor_divide(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x % y < 0) != (y < 0)); }

/* Adds one term to a list with room for it, joining it with an equal atom. */
static int add_term(struct term *terms, int count, const struct atom *atom, int64_t factor) {
  for (int i = 0; i < count; i++) {
    if (!atom_equal(terms[i].atom, atom)) continue;
    terms[i].factor += factor;
    if (terms[i].factor == 0) {
      memmove(&terms[i], &terms[i + 1], sizeof *terms * (size_t)(count - i - 1));
      return count - 1;
    }
    return count;
  }
  if (factor == 0) return count;
  terms[count] = (struct term){atom, factor};
  return count + 1;
}

static struct linear add_plain(struct arena *arena, struct linear x, struct linear y) {
  if (x.count == 0) return (struct linear){x.constant + y.constant, y.terms, y.count};
  if (y.count == 0) return (struct linear){x.constant + y.constant, x.terms, x.count};
  struct term *terms = arena_new_array(arena, struct term, x.count + y.count);
  memcpy(terms, x.terms, sizeof *terms * (size_t)x.count);
  int count = x.count;
  for (int i = 0; i < y.count; i++) count = add_term(terms, count, y.terms[i].atom, y.terms[i].factor);
  return (struct linear){x.constant + y.constant, terms, count};
}

static bool is_multiple(struct linear x, int64_t of) {
  for (int i = 0; i < x.count; i++)
    if (x.terms[i].factor * x.terms[i].atom->multiple % of) return false;
  return x.constant % of == 0;
}

/* Replaces f n (x / n) + f (y % n) by f x, for the first remainder in the sum whose quotient is there too. x and y differ by a multiple of n
   at most, which a remainder drops. */
static struct linear cancel(struct arena *arena, struct linear x) {
  for (int i = 0; i < x.count; i++) {
    const struct atom *rest = x.terms[i].atom;
    if (rest->kind != ATOM_MOD) continue;
    const struct linear partner = linear_quotient(arena, *rest->of, rest->divisor);
    for (int j = 0; j < x.count; j++) {
      const struct atom *other = x.terms[j].atom;
      if (x.terms[j].factor != x.terms[i].factor * rest->divisor) continue;
      const bool is_own = partner.count == 1 && partner.constant == 0 && partner.terms[0].factor == 1 &&
                          atom_equal(other, partner.terms[0].atom);
      struct linear whole = *rest->of;
      if (!is_own) {
        if (other->kind != ATOM_QUOTIENT || other->divisor != rest->divisor) continue;
        if (!is_multiple(add_plain(arena, *other->of, linear_scale(arena, whole, -1)), rest->divisor)) continue;
        whole = *other->of;
      }
      struct term *terms = arena_new_array(arena, struct term, x.count);
      int count = 0;
      for (int k = 0; k < x.count; k++)
        if (k != i && k != j) terms[count++] = x.terms[k];
      struct linear others = {x.constant, terms, count};
      return linear_add(arena, others, linear_scale(arena, whole, x.terms[i].factor));
    }
  }
  return x;
}

struct linear linear_add(struct arena *arena, struct linear x, struct linear y) {
  return cancel(arena, add_plain(arena, x, y));
}

struct linear linear_scale(struct arena *arena, struct linear x, int64_t factor) {
  if (factor == 0) return linear_constant(0);
  if (factor == 1) return x;
  struct term *terms = arena_new_array(arena, struct term, x.count);
  for (int i = 0; i < x.count; i++) terms[i] = (struct term){x.terms[i].atom, x.terms[i].factor * factor};
  return (struct linear){x.constant * factor, terms, x.count};
}

void linear_range(struct linear x, int64_t *low, int64_t *high) {
  *low = *high = x.constant;
  for (int i = 0; i < x.count; i++) {
    int64_t factor = x.terms[i].factor;
    const struct atom *atom = x.terms[i].atom;
    *low += factor * (factor > 0 ? atom->low : atom->high);
    *high += factor * (factor > 0 ? atom->high : atom->low);
  }
}

int linear_level(struct linear x) {
  int level = 0;
  for (int i = 0; i < x.count; i++)
    if (x.terms[i].atom->level > level) level = x.terms[i].atom->level;
  return level;
}

/* Terms that are multiples of `grain` go to *coarse, the others to *fine; the constant is split so that fine's part is in
   [0, grain). */
static void split_by_grain(struct arena *arena, struct linear x, int64_t grain, struct linear *coarse,
                           struct linear *fine) {
  struct term *coarse_terms = arena_new_array(arena, struct term, x.count),
              *fine_terms = arena_new_array(arena, struct term, x.count);
  int coarse_count = 0, fine_count = 0;
  for (int i = 0; i < x.count; i++) {
    if (x.terms[i].factor * x.terms[i].atom->multiple % grain == 0)
      coarse_terms[coarse_count++] = x.terms[i];
    else
      fine_terms[fine_count++] = x.terms[i];
  }
  int64_t floor = floor_divide(x.constant, grain) * grain;
  *coarse = (struct linear){floor, coarse_terms, coarse_count};
  *fine = (struct linear){x.constant - floor, fine_terms, fine_count};
}

/* Splits x into coarse + fine, where coarse is a multiple of a grain that divides `divisor`, and 0 <= fine < grain:
   then fine does not change the quotient x / divisor. False when there is no such grain. */
static bool take_fine(struct arena *arena, struct linear x, int64_t divisor, struct linear *coarse,
                      struct linear *fine) {
  for (int i = -1; i < x.count; i++) {
    int64_t grain = i < 0 ? divisor : greatest_divisor(x.terms[i].factor * x.terms[i].atom->multiple, divisor);
    split_by_grain(arena, x, grain, coarse, fine);
    int64_t low, high;
    linear_range(*fine, &low, &high);
    if (low >= 0 && high < grain && (fine->count > 0 || fine->constant != 0)) return true;
  }
  return false;
}

/* The terms whose factor is a multiple of the divisor, divided by it; the other terms go to *rest. */
static struct linear exact_part(struct arena *arena, struct linear x, int64_t divisor, struct linear *rest) {
  struct term *exact = arena_new_array(arena, struct term, x.count),
              *others = arena_new_array(arena, struct term, x.count);
  int exact_count = 0, other_count = 0;
  for (int i = 0; i < x.count; i++) {
    if (x.terms[i].factor % divisor == 0)
      exact[exact_count++] = (struct term){x.terms[i].atom, x.terms[i].factor / divisor};
    else
      others[other_count++] = x.terms[i];
  }
  int64_t floor = floor_divide(x.constant, divisor);
  *rest = (struct linear){x.constant - floor * divisor, others, other_count};
  return (struct linear){floor, exact, exact_count};
}

static struct linear divided(struct arena *arena, enum atom_kind kind, struct linear x, int64_t divisor) {
  int64_t low, high;
  linear_range(x, &low, &high);
  if (kind == ATOM_QUOTIENT && x.count == 1 && x.constant == 0 && x.terms[0].factor == 1 &&
      x.terms[0].atom->kind == ATOM_QUOTIENT)
    return divided(arena, kind, *x.terms[0].atom->of, x.terms[0].atom->divisor * divisor);
  if (kind == ATOM_MOD && x.count == 1 && x.constant == 0 && x.terms[0].factor == 1 &&
      x.terms[0].atom->kind == ATOM_MOD && x.terms[0].atom->divisor % divisor == 0)
    return linear_mod(arena, *x.terms[0].atom->of, divisor);
  struct linear *of = arena_new_struct(arena, struct linear);
  *of = x;
  struct atom *atom = arena_new_struct(arena, struct atom);
  *atom = (struct atom){.kind = kind, .of = of, .divisor = divisor, .multiple = 1, .level = linear_level(x)};
  if (kind == ATOM_QUOTIENT) {
    atom->low = floor_divide(low, divisor), atom->high = floor_divide(high, divisor);
  } else {
    atom->low = 0, atom->high = divisor - 1;
    int64_t grain = divisor;
    for (int i = 0; i < x.count; i++) grain = greatest_divisor(grain, x.terms[i].factor * x.terms[i].atom->multiple);
    atom->multiple = greatest_divisor(grain, x.constant);
    atom->high = divisor - atom->multiple;
  }
  return from_atom(arena, atom);
}

struct linear linear_quotient(struct arena *arena, struct linear x, int64_t divisor) {
  if (divisor == 1) return x;
  struct linear rest, exact = exact_part(arena, x, divisor, &rest), coarse, fine;
  while (take_fine(arena, rest, divisor, &coarse, &fine)) rest = coarse;
  int64_t low, high;
  linear_range(rest, &low, &high);
  if (floor_divide(low, divisor) == floor_divide(high, divisor))
    return add_plain(arena, exact, linear_constant(floor_divide(low, divisor)));
  return add_plain(arena, exact, divided(arena, ATOM_QUOTIENT, rest, divisor));
}

struct linear linear_mod(struct arena *arena, struct linear x, int64_t divisor) {
  if (divisor == 1) return linear_constant(0);
  struct linear rest, coarse, fine, added = linear_constant(0);
  split_by_grain(arena, x, divisor, &coarse, &rest);
  while (take_fine(arena, rest, divisor, &coarse, &fine)) {
    added = add_plain(arena, added, fine);
    rest = coarse;
  }
  int64_t low, high;
  linear_range(rest, &low, &high);
  if (floor_divide(low, divisor) == floor_divide(high, divisor))
    return linear_add(arena, added, add_plain(arena, rest, linear_constant(-floor_divide(low, divisor) * divisor)));
  return linear_add(arena, added, divided(arena, ATOM_MOD, rest, divisor));
}

static const struct expression *atom_expression(struct arena *arena, const struct atom *atom) {
  switch (atom->kind) {
    case ATOM_VARIABLE:
      return expression_variable(arena, atom->variable);
    case ATOM_QUOTIENT:
      return expression_apply(arena, OP_quotient, linear_expression(arena, *atom->of),
                              expression_index(arena, atom->divisor), NULL);
    case ATOM_MOD:
      return expression_apply(arena, OP_mod, linear_expression(arena, *atom->of),
                              expression_index(arena, atom->divisor), NULL);
    case ATOM_EXPRESSION:
      return atom->expression;
  }
  return NULL;
}

/* The terms of outer loops come first, so that an index has the same text in whatever order its terms were added. */
static const struct term *in_order(struct arena *arena, struct linear x) {
  struct term *terms = arena_new_array(arena, struct term, x.count + 1);
  for (int i = 0; i < x.count; i++) {
    int at = i;
    for (; at > 0 && terms[at - 1].atom->level > x.terms[i].atom->level; at--) terms[at] = terms[at - 1];
    terms[at] = x.terms[i];
  }
  return terms;
}

const struct expression *linear_expression(struct arena *arena, struct linear x) {
  const struct expression *sum = NULL;
  const struct term *terms = in_order(arena, x);
  for (int i = 0; i < x.count; i++) {
    int64_t factor = terms[i].factor;
    const struct expression *term =
        index_multiply(arena, atom_expression(arena, terms[i].atom), factor < 0 && sum ? -factor : factor);
    if (!sum)
      sum = term;
    else if (factor < 0)
      sum = expression_apply(arena, OP_sub, sum, term, NULL);
    else
      sum = index_add(arena, sum, term);
  }
  if (!sum) return expression_index(arena, x.constant);
  if (x.constant < 0) return expression_apply(arena, OP_sub, sum, expression_index(arena, -x.constant), NULL);
  return x.constant ? index_add(arena, sum, expression_index(arena, x.constant)) : sum;
}

static bool atom_uses(const struct atom *atom, const struct variable *variable) {
  switch (atom->kind) {
    case ATOM_VARIABLE:
      return atom->variable == variable;
    case ATOM_EXPRESSION:
      return expression_uses(atom->expression, variable);
    case ATOM_QUOTIENT:
    case ATOM_MOD:
      for (int i = 0; i < atom->of->count; i++)
        if (atom_uses(atom->of->terms[i].atom, variable)) return true;
      return false;
  }
  return false;
}

bool linear_factor(struct linear x, const struct variable *variable, int64_t *factor) {
  *factor = 0;
  for (int i = 0; i < x.count; i++) {
    if (x.terms[i].atom->kind == ATOM_VARIABLE) {
      if (x.terms[i].atom->variable == variable) *factor = x.terms[i].factor;
    } else if (atom_uses(x.terms[i].atom, variable)) {
      return false;
    }
  }
  return true;
}
