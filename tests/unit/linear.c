/* Index arithmetic against brute force: random sums, quotients and remainders of a few small variables are compared
   with their values for every assignment of the variables. --seconds N makes it run for so long. */
#include "passes/linear.h"

#include "tests/unit/check.h"

enum { MOST_VARIABLES = 4, MOST_ASSIGNMENTS = 1024, ITEMS = 28, ROUNDS = 2500, LARGE = 1 << 20 };

/* A sum, and its value at each assignment. */
struct item {
  struct linear sum;
  int64_t values[MOST_ASSIGNMENTS];
  bool is_plain; /* a constant, or variables times constants */
};

static struct arena *arena;
static struct variable *variables[MOST_VARIABLES];
static int64_t counts[MOST_VARIABLES], steps[MOST_VARIABLES]; /* a variable has `counts` values: 0, step, 2 step ... */
static int variable_count, assignment_count;
static int64_t assignments[MOST_ASSIGNMENTS][MOST_VARIABLES];
static const struct array *table; /* of numbers that an index can be read from */
static int64_t contents[MOST_ASSIGNMENTS];
static int64_t contents_low, contents_high;
static struct item items[ITEMS];
static int item_count;

static int64_t floor_quotient(int64_t x, int64_t y) {
  int64_t quotient = x / y;
  return quotient * y > x ? quotient - 1 : quotient;
}

/* --- What a sum is, by its own fields and by its expression ------------------------------------------------------------------------ */

static int64_t expression_value(const struct expression *x, const int64_t *assignment) {
  int64_t arguments[3] = {0};
  for (int i = 0; i < x->argument_count && i < 3; i++) arguments[i] = expression_value(x->arguments[i], assignment);
  if (x->kind == EXPRESSION_NUMBER) return (int64_t)x->number;
  if (x->kind == EXPRESSION_LOAD) return contents[arguments[0]];
  if (x->kind == EXPRESSION_VARIABLE) {
    int number = 0;
    while (variables[number] != x->variable) number++;
    return assignment[number];
  }
  switch ((int)x->op) {
    case OP_add:
      return arguments[0] + arguments[1];
    case OP_sub:
      return arguments[0] - arguments[1];
    case OP_mul:
      return arguments[0] * arguments[1];
    case OP_neg:
      return -arguments[0];
    case OP_quotient:
      return floor_quotient(arguments[0], arguments[1]);
    case OP_mod:
      return arguments[0] - floor_quotient(arguments[0], arguments[1]) * arguments[1];
  }
  printf("an expression has the operation %s\n", op_facts[x->op].name);
  exit(1);
}

static int64_t sum_value(struct linear sum, const int64_t *assignment, bool *sound);

/* `sound` becomes false where the atom is not what it says of itself. */
static int64_t atom_value(const struct atom *atom, const int64_t *assignment, bool *sound) {
  int64_t value = 0;
  switch (atom->kind) {
    case ATOM_VARIABLE:
      for (int i = 0; i < variable_count; i++)
        if (variables[i] == atom->variable) value = assignment[i];
      break;
    case ATOM_QUOTIENT:
    case ATOM_MOD: {
      int64_t of = sum_value(*atom->of, assignment, sound), quotient = floor_quotient(of, atom->divisor);
      value = atom->kind == ATOM_QUOTIENT ? quotient : of - quotient * atom->divisor;
      break;
    }
    case ATOM_EXPRESSION:
      value = expression_value(atom->expression, assignment);
      break;
  }
  *sound = *sound && value >= atom->low && value <= atom->high && value % atom->multiple == 0;
  return value;
}

static int64_t sum_value(struct linear sum, const int64_t *assignment, bool *sound) {
  int64_t value = sum.constant;
  for (int i = 0; i < sum.count; i++) {
    *sound = *sound && sum.terms[i].factor != 0;
    value += sum.terms[i].factor * atom_value(sum.terms[i].atom, assignment, sound);
  }
  return value;
}

static void show(const char *what, struct linear sum) {
  struct function *function = function_new(arena, "sum");
  for (int i = 0; i < variable_count; i++) {
    struct variable *parameter = function_add_number(arena, function, variables[i]->name, TYPE_INDEX);
    printf("  %s is 0, %lld ... below %lld\n", parameter->name, (long long)steps[i], (long long)(counts[i] * steps[i]));
  }
  block_let(arena, &function->body, what, linear_expression(arena, sum));
  function_print(stdout, function);
}

/* Checks the difference between neighbouring values of a variable, where linear_factor knows it. */
static bool check_factor(const struct item *item, int variable) {
  int64_t factor, stride = 1;
  if (!linear_factor(item->sum, variables[variable], &factor)) return true;
  for (int i = 0; i < variable; i++) stride *= counts[i];
  for (int i = 0; i < assignment_count; i++) {
    if (assignments[i][variable] == (counts[variable] - 1) * steps[variable]) continue;
    if (item->values[i + stride] - item->values[i] != factor * steps[variable]) return false;
  }
  return true;
}

static bool check_item(const struct item *item, const char *what) {
  int64_t low, high;
  bool right = true, inside = true, sound = true, same = true;
  const struct expression *expression = linear_expression(arena, item->sum);
  linear_range(item->sum, &low, &high);
  for (int i = 0; i < assignment_count; i++) {
    right = right && sum_value(item->sum, assignments[i], &sound) == item->values[i];
    same = same && expression_value(expression, assignments[i]) == item->values[i];
    inside = inside && low <= item->values[i] && item->values[i] <= high;
  }
  CHECK(right);
  right &= CHECK(same);
  right &= CHECK(inside);
  right &= CHECK(sound);
  right &= CHECK(linear_level(item->sum) <= variable_count);
  for (int i = 0; i < variable_count; i++) right &= CHECK(check_factor(item, i));
  if (!right) show(what, item->sum);
  return right;
}

/* --- Random sums --------------------------------------------------------------------------------------------------------------------- */

static void new_variables(void) {
  variable_count = 1 + check_below(MOST_VARIABLES);
  assignment_count = 1;
  for (int i = 0; i < variable_count; i++) {
    do counts[i] = 1 + check_below(i ? 7 : 24);
    while (assignment_count * counts[i] > MOST_ASSIGNMENTS);
    steps[i] = check_below(3) ? 1 : 1 + check_below(8);
    assignment_count *= (int)counts[i];
    struct variable *variable = variables[i] = arena_new_struct(arena, struct variable);
    *variable = (struct variable){.name = arena_format(arena, "v%d", i), .type = TYPE_INDEX};
  }
  for (int i = 0; i < assignment_count; i++)
    for (int j = 0, rest = i; j < variable_count; rest /= (int)counts[j], j++)
      assignments[i][j] = rest % (int)counts[j] * steps[j];
  struct array *array = arena_new_struct(arena, struct array);
  *array = (struct array){.name = "table", .type = TYPE_INDEX, .count = MOST_ASSIGNMENTS};
  table = array;
  contents_low = check_below(20) - 10, contents_high = contents_low + check_below(20);
  for (int i = 0; i < MOST_ASSIGNMENTS; i++)
    contents[i] = contents_low + check_below((int)(contents_high - contents_low + 1));
}

static struct item *new_item(struct linear sum, bool is_plain) {
  struct item *item = &items[item_count++];
  item->sum = sum;
  item->is_plain = is_plain;
  return item;
}

static void add_leaf(void) {
  int choice = check_below(8), number = check_below(variable_count);
  struct item *item;
  if (choice == 0) {
    int64_t constant = check_below(41) - 20;
    item = new_item(linear_constant(constant), true);
    for (int i = 0; i < assignment_count; i++) item->values[i] = constant;
  } else if (choice == 1) {
    const struct expression *x = expression_load(arena, table, expression_variable(arena, variables[number]));
    item = new_item(linear_from(arena, x, contents_low, contents_high, number + 1), false);
    for (int i = 0; i < assignment_count; i++) item->values[i] = contents[assignments[i][number]];
  } else {
    item = new_item(
        linear_variable(arena, variables[number], (counts[number] - 1) * steps[number], steps[number], number + 1),
        true);
    for (int i = 0; i < assignment_count; i++) item->values[i] = assignments[i][number];
  }
}

/* A divisor that is often one of the factors at hand, since that is when rules apply. */
static int64_t any_divisor(struct linear sum) {
  int64_t divisor = 1 + check_below(12);
  if (sum.count && check_below(2)) divisor = sum.terms[check_below(sum.count)].factor;
  if (divisor < 0) divisor = -divisor;
  if (check_below(4) == 0) divisor *= 1 + check_below(4);
  return divisor > 10000 || divisor < 1 ? 6 : divisor;
}

static const char *add_operation(void) {
  const struct item *x = &items[check_below(item_count)], *y = &items[check_below(item_count)];
  struct item *item;
  switch (check_below(6)) {
    case 3: { /* a quotient and its remainder, which fold to the dividend where the factors are right */
      int64_t divisor = any_divisor(x->sum), high = 1 + check_below(3),
              low = check_below(2) ? high : 1 + check_below(3);
      struct linear quotient = linear_scale(arena, linear_quotient(arena, x->sum, divisor), high * divisor);
      struct linear rest = linear_scale(arena, linear_mod(arena, x->sum, divisor), low);
      item = new_item(linear_add(arena, linear_add(arena, quotient, y->sum), rest), false);
      for (int i = 0; i < assignment_count; i++) {
        int64_t whole = floor_quotient(x->values[i], divisor) * divisor;
        item->values[i] = whole * high + (x->values[i] - whole) * low + y->values[i];
      }
      return "parted";
    }
    case 0: {
      int64_t factor = check_below(21) - 6;
      item = new_item(linear_scale(arena, x->sum, factor), x->is_plain);
      for (int i = 0; i < assignment_count; i++) item->values[i] = x->values[i] * factor;
      return "scaled";
    }
    case 1: {
      int64_t divisor = any_divisor(x->sum);
      item = new_item(linear_quotient(arena, x->sum, divisor), false);
      for (int i = 0; i < assignment_count; i++) item->values[i] = floor_quotient(x->values[i], divisor);
      return "quotient";
    }
    case 2: {
      int64_t divisor = any_divisor(x->sum);
      item = new_item(linear_mod(arena, x->sum, divisor), false);
      for (int i = 0; i < assignment_count; i++)
        item->values[i] = x->values[i] - floor_quotient(x->values[i], divisor) * divisor;
      return "remainder";
    }
  }
  item = new_item(linear_add(arena, x->sum, y->sum), x->is_plain && y->is_plain);
  for (int i = 0; i < assignment_count; i++) item->values[i] = x->values[i] + y->values[i];
  return "added";
}

static bool is_small(const struct item *item) {
  int64_t low, high;
  linear_range(item->sum, &low, &high);
  return low > -LARGE && high < LARGE && item->sum.count <= 12;
}

static bool same_values(const struct item *x, const struct item *y) {
  return !memcmp(x->values, y->values, sizeof *x->values * (size_t)assignment_count);
}

/* Sums that are called equal are equal; the order of addition makes no difference; a sum less itself is 0. */
static void check_equal(void) {
  const struct item *x = &items[check_below(item_count)], *y = &items[check_below(item_count)];
  CHECK(!linear_equal(x->sum, y->sum) || same_values(x, y));
  CHECK(linear_equal(x->sum, x->sum));
  struct linear sum = linear_add(arena, x->sum, y->sum), turned = linear_add(arena, y->sum, x->sum);
  if (x->is_plain && y->is_plain && !CHECK(linear_equal(sum, turned))) show("sum", sum), show("turned", turned);
  struct linear nothing = linear_add(arena, x->sum, linear_scale(arena, x->sum, -1));
  if (x->is_plain && !CHECK(linear_equal(nothing, linear_constant(0)))) show("nothing", nothing);
}

/* --- What must become simple: splits and merges of axes -------------------------------------------------------------------------- */

static void check_same(const char *what, struct linear got, struct linear wanted) {
  if (!CHECK(linear_equal(got, wanted))) show(what, got), show("wanted", wanted);
}

/* The variables as coordinates of axes laid one inside the other, merged and split again, whole or in parts. */
static void check_axes(void) {
  struct linear merged = linear_constant(0), inner = merged, outer = merged;
  int cut = check_below(variable_count + 1);
  int64_t total = 1, inside = 1;
  for (int i = 0; i < variable_count; i++) { /* variable 0 is the innermost; those from `cut` on are the outer axis */
    int64_t extent = counts[i] + 1; /* a coordinate of one element is no variable but 0 */
    struct linear variable = linear_variable(arena, variables[i], extent - 1, 1, i + 1);
    if (i < cut)
      inner = linear_add(arena, inner, linear_scale(arena, variable, total));
    else
      outer = linear_add(arena, outer, linear_scale(arena, variable, total / inside));
    merged = linear_add(arena, merged, linear_scale(arena, variable, total));
    total *= extent;
    if (i < cut) inside = total;
  }
  check_same("quotient", linear_quotient(arena, merged, inside), outer);
  check_same("remainder", linear_mod(arena, merged, inside), inner);
  struct linear high = linear_quotient(arena, merged, inside), low = linear_mod(arena, merged, inside);
  check_same("again", linear_add(arena, linear_scale(arena, high, inside), low), merged);

  /* One variable runs over all elements; it is taken apart by any divisors and put together. */
  int64_t extent = 2 + check_below(500), first = 1 + check_below(12), second = 1 + check_below(12);
  struct linear flat = linear_variable(arena, variables[0], extent - 1, 1, 1);
  struct linear quotient = linear_quotient(arena, flat, first), rest = linear_mod(arena, flat, first);
  check_same("one split", linear_add(arena, linear_scale(arena, quotient, first), rest), flat);
  check_same("nested quotients", linear_quotient(arena, quotient, second),
             linear_quotient(arena, flat, first * second));
  check_same("nested remainders", linear_mod(arena, linear_mod(arena, flat, first * second), first), rest);
  struct linear other = linear_variable(arena, variables[variable_count - 1], 9, 1, 1),
                scaled = linear_scale(arena, quotient, first * second);
  check_same("scaled, beside others",
             linear_add(arena, linear_add(arena, scaled, other), linear_scale(arena, rest, second)),
             linear_add(arena, linear_scale(arena, flat, second), other));
  struct linear middle = linear_mod(arena, quotient, second), top = linear_quotient(arena, quotient, second);
  struct linear both = linear_add(arena, linear_scale(arena, top, second), middle);
  check_same("two splits", linear_add(arena, linear_scale(arena, both, first), rest), flat);
  check_same("a remainder has no quotient", linear_quotient(arena, rest, first), linear_constant(0));
  check_same("a multiple has no remainder", linear_mod(arena, linear_scale(arena, flat, first * second), first),
             linear_constant(0));
  check_same("by one", linear_add(arena, linear_quotient(arena, flat, 1), linear_mod(arena, flat, 1)), flat);
}

static void check_round(void) {
  arena = arena_new();
  new_variables();
  item_count = 0;
  while (item_count < 6) add_leaf();
  while (item_count < ITEMS) {
    const char *what = add_operation();
    if (!check_item(&items[item_count - 1], what)) break;
    if (!is_small(&items[item_count - 1])) item_count--;
    if (check_below(20) == 0) break;
    check_equal();
  }
  check_axes();
  arena_free(arena);
}

int main(int count, char **arguments) {
  if (!check_options("linear", count, arguments)) return 2;
  for (long round = 0; check_goes_on(round, ROUNDS); round++) check_round();
  return check_done("linear");
}
