/* The rows of ops.def mean the same to everyone who reads them: graphs, loops and the C printer take an elementwise operation on the
   same kinds of operands, and agree on what comes out. */
#include "codegen/math.h"
#include "codegen/simd.h"
#include "ir/infer.h"
#include "tests/unit/check.h"

static const enum type types[] = {
    [KIND_REAL] = TYPE_REAL, [KIND_INTEGER] = TYPE_INTEGER, [KIND_BOOLEAN] = TYPE_BOOLEAN};
static const char letters[] = {[TYPE_REAL] = 'r', [TYPE_INTEGER] = 'i', [TYPE_BOOLEAN] = 'm', [TYPE_INDEX] = 'i'};

static void fault(const char *what, enum op op, const enum kind *kinds) {
  printf("  %s: %s of", what, op_facts[op].name);
  for (int i = 0; i < op_facts[op].inputs; i++) printf(" %s", kind_names[kinds[i]]);
  putchar('\n');
}

static struct value *operand(struct graph *graph, enum kind kind) {
  return kind == KIND_REAL      ? build_constant(graph, 2)
         : kind == KIND_INTEGER ? build_integer(graph, 2)
                                : build_boolean(graph, true);
}

/* What the C printer has for it takes these operands and gives that result; or it has none where none is right. */
static void check_printed(enum op op, const enum kind *kinds, bool taken, enum type result) {
  const struct op_facts *facts = &op_facts[op];
  const enum type chosen = types[kinds[facts->inputs - 1]];
  /* It is looked up by the last operand: the others must be alike, and a condition boolean. */
  for (int i = 0; i < facts->inputs; i++)
    if (types[kinds[i]] != (i == 0 && facts->class == CLASS_TERNARY ? TYPE_BOOLEAN : chosen)) return;
  const enum operation operation = operation_of(op, chosen);
  if (!CHECK((operation != OPERATION_COUNT) == (taken && facts->gives != RESULT_STORAGE)))
    fault("printed or not", op, kinds);
  if (operation == OPERATION_COUNT) return;
  bool same = (int)strlen(operation_facts[operation].arguments) == facts->inputs;
  for (int i = 0; i < facts->inputs && same; i++)
    same = operation_facts[operation].arguments[i] == letters[types[kinds[i]]];
  if (!CHECK(same && operation_facts[operation].result == letters[result]))
    fault("printed for other operands", op, kinds);
}

/* Builders make operands fit that meet on the way to reals, and no others. */
static void check_built(struct graph *graph, enum op op, const enum kind *kinds) {
  const struct op_facts *facts = &op_facts[op];
  if (facts->inputs > 2 || facts->gives == RESULT_STORAGE) return;
  for (int i = 0; i < facts->inputs; i++)
    if ((facts->takes == OPERANDS_BOOLEANS && kinds[i] != KIND_BOOLEAN) ||
        (facts->takes == OPERANDS_INTEGERS && kinds[i] != KIND_INTEGER))
      return;
  struct value *x = operand(graph, kinds[0]), *y = facts->inputs > 1 ? operand(graph, kinds[1]) : NULL;
  const struct value *value = y ? build_binary(graph, op, x, y) : build_unary(graph, op, x);
  const bool integers = kinds[0] == KIND_INTEGER && (!y || kinds[1] == KIND_INTEGER);
  enum kind expected = facts->gives == RESULT_INTEGER               ? KIND_INTEGER
                       : facts->gives == RESULT_BOOLEAN             ? KIND_BOOLEAN
                       : facts->takes == OPERANDS_BOOLEANS          ? KIND_BOOLEAN
                       : facts->takes != OPERANDS_REALS && integers ? KIND_INTEGER
                                                                    : KIND_REAL;
  if (!CHECK(value->kind == expected)) fault("built", op, kinds);
}

static void check_operands(struct graph *graph, enum op op, const enum kind *kinds) {
  const struct op_facts *facts = &op_facts[op];
  struct value *inputs[3];
  enum type arguments[3], result = TYPE_INDEX;
  for (int i = 0; i < facts->inputs; i++) {
    inputs[i] = operand(graph, kinds[i]);
    arguments[i] = types[kinds[i]];
  }
  const struct value value = {.op = op, .inputs = inputs, .input_count = facts->inputs, .storage = STORAGE_BF16};
  struct inferred inferred;
  const bool in_graphs = infer(graph->arena, &value, &inferred) == NULL;
  const bool in_loops = apply_type(op, arguments, &result);
  /* Loops compare booleans, too, and convert to and from reals by other expressions than a cast. */
  const bool only_in_loops = facts->takes == OPERANDS_ORDERED && kinds[0] == KIND_BOOLEAN && kinds[1] == KIND_BOOLEAN;
  const bool only_in_graphs = facts->gives == RESULT_STORAGE && kinds[0] != KIND_REAL;
  if (!CHECK(in_loops == ((in_graphs && !only_in_graphs) || only_in_loops)))
    fault("taken by one of graphs and loops", op, kinds);
  if (in_graphs && in_loops && !CHECK(result == types[inferred.kind])) fault("of different results", op, kinds);
  check_printed(op, kinds, in_loops, result);
  check_built(graph, op, kinds);
}

static void check_row(struct graph *graph, enum op op) {
  const struct op_facts *facts = &op_facts[op];
  static const int inputs[] = {
      [CLASS_UNARY] = 1, [CLASS_BINARY] = 2, [CLASS_COMPARE] = 2, [CLASS_LOGIC] = 2, [CLASS_TERNARY] = 3};
  CHECK(facts->inputs == inputs[facts->class]);
  CHECK(facts->price > 0);
  CHECK(!(facts->properties & PROPERTY_CALLED) || facts->inputs == 1);
  CHECK(!(facts->properties & PROPERTY_COMMUTES) || facts->inputs == 2);
  CHECK(!(facts->properties & PROPERTY_CHOOSES) || (facts->inputs > 1 && facts->gives == RESULT_SAME));
  int combinations = facts->inputs == 1 ? 3 : facts->inputs == 2 ? 9 : 27;
  for (int i = 0; i < combinations; i++) {
    const enum kind kinds[3] = {(enum kind)(i % 3), (enum kind)(i / 3 % 3), (enum kind)(i / 9)};
    check_operands(graph, op, kinds);
  }
}

/* Indices are integers of loops alone. */
static void check_indices(enum op op) {
  const struct op_facts *facts = &op_facts[op];
  const bool chooses = facts->class == CLASS_TERNARY;
  const enum type integers[3] = {chooses ? TYPE_BOOLEAN : TYPE_INTEGER, TYPE_INTEGER, TYPE_INTEGER};
  const enum type indices[3] = {chooses ? TYPE_BOOLEAN : TYPE_INDEX, TYPE_INDEX, TYPE_INDEX};
  const enum type mixed[3] = {TYPE_BOOLEAN, TYPE_INDEX, TYPE_INTEGER};
  enum type of_integers, of_indices, ignored;
  if (CHECK(apply_type(op, integers, &of_integers) == apply_type(op, indices, &of_indices)) &&
      apply_type(op, indices, &of_indices))
    CHECK(of_indices == (of_integers == TYPE_INTEGER ? TYPE_INDEX : of_integers));
  if (facts->inputs > 1) CHECK(!apply_type(op, chooses ? mixed : mixed + 1, &ignored));
}

/* Programs carry a formula for each of these functions, which is an operation that the language has by that name. */
static void check_function(struct arena *arena, enum op op, const char *name) {
  bool found = false;
  for (int i = 0; formula_at(i); i++) found = found || !strcmp(formula_name(arena, formula_at(i), false), name);
  CHECK(found && op_facts[op].properties & PROPERTY_CALLED);
}

int main(void) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "rows", &next_axis);
  for (int op = 0; op < OP_COUNT; op++) {
    if (op_is_elementwise((enum op)op)) {
      check_row(graph, (enum op)op);
      check_indices((enum op)op);
    } else {
      CHECK(!op_facts[op].takes && !op_facts[op].gives && !op_facts[op].properties && !op_facts[op].operations);
      for (int type = TYPE_REAL; type <= TYPE_INDEX; type++)
        CHECK(operation_of((enum op)op, (enum type)type) == OPERATION_COUNT);
    }
  }
#define FUNCTION(name) check_function(arena, OP_##name, "lam_" #name);
#include "codegen/simd.def"
  arena_free(arena);
  return check_done("operations");
}
