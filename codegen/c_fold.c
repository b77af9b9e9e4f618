#include "codegen/c_fold.h"

static const struct {
  enum op op;
  enum type type;
  enum operation lanes; /* what folds the lanes of one vector */
  const char *name;
} folds[] = {{OP_add, TYPE_REAL, OPERATION_fold_add, "lam_fold_add"},
             {OP_max, TYPE_REAL, OPERATION_fold_max, "lam_fold_max"},
             {OP_add, TYPE_INTEGER, OPERATION_int_fold_add, "lam_fold_add_ints"}};
enum { FOLDS = sizeof folds / sizeof *folds };

static const int counts[] = {4, 8, 16};
enum { COUNTS = sizeof counts / sizeof *counts, MOST_VECTORS = 16 };

/* Vector i, when so many are left: those i and i + left that were before. */
static struct piece folded(struct arena *arena, const struct simd *simd, struct uses *uses, int fold,
                           const char *const *vectors, int i, int left, int count) {
  if (left == count) return piece_name(vectors[i]);
  struct piece arguments[2];
  for (int half = 0; half < 2; half++)
    arguments[half] = folded(arena, simd, uses, fold, vectors, i + half * left, 2 * left, count);
  return template_fill(arena, uses, simd->vector[operation_of(folds[fold].op, folds[fold].type)], arguments);
}

static struct piece folded_whole(struct arena *arena, const struct simd *simd, struct uses *uses, int fold,
                                 const char *const *vectors, int count) {
  const struct piece one = folded(arena, simd, uses, fold, vectors, 0, 1, count);
  return template_fill(arena, uses, simd->vector[folds[fold].lanes], &one);
}

struct piece fold_vectors(struct c_printer *printer, enum op op, enum type type, const char *const *vectors,
                          const char *pointer, int count) {
  struct arena *arena = printer->arena;
  int fold = 0;
  while (fold < FOLDS && (folds[fold].op != op || folds[fold].type != type)) fold++;
  if (fold == FOLDS) bug("a fold of %s by %s", type_names[type], op_facts[op].name);
  if (count < counts[0]) return folded_whole(arena, printer->simd, &printer->uses, fold, vectors, count);
  const char *name = arena_format(arena, "%s_%d", folds[fold].name, count);
  uses_add(arena, &printer->uses, name);
  return piece_name(arena_format(arena, "%s(%s)", name, pointer));
}

/* The function is inlined, since an array whose address goes anywhere would be memory and not registers. */
bool fold_function_at(const struct c_printer *printer, int number, struct fold_function *function) {
  struct arena *arena = printer->arena;
  const int fold = number / COUNTS, count = counts[number % COUNTS];
  if (!printer->target->simd || fold >= FOLDS) return false;
  *function = (struct fold_function){.name = arena_format(arena, "%s_%d", folds[fold].name, count)};
  const bool whole = folds[fold].type == TYPE_INTEGER;
  const char *vector = template_text(printer->simd->vector[whole ? OPERATION_int_type : OPERATION_real_type]);
  function->head = arena_format(arena, "%s%s %s(const %s *x)", printer->dialect->flattened,
                                c_type(printer, folds[fold].type), function->name, vector);
  const char *vectors[MOST_VECTORS];
  for (int i = 0; i < count; i++) vectors[i] = arena_format(arena, "x[%d]", i);
  const struct piece result = folded_whole(arena, printer->simd, &function->uses, fold, vectors, count);
  struct text *body = text_new(arena);
  body->indentation = 1;
  text_line(body, "return %s;", result.text);
  function->body = text_string(body);
  function->comment = "Vector i with i + half, until one is left, and then its lanes.";
  return true;
}
