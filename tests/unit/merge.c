/* Merging kernels: functions of a few shapes, each with random numbers, become one that takes the numbers as arguments,
   and every launch computes the same as before. --seconds N makes it run for so long. */
#include "codegen/merge.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/check.h"

enum { ROUNDS = 400, MEMBERS = 5, LETTERS = 12, ELEMENTS = 6000, MOST_SIZES = 10, MOST_FUNCTIONS = 64 };

/* Texts of kernels; $a ... $l are whole numbers from 2 on, $R is a real one, $x is the length of an array; each letter has one number in a
   kernel. */
static const struct template { const char *name, *letters, *text; }
templates[] = {
    {"rows", "abcR",
     "function $N(real x[$x], written real y[$x]) {\n"
     "  parallel row < $a {\n"
     "    serial i < $b {\n"
     "      y[row * $b + i] = x[row * $c + i] * $R + 1.0\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"vectors", "ade",
     "function $N(real x[0], written real y[0]) {\n"
     "  serial row < $a {\n"
     "    serial i < 10 step 4 {\n"
     "      vector lane < 4 {\n"
     "        if lane < 10 - i {\n"
     "          y[row * $d + i + lane] = x[i + lane + $e]\n"
     "        }\n"
     "      }\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"tasks", "abcdefR",
     "function $N(real x[0], written real y[0]) {\n"
     "  serial task < $a {\n"
     "    let column = task // $b\n"
     "    let row = task % $b\n"
     "    let shift = task + $e - $f\n" /* which may be less than 0, or not */
     "    stack real sums[4]\n"
     "    sums[0] = x[column + $c] * $R\n"
     "    y[column * $d + row] = sums[0] + x[shift + 20]\n"
     "  }\n"
     "}\n"},
    {"calls", "abc",
     "function $N(real x[0], written real y[0]) {\n"
     "  serial i < $a {\n"
     "    call add_rows(&x[i * $b], &y[i * $c], $b)\n"
     "  }\n"
     "}\n"},
    {"many", "abcdefghijkl",
     "function $N(real x[0], written real y[0]) {\n"
     "  serial i < $a {\n"
     "    y[i * $b + $c] = x[i * $d + $e] + x[i * $f + $g] + x[i * $h + $i] + x[i * $j + $k + $l]\n"
     "  }\n"
     "}\n"},
};
enum { TEMPLATES = sizeof templates / sizeof *templates };

static const char helper_text[] =
    "function add_rows(real x[0], written real y[0], index n) helper {\n"
    "  serial i < n {\n"
    "    y[i] = y[i] + x[i]\n"
    "  }\n"
    "}\n";

static struct arena *arena;

/* --- Modules ---------------------------------------------------------------------------------------------------------------------- */

struct member {
  int template;
  int numbers[LETTERS];
  double real;
  bool launched;
  const struct function *function;
  int64_t bounds[16], lengths[2]; /* of its variables, and of its arrays */
};

struct launched {
  struct launch *launch;
  const struct member *member;
  double *before; /* the results before merging */
};

struct trial {
  struct module *module;
  struct member members[TEMPLATES * MEMBERS];
  int member_count;
  ARRAY(struct launched) launches;
};

static const char *member_text(const struct member *member, int number) {
  const struct template *template = &templates[member->template];
  const char *text = "";
  for (const char *at = template->text; *at; at++) {
    if (*at != '$')
      text = arena_format(arena, "%s%c", text, *at);
    else if (*++at == 'N')
      text = arena_format(arena, "%s%s_%dx%d_%d", text, template->name, member->numbers[0], member->numbers[1], number);
    else if (*at == 'x')
      text = arena_format(arena, "%s%d", text, ELEMENTS - 1000 * (number % 3));
    else if (*at == 'R')
      text = arena_format(arena, "%s%g", text, member->real);
    else
      text = arena_format(arena, "%s%d", text, member->numbers[*at - 'a']);
  }
  return text;
}

static void add_launch(struct trial *trial, const struct function *function, const struct member *member) {
  struct launch *launch = arena_new_struct(arena, struct launch);
  launch->function = function;
  array_push(arena, &launch->arguments, (struct launch_argument){.offset = 0});
  array_push(arena, &launch->arguments, (struct launch_argument){.offset = 0});
  array_push(arena, &trial->module->routines.items[0]->launches, launch);
  array_push(arena, &trial->launches, (struct launched){.launch = launch, .member = member});
}

static void collect_bounds(const struct block *block, int64_t *bounds, int *count) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    if (s->variable) bounds[(*count)++] = s->variable->bound;
    collect_bounds(&s->body, bounds, count);
  }
}

static struct trial *trial_new(void) {
  struct trial *trial = arena_new_struct(arena, struct trial);
  const char *text = helper_text;
  for (int t = 0; t < TEMPLATES; t++) {
    struct member shared = {.template = t};
    for (int i = 0; i < LETTERS; i++) shared.numbers[i] = 2 + check_below(20);
    for (int count = check_below(MEMBERS + 1), i = 0; i < count; i++) {
      struct member *member = &trial->members[trial->member_count++];
      *member = shared;
      member->real = check_below(2) ? 0.5 : 0.25 + check_below(3);
      member->launched = check_below(8) != 0;
      for (int j = 0; j < LETTERS; j++)
        if (check_below(2)) member->numbers[j] = 2 + check_below(20);
      text = arena_format(arena, "%s%s", text, member_text(member, trial->member_count));
    }
  }
  struct diagnostics *diagnostics = diagnostics_new(arena);
  trial->module = module_read(arena, source_from_text(arena, "kernels", text), diagnostics);
  if (!trial->module) {
    diagnostics_print(diagnostics, stdout);
    exit(1);
  }
  struct routine *routine = arena_new_struct(arena, struct routine);
  array_push(arena, &trial->module->routines, routine);
  for (int i = 0; i < trial->member_count; i++) {
    int count = 0;
    trial->members[i].function = trial->module->functions.items[i + 1]; /* the helper is the first */
    collect_bounds(&trial->members[i].function->body, trial->members[i].bounds, &count);
    for (int j = 0; j < 2; j++)
      trial->members[i].lengths[j] = trial->members[i].function->parameters.items[j].array->count;
    for (int j = trial->members[i].launched ? 1 + check_below(2) : 0; j > 0; j--)
      add_launch(trial, trial->members[i].function, &trial->members[i]);
  }
  return trial;
}

/* Runs a launch on the same contents each time. */
static double *run(const struct launch *launch) {
  struct loop_memory x = {.data = arena_new_array(arena, double, ELEMENTS), .count = ELEMENTS}, y = x;
  y.data = arena_new_array(arena, double, ELEMENTS);
  for (int i = 0; i < ELEMENTS; i++) x.data[i] = i % 97 + 0.25, y.data[i] = -i % 13;
  struct loop_argument arguments[2 + MOST_SIZES] = {{.memory = &x}, {.memory = &y}};
  if (!CHECK(launch->arguments.count == launch->function->parameters.count &&
             launch->arguments.count <= 2 + MOST_SIZES))
    return y.data;
  for (int i = 2; i < launch->arguments.count; i++) {
    const struct launch_argument *argument = &launch->arguments.items[i];
    bool real = launch->function->parameters.items[i].variable->type == TYPE_REAL;
    CHECK(argument->number_kind == NUMBER_CONSTANT);
    arguments[i].number = real ? argument->real : (double)argument->number;
  }
  CHECK_STRING(function_interpret(arena, launch->function, arguments), NULL);
  return y.data;
}

/* --- What is expected ------------------------------------------------------------------------------------------------------------- */

static double number_of(const struct member *member, char letter) {
  return letter == 'R' ? member->real : member->numbers[letter - 'a'];
}

/* The number of arguments that the launched members of a template need: one for each number that varies, and one for
   numbers that are always equal. */
static int sizes_of(const struct trial *trial, int template, int *members) {
  const char *letters = templates[template].letters;
  int sizes = 0;
  *members = 0;
  for (int i = 0; letters[i]; i++) {
    const struct member *first = NULL;
    bool varies = false, is_first = true;
    *members = 0;
    for (int m = 0; m < trial->member_count; m++) {
      const struct member *member = &trial->members[m];
      if (member->template != template || !member->launched) continue;
      ++*members;
      if (!first) first = member;
      varies = varies || number_of(member, letters[i]) != number_of(first, letters[i]);
    }
    for (int j = 0; j < i && is_first; j++) {
      bool alike = letters[i] != 'R';
      for (int m = 0; m < trial->member_count; m++) {
        const struct member *member = &trial->members[m];
        if (member->template == template && member->launched)
          alike = alike && number_of(member, letters[i]) == number_of(member, letters[j]);
      }
      is_first = !alike;
    }
    sizes += varies && is_first;
  }
  return sizes;
}

static bool is_of(const struct function *function, int template) {
  size_t length = strlen(templates[template].name);
  return !strncmp(function->name, templates[template].name, length) &&
         (!function->name[length] || function->name[length] == '_');
}

static void check_functions(const struct trial *trial, int template) {
  int members, sizes = sizes_of(trial, template, &members), expected = members > 0, count = 0;
  for (int i = 0; i < trial->member_count; i++)
    expected += trial->members[i].template == template && !trial->members[i].launched;
  for (int i = 0; i < trial->module->functions.count; i++) {
    const struct function *function = trial->module->functions.items[i];
    if (!is_of(function, template)) continue;
    count++;
    CHECK(function->parameters.count <= 2 + MOST_SIZES);
    if (sizes > MOST_SIZES || members < 2 || function->parameters.count == 2) continue;
    CHECK(function->parameters.count == 2 + sizes);
    /* The function no longer belongs to particular sizes. */
    for (const char *at = function->name + strlen(templates[template].name); *at; at++)
      CHECK(*at == '_' || isdigit((unsigned char)*at));
  }
  if (sizes <= MOST_SIZES)
    CHECK(count == expected);
  else
    CHECK(count > expected);
}

/* What is known of variables and arrays must hold whatever the arguments. */
static void check_bounds(const struct launched *launched) {
  int64_t bounds[16];
  int count = 0;
  collect_bounds(&launched->launch->function->body, bounds, &count);
  for (int i = 0; i < 2; i++) {
    int64_t length = launched->launch->function->parameters.items[i].array->count;
    CHECK(length == 0 || length == launched->member->lengths[i]);
  }
  for (int i = 0; i < count; i++)
    CHECK(bounds[i] == 0 || (launched->member->bounds[i] && bounds[i] >= launched->member->bounds[i]));
}

static void check_names(const struct module *module) {
  for (int i = 0; i < module->functions.count; i++)
    for (int j = 0; j < i; j++) CHECK(strcmp(module->functions.items[i]->name, module->functions.items[j]->name) != 0);
}

static void check_round(void) {
  arena = arena_new();
  struct trial *trial = trial_new();
  int failed = check_totals.failed;
  for (int i = 0; i < trial->launches.count; i++)
    trial->launches.items[i].before = run(trial->launches.items[i].launch);
  merge_kernels(arena, trial->module);
  for (int i = 0; i < trial->launches.count; i++)
    CHECK(!memcmp(run(trial->launches.items[i].launch), trial->launches.items[i].before, sizeof(double) * ELEMENTS));
  for (int i = 0; i < trial->module->functions.count; i++)
    CHECK_STRING(function_verify(arena, trial->module->functions.items[i]), NULL);
  for (int t = 0; t < TEMPLATES; t++) check_functions(trial, t);
  CHECK(!strcmp(trial->module->functions.items[0]->name, "add_rows"));
  for (int i = 0; i < trial->launches.count; i++) check_bounds(&trial->launches.items[i]);
  check_names(trial->module);
  for (int i = 0; i < trial->module->functions.count && check_totals.failed > failed; i++)
    function_print(stdout, trial->module->functions.items[i]);
  arena_free(arena);
}

/* --- What must stay apart ----------------------------------------------------------------------------------------------------------- */

static const struct {
  const char *what, *x, *y;
  int functions; /* that are left of the two */
} pairs[] = {
    {"sizes differ", "serial i < 3 { y[i] = x[i] }", "serial i < 5 { y[i] = x[i] }", 1},
    {"names differ", "serial i < 3 { y[i] = x[i] }", "serial j < 3 { y[j] = x[j] }", 1},
    {"operations differ", "serial i < 3 { y[i] = exp(x[i]) }", "serial i < 3 { y[i] = tanh(x[i]) }", 2},
    {"arrays differ", "serial i < 3 { y[i] = x[i] }", "serial i < 3 { y[i] = y[i] }", 2},
    {"loops differ", "serial i < 3 { y[i] = x[i] }", "parallel i < 3 { y[i] = x[i] }", 2},
    {"steps differ", "serial i < 8 step 2 { y[i] = x[i] }", "serial i < 8 step 4 { y[i] = x[i] }", 2},
    {"numbers of lanes differ", "vector i < 4 { y[i] = x[i] }", "vector i < 8 { y[i] = x[i] }", 2},
    {"unrolled loops differ", "unrolled i < 3 { y[i] = x[i] }", "unrolled i < 5 { y[i] = x[i] }", 2},
    {"a factor differs", "serial i < 3 { y[i] = x[i] * 0.5 }", "serial i < 3 { y[i] = x[i] * 0.25 }", 1},
    {"a sum differs", "serial i < 3 { y[i] = x[i] + 0.5 }", "serial i < 3 { y[i] = x[i] + 0.25 }", 2},
    {"strides of lanes differ", "vector i < 4 { y[i] = x[i * 2] }", "vector i < 4 { y[i] = x[i * 3] }", 2},
    {"places in registers differ", "register real t[8] t[2] = x[0] y[0] = t[2]",
     "register real t[8] t[3] = x[0] y[0] = t[3]", 2},
    {"places loaded from registers differ", "register real t[8] unrolled i < 8 { t[i] = x[i] } y[0] = t[2]",
     "register real t[8] unrolled i < 8 { t[i] = x[i] } y[0] = t[3]", 2},
    {"variables differ", "serial i < 3 { serial j < 4 { y[i * 9] = x[j] } }",
     "serial i < 3 { serial j < 4 { y[j * 9] = x[i] } }", 2},
};

static void check_pairs(void) {
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    arena = arena_new();
    struct trial trial = {0};
    struct diagnostics *diagnostics = diagnostics_new(arena);
    const char *text = arena_format(
        arena, "function f(real x[0], written real y[0]) { %s }\nfunction g(real x[0], written real y[0]) { %s }\n",
        pairs[i].x, pairs[i].y);
    trial.module = module_read(arena, source_from_text(arena, "pair", text), diagnostics);
    diagnostics_print(diagnostics, stdout);
    if (CHECK(trial.module != NULL)) {
      struct routine *routine = arena_new_struct(arena, struct routine);
      array_push(arena, &trial.module->routines, routine);
      for (int j = 0; j < 2; j++) add_launch(&trial, trial.module->functions.items[j], NULL);
      for (int j = 0; j < 2; j++) trial.launches.items[j].before = run(trial.launches.items[j].launch);
      merge_kernels(arena, trial.module);
      if (!CHECK(trial.module->functions.count == pairs[i].functions)) printf("  %s\n", pairs[i].what);
      for (int j = 0; j < 2; j++)
        CHECK(!memcmp(run(trial.launches.items[j].launch), trial.launches.items[j].before, sizeof(double) * ELEMENTS));
    }
    arena_free(arena);
  }
}

/* --- Stores that one of two kernels lacks ----------------------------------------------------------------------------- */

static const struct {
  const char *what, *parameters, *x, *y; /* of the two functions; the second one lacks z */
  int functions, arguments; /* that are left, and arguments of both launches where one is */
} lacking[] = {
    {"a number is stored", "written real y[0], written real z[0]",
     "let s = x[1] * x[2] z[3] = s serial i < 3 { y[i] = x[i] * s }",
     "let s = x[1] * x[2] serial i < 3 { y[i] = x[i] * s }", 1, 3},
    {"and sizes differ", "written real y[0], written real z[0]",
     "let s = x[1] * x[2] z[3] = s serial i < 3 { y[i] = x[i] * s }",
     "let s = x[1] * x[2] serial i < 5 { y[i] = x[i] * s }", 1, 4},
    {"the parameters have another order", "written real z[0], written real y[0]",
     "let s = x[1] * x[2] z[3] = s serial i < 3 { y[i] = x[i] * s }",
     "let s = x[1] * x[2] serial i < 3 { y[i] = x[i] * s }", 1, 3},
    {"two numbers are stored, and the other kernel stores the second", "written real z[0], written real y[0]",
     "let s = x[1] * x[2] z[3] = s + 1.0 y[2] = s", "let s = x[1] * x[2] y[2] = s", 1, 3},
    {"the other kernel stores something else", "written real z[0], written real y[0]",
     "let s = x[1] * x[2] z[3] = s + 1.0 y[2] = s", "let s = x[1] * x[2] y[2] = s + 2.0", 2, 0},
    {"at another place", "written real y[0], written real z[0]", "serial i < 3 { y[i] = x[i] z[3] = x[1] }",
     "serial i < 3 { y[i] = x[i + 1] }", 2, 0},
    {"it is read", "written real y[0], written real z[0]", "z[3] = x[1] serial i < 3 { y[i] = x[i] * z[3] }",
     "serial i < 3 { y[i] = x[i] * y[3] }", 2, 0},
    {"a vector is stored", "written real y[0], written real z[0]", "vector i < 4 { z[i] = x[i] y[i] = x[i] }",
     "vector i < 4 { y[i] = x[i] }", 2, 0},
};

/* The values of y, and those of z after them, which are 0 where the launch has no place for them. */
static double *run_lacking(const struct launch *launch) {
  double *data = arena_new_array(arena, double, 3 * ELEMENTS);
  struct loop_memory memories[3];
  struct loop_argument arguments[4 + MOST_SIZES] = {{0}};
  for (int i = 0; i < 3 * ELEMENTS; i++) data[i] = i < ELEMENTS ? i % 97 + 0.25 : 0;
  for (int i = 0; i < launch->arguments.count; i++) {
    const struct launch_argument *argument = &launch->arguments.items[i];
    const struct parameter *parameter = &launch->function->parameters.items[i];
    arguments[i].number = (double)argument->number;
    if (!parameter->array || !argument->buffer) continue;
    const int place = argument->buffer->name[0] - 'x';
    memories[place] = (struct loop_memory){.data = data + place * ELEMENTS, .count = ELEMENTS};
    arguments[i].memory = &memories[place];
  }
  CHECK_STRING(function_interpret(arena, launch->function, arguments), NULL);
  return data;
}

static void check_lacking(void) {
  for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
    arena = arena_new();
    const char *text =
        arena_format(arena, "function f(real x[0], %s) { %s }\nfunction g(real x[0], written real y[0]) { %s }\n",
                     lacking[i].parameters, lacking[i].x, lacking[i].y);
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct module *module = module_read(arena, source_from_text(arena, "lacking", text), diagnostics);
    diagnostics_print(diagnostics, stdout);
    if (!CHECK(module != NULL)) continue;
    struct routine *routine = arena_new_struct(arena, struct routine);
    array_push(arena, &module->routines, routine);
    double *before[2];
    for (int j = 0; j < 2; j++) {
      struct launch *launch = arena_new_struct(arena, struct launch);
      launch->function = module->functions.items[j];
      for (int k = 0; k < launch->function->parameters.count; k++) {
        struct buffer *buffer = arena_new_struct(arena, struct buffer);
        buffer->name = launch->function->parameters.items[k].array->name;
        array_push(arena, &launch->arguments, ((struct launch_argument){.buffer = buffer}));
      }
      array_push(arena, &routine->launches, launch);
      before[j] = run_lacking(launch);
    }
    merge_kernels(arena, module);
    if (!CHECK(module->functions.count == lacking[i].functions)) printf("  %s\n", lacking[i].what);
    for (int j = 0; j < 2; j++) {
      const struct launch *launch = routine->launches.items[j];
      CHECK(!lacking[i].arguments || launch->arguments.count == lacking[i].arguments);
      if (!CHECK(!memcmp(run_lacking(launch), before[j], sizeof(double) * 3 * ELEMENTS)))
        printf("  %s, launch %d\n", lacking[i].what, j);
      CHECK_STRING(function_verify(arena, launch->function), NULL);
    }
    arena_free(arena);
  }
}

int main(int count, char **arguments) {
  if (!check_options("merge", count, arguments)) return 2;
  check_pairs();
  check_lacking();
  for (long round = 0; check_goes_on(round, ROUNDS); round++) check_round();
  return check_done("merge");
}
