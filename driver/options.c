#include "driver/driver.h"
#include "driver/library.h"

#include <stdlib.h>
#include <string.h>

#include "codegen/c_names.h"
#include "passes/pipeline.h"
#include "ir/environment.h"

/* One row for each option. Verbs list options by `letter`, which is also the short form where `has_short` is set. */
static const struct option {
  char letter;
  bool has_short;
  /* without the two dashes; a name that begins with a dash is spelled just so, with its value right behind it, as
     compilers do */
  const char *name;
  const char *value; /* the word for its value in help, or NULL */
  const char *help;
} option_rows[] = {
    {'o', true, "output", "PATH", "where to write"},
    {'t', false, "target", "NAME",
     "native (default), portable, avx2, avx512, neon, with features as avx512+vnni, or reference (double precision, "
     "libm)"},
    {'p', false, "passes", "LIST",
     "which passes run, as in '-plan, fuse(keep = 40)' (default: those of the spec, else the usual ones)"},
    {'D', true, "define", "NAME=VALUE", "replace an axis or a setting: -D embed=256 -D train.steps=10 -D repeat.h=2"},
    {'m', false, "model", "NAME", "which model of the spec, when it has several"},
    {'i', false, "name", "PREFIX",
     "name what is emitted after PREFIX, not after the spec's file: PREFIX.h, PREFIX_create, the usual file of "
     "weights"},
    {'y', false, "only", "ROUTINE,...",
     "keep only these routines: train, evaluate, predict, step, synthesize, as NAME.h calls them (train validates\n"
     "                               only with evaluate; eval and generate are other names of evaluate and step)"},
    {'x', false, "batch", "SIZE,...",
     "predict also for batches of these sizes, by routines of their own: predict_1 and predict_32 for 1,32. The verb\n"
     "                               predict takes the sizes that its rows fill"},
    {'k', false, "weights", "FILE",
     "weights in safetensors. build, emit: their parameters become a constant array of the program, which must not\n"
     "                               train (--only=predict). shrink: reads them. compare: the variants predict with "
     "them (default:\n"
     "                               NAME.safetensors), and their loss is told"},
    {'z', false, "keep", "AXIS=COUNT",
     "let so many elements of this axis stay in each layer, those with the largest weights; may be repeated"},
    {'d', false, "dump", "PATTERN", "keep the values whose names match, as in h.0.attn.*; `predict --out` writes them"},
    {'s', false, "stage", "NAME",
     "ast, tensor, clusters (which values became one kernel, and why), loops, c, or passes (all, or those of a spec)"},
    {'g', false, "graph", "NAME",
     "of --stage=tensor and clusters only this: train, accumulate, evaluate, predict, predict_1 (--batch=1), prepare,\n"
     "                               step, synthesize or derive"},
    {'c', false, "cc", "COMMAND",
     "compile by this C compiler, such as gcc (default: Clang's libraries, in this process)"},
    {'C', false, "-c", NULL, "make an object file"},
    {'S', false, "-S", NULL, "make assembly"},
    {'L', false, "-shared", NULL, "make a shared object, to call the program from another (`emit` writes its header)"},
    {'q', false, "openmp", "HOW",
     "get threads from a shared OpenMP library (shared; default where there is one), from one that becomes a part of\n"
     "                               the program (static), or use one thread (none)"},
    {'Q', false, "static", NULL, "make a program that needs no shared library, not even OpenMP's or libc"},
    {'O', false, "-O", "LEVEL", "how hard the C compiler tries: 0 to 3 (default: 2); the results are the same"},
    {'G', false, "-g", NULL, "add symbols for debuggers"},
    {'M', false, "-march=", "CPU",
     "let the C compiler use the instructions of this processor besides those of the target"},
    {'u', false, "tune", "CPU",
     "choose tiles for this processor, such as znver4 or icelake-server; native is the one of this machine. Default:\n"
     "                               that of -march, else native where the target is native, else none"},
    {'j', true, "jobs", "N", "how many threads compile, at most 8 (default: one for each processor)"},
    {'P', false, "perf", NULL, "tell perf the names of the program's functions, in /tmp/perf-PID.map"},
    {'n', false, "no-cache", NULL, "compile everything anew and keep nothing"},
    {'W', false, "variant", "TEXT",
     "'NAME: OPTIONS': compare this variant, which has its own --passes, --target, -O and -D; may be repeated"},
    {'r', false, "verb", "NAME",
     "what to compare: train (default), or with trained weights eval, predict or generate; may be repeated. With\n"
     "                               --weights the default is generate and predict, where there are such verbs"},
    {'l', false, "max-loss", "LIMIT",
     "name the fastest variant whose loss is at most so much above the first one's: +0.01, or +1%"},
    {'Y', false, "per-layer", NULL,
     "tell what quantising each parameter alone does to the loss, and propose a pipeline"},
    {'N', false, "threads", "N", "how many processors the programs use; they are pinned to them (default: all)"},
    {'B', false, "time", "SECONDS", "how long to measure, apart from compiling (default: 20; --per-layer: 60)"},
    {'K', false, "steps", "N",
     "compare the loss after so many steps; all take them (default: as many as all take in that time)"},
    {'R', false, "seed", "N", "the seed of the order in which programs take turns (default: another one each time)"},
    {'J', false, "json", "FILE", "write all that was measured to FILE as JSON; - is the standard output"},
    {'H', false, "html", "FILE", "write a page with plots to FILE; it needs no other file"},
    {'w', false, "slow", "NAME=PERCENT", "slow variant NAME down by so much, to see whether that is noticed"},
    {'e', false, "watch", NULL,
     "with train: compile the spec again whenever it is saved, and go on with the weights that still fit"},
    {'E', false, "project", NULL,
     "write also a Makefile, a CMakeLists.txt, an example of a program around each model, and a README.md"},
    {'b', false, "bench", NULL, "include the verb bench and the option --trace, which time each kernel"},
    {'v', true, "verbose", NULL, "print what is done"},
    {'T', false, "time-passes", NULL, "print where the time goes: each pass, code generation, the C compiler, loading"},
    {'a', false, "dump-after", "PASS",
     "print the graphs after this pass, or the loops after fuse, tile, parallel, plan or share"},
    {'V', false, "verify", NULL, "check the graphs after every pass"},
    {'h', true, "help", NULL, "print this text"},
};
enum { OPTION_COUNT = sizeof option_rows / sizeof *option_rows, SPECS_MOST = 256 };

static bool takes(const struct verb *verb, const struct option *option) {
  return option->letter == 'h' || strchr(verb->options, option->letter);
}

void verb_help(FILE *file, const struct verb *verb) {
  fprintf(file, "usage: lamella %s %s\n%s.\n\noptions:\n", verb->name, verb->arguments, verb->summary);
  for (int i = 0; i < OPTION_COUNT; i++) {
    const struct option *option = &option_rows[i];
    if (!takes(verb, option)) continue;
    char spelled[64];
    int length = option->has_short ? snprintf(spelled, sizeof spelled, "-%c, ", option->letter) : 0;
    bool as_compilers = option->name[0] == '-';
    snprintf(spelled + length, sizeof spelled - (size_t)length, "%s%s%s%s", as_compilers ? "" : "--", option->name,
             option->value && !as_compilers ? "=" : "", option->value ? option->value : "");
    fprintf(file, "  %-28s %s\n", spelled, option->help);
  }
  if (strchr(verb->options, 'p')) {
    fputs(
        "\npasses: all of these run, but for those with a star, which run where they are named; -NAME leaves one out, "
        "NAME(parameter = value) sets a parameter, none leaves all out\n",
        file);
    pipeline_help(file);
  }
  if (strchr(verb->options, 't')) {
    fputs("\ntargets:\n", file);
    for (int i = 0; target_at(i); i++) fprintf(file, "  %-28s %s\n", target_at(i)->name, target_at(i)->description);
    fputs("features of targets, as in --target=avx512+vnni+bf16; native has all that this machine has:\n", file);
    for (int i = 0; target_feature_at(i); i++)
      fprintf(file, "  %s+%-*s %s\n", target_feature_at(i)->target, 27 - (int)strlen(target_feature_at(i)->target),
              target_feature_at(i)->name, target_feature_at(i)->description);
  }
}

static const struct option *find_option(const char *name, size_t length) {
  for (int i = 0; i < OPTION_COUNT; i++)
    if (strlen(option_rows[i].name) == length && !memcmp(option_rows[i].name, name, length)) return &option_rows[i];
  return NULL;
}

int tell_misplaced_option(const struct options *options, int code) {
  for (int i = 1; code == EXIT_USAGE && i < options->rest_count; i++) {
    const char *word = options->rest[i];
    for (const struct option *option = option_rows; option < option_rows + OPTION_COUNT; option++) {
      const size_t length = strlen(option->name);
      const bool is_long =
          !strncmp(word, "--", 2) && !strncmp(word + 2, option->name, length) && strchr("=", word[2 + length]);
      const bool is_short = option->has_short && word[0] == '-' && word[1] == option->letter;
      if (option->letter == 'h' || !takes(options->verb, option) || !(is_long || is_short)) continue;
      fprintf(stderr, "%.*s is an option of the compiler: it stands before the verb, lamella %s SPEC %.*s... %s\n",
              (int)(is_long ? length + 2 : 2), word, options->verb->name, (int)(is_long ? length + 2 : 2), word,
              options->rest[0]);
      return code;
    }
  }
  return code;
}

static int usage_error(const struct verb *verb, const char *message) {
  struct arena *arena = arena_new();
  fprintf(stderr, "lamella %s: %s\nusage: lamella %s %s\n`lamella %s --help` lists the options.\n", verb->name,
          printable(arena, message), verb->name, verb->arguments, verb->name);
  arena_free(arena);
  return EXIT_USAGE;
}

static int add_define(struct options *options, const char *text) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text || !equals[1])
    return usage_error(options->verb, arena_format(options->arena, "-D takes NAME=VALUE, not '%s'", text));
  struct define define = {.source = source_from_text(options->arena, arena_format(options->arena, "-D %s", text), text),
                          .name = arena_copy(options->arena, text, (size_t)(equals - text)),
                          .value_begin = (int)(equals - text) + 1};
  array_push(options->arena, &options->defines, define);
  return -1;
}

/* Reads 1,32: each size once, each a number that -D batch may have. */
static int choose_batches(struct options *options, const char *text) {
  struct arena *arena = options->arena;
  const struct source *source = source_from_text(arena, "--batch", text);
  struct batch_size *batches = arena_new_array(arena, struct batch_size, MOST_PREDICTIONS);
  int count = 0;
  for (const char *at = text;; at++) {
    const char *begin = at + strspn(at, " ");
    at = begin + strspn(begin, "0123456789");
    const size_t length = (size_t)(at - begin), rest = strspn(at, " ");
    const struct span span = {source, (int)(begin - text), (int)(at - text)};
    const char *item = arena_copy(arena, begin, strcspn(begin, ","));
    const int64_t size = length && length <= 10 ? strtoll(begin, NULL, 10) : 0;
    if (size < 1 || size > INT32_MAX || (at[rest] && at[rest] != ','))
      return usage_error(options->verb,
                         arena_format(arena,
                                      "--batch=%s: '%s' is no size of a batch; give whole numbers from 1 to %d, such "
                                      "as --batch=1,32",
                                      text, item, INT32_MAX));
    for (int i = 0; i < count; i++)
      if (batches[i].size == size)
        return usage_error(options->verb, arena_format(arena, "--batch=%s: %lld comes twice; give each size once", text,
                                                       (long long)size));
    if (count == MOST_PREDICTIONS)
      return usage_error(options->verb, arena_format(arena, "--batch=%s: these are more than %d sizes; give fewer",
                                                     text, MOST_PREDICTIONS));
    batches[count++] = (struct batch_size){size, span};
    at += rest;
    if (!*at) break;
  }
  options->batch = text;
  options->frontend.batches = batches, options->frontend.batch_count = count;
  return -1;
}

static int choose_kind(struct options *options, enum build_kind kind) {
  if (options->kind != BUILD_PROGRAM && options->kind != kind)
    return usage_error(options->verb, "-c, -S and -shared exclude each other; give one of them");
  options->kind = kind;
  return -1;
}

static int apply(struct options *options, const struct option *option, const char *value) {
  array_push(options->arena, &options->given, (struct given){option->letter, value});
  switch (option->letter) {
    case 'o':
      options->output = value;
      break;
    case 't': {
      const char *problem;
      options->target = value;
      if (!target_read(options->arena, value, &problem)) {
        const char *names[16] = {"native"};
        int count = 1;
        for (int i = 0; target_at(i) && count < 16; i++) names[count++] = target_at(i)->name;
        const char *closest = strchr(value, '+') ? NULL : closest_name(value, names, count);
        return usage_error(options->verb,
                           arena_format(options->arena, "%s%s%s%s", problem, closest ? "; did you mean '" : "",
                                        closest ? closest : "", closest ? "'?" : ""));
      }
      break;
    }
    case 'u': {
      options->tune = value;
      if (processor_find(value)) break;
      const char *names[64] = {"native"};
      int count = 1;
      for (int i = 0; processor_at(i) && count < 64; i++) names[count++] = processor_at(i)->name;
      const char *closest = closest_name(value, names, count);
      return usage_error(options->verb,
                         arena_format(options->arena, "no processor is called '%s'%s%s%s", value,
                                      closest ? "; did you mean '" : "", closest ? closest : "", closest ? "'?" : ""));
    }
    case 'p':
      options->passes.pipeline = value;
      break;
    case 'D':
      return add_define(options, value);
    case 'm':
      options->frontend.model = value;
      break;
    case 'i': {
      const char *problem = program_name_problem(options->arena, value);
      if (!problem && c_is_taken(value)) problem = "emitted code has something of that name";
      if (problem)
        return usage_error(options->verb, arena_format(options->arena,
                                                       "--name=%s cannot be a name, since %s; choose another, such as "
                                                       "my_model",
                                                       value, problem));
      options->frontend.name = value;
      break;
    }
    case 'y':
      options->only = value;
      break;
    case 'x':
      return choose_batches(options, value);
    case 'k':
      options->weights = value;
      break;
    case 'd':
      array_push(options->arena, &options->dumps, value);
      break;
    case 's':
      options->stage = value;
      break;
    case 'g':
      options->graph = value;
      break;
    case 'c':
      options->compiler = value;
      break;
    case 'C':
      return choose_kind(options, BUILD_OBJECT);
    case 'S':
      return choose_kind(options, BUILD_ASSEMBLY);
    case 'L':
      return choose_kind(options, BUILD_SHARED);
    case 'q': {
      static const char *const names[] = {"", "shared", "static", "none"};
      for (int i = OPENMP_SHARED; i <= OPENMP_NONE; i++)
        if (!strcmp(value, names[i])) options->openmp = (enum openmp)i;
      if (options->openmp && !strcmp(value, names[options->openmp])) break;
      return usage_error(options->verb,
                         arena_format(options->arena, "--openmp takes shared, static or none, not '%s'", value));
    }
    case 'Q':
      options->is_static = true;
      break;
    case 'O':
      if (!*value || strspn(value, "0123") != 1 || value[1])
        return usage_error(options->verb,
                           arena_format(options->arena, "-O takes a level from 0 to 3, not '%s'", value));
      options->level = *value - '0';
      break;
    case 'G':
      options->debug = true;
      break;
    case 'M':
      if (!*value) return usage_error(options->verb, "-march= needs the name of a processor");
      options->march = value;
      break;
    case 'j':
      options->jobs = *value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 5 ? atoi(value) : 0;
      if (options->jobs < 1)
        return usage_error(options->verb, arena_format(options->arena,
                                                       "-j takes a number of threads from 1 to 9999, not '%s'", value));
      break;
    case 'P':
      options->perf = true;
      break;
    case 'n':
      options->no_cache = true;
      break;
    case 'J':
      options->json = value;
      break;
    case 'H':
      options->page = value;
      break;
    case 'W':
    case 'N':
    case 'B':
    case 'R':
    case 'w':
    case 'r':
    case 'l':
    case 'Y':
    case 'z':
      break; /* compare and shrink read options->given */
    case 'E':
      options->emission.example = true;
      break;
    case 'b':
      options->emission.bench = true;
      break;
    case 'v':
      options->verbose = true;
      break;
    case 'e':
      options->watch = true;
      break;
    case 'T':
      options->passes.times = options->emission.times = times_new(options->arena);
      break;
    case 'a':
      options->passes.dump_after = value;
      break;
    case 'V':
      options->passes.verify = true;
      break;
    case 'h':
      verb_help(stdout, options->verb);
      return EXIT_DONE;
  }
  return -1;
}

/* The option that an argument spells. *value is its value if it stands in the same argument, else NULL. */
static const struct option *spelled(const char *argument, const char **value) {
  *value = NULL;
  if (argument[1] != '-') {
    for (int i = 0; i < OPTION_COUNT; i++) {
      const struct option *option = &option_rows[i];
      size_t length = strlen(option->name);
      if (option->name[0] != '-' || strncmp(argument, option->name, length) != 0) continue;
      if (option->value) *value = argument + length;
      if (option->value || !argument[length]) return option;
    }
    for (int i = 0; i < OPTION_COUNT; i++)
      if (option_rows[i].has_short && option_rows[i].letter == argument[1]) {
        if (argument[2]) *value = argument + 2;
        return &option_rows[i];
      }
    return NULL;
  }
  const char *equals = strchr(argument, '=');
  if (equals) *value = equals + 1;
  return find_option(argument + 2, equals ? (size_t)(equals - argument - 2) : strlen(argument + 2));
}

static int unknown_option(const struct options *options, const char *argument) {
  const char *names[OPTION_COUNT];
  int count = 0;
  for (int i = 0; i < OPTION_COUNT; i++)
    if (takes(options->verb, &option_rows[i]) && option_rows[i].name[0] != '-') names[count++] = option_rows[i].name;
  size_t length = strcspn(argument, "=");
  const char *bare = arena_copy(options->arena, argument, length);
  const char *word = bare + strspn(bare, "-"), *closest = closest_name(word, names, count);
  /* The word may be the beginning of a name, or begin with one. */
  for (int i = 0; i < count && !closest && strlen(word) > 1; i++)
    if (!strncmp(word, names[i], strlen(word)) || !strncmp(word, names[i], strlen(names[i]))) closest = names[i];
  return usage_error(options->verb,
                     closest ? arena_format(options->arena, "unknown option %s; did you mean --%s?", bare, closest)
                             : arena_format(options->arena, "unknown option %s", bare));
}

void choose_target(struct options *options, const char *name) {
  const struct processor *processor = options->tune    ? processor_find(options->tune)
                                      : options->march ? processor_find(options->march)
                                                       : NULL;
  if (!processor && (!name || !strcmp(name, "native"))) processor = processor_find("native");
  const char *problem;
  options->passes.target = target_read(options->arena, name ? name : "native", &problem);
  if (processor) options->passes.target = target_tuned(options->arena, options->passes.target, processor);
}

bool can_run_target(const struct options *options, const struct target *target) {
  if (target_runs_here(target)) return true;
  if (target_is_foreign(target))
    fprintf(
        stderr,
        "lamella %s: this machine cannot run code for %s, which is for %s; leave out --target, or make a program for "
        "such a machine: lamella build SPEC --target=%s --cc=COMPILER\n",
        options->verb->name, target->name, architecture_name(target->architecture), target->name);
  else
    fprintf(stderr, "lamella %s: this machine cannot run code for %s; leave out --target, or choose another\n",
            options->verb->name, target->name);
  return false;
}

int options_parse(struct options *options, const struct verb *verb, int count, char **arguments) {
  options->verb = verb;
  if (!options->spec) options->level = 2; /* else these options go on from others */
  options->frontend.standard_library = environment("LAMELLA_LIBRARY");
  options->frontend.library_text = library_text;
  for (int i = 0; i < count; i++) {
    const char *argument = arguments[i];
    if (argument[0] != '-' || !argument[1]) {
      bool several = verb->run == verb_emit;
      if (several) array_push(options->arena, &options->specs, argument);
      if (options->specs.count > SPECS_MOST)
        return usage_error(verb, arena_format(options->arena, "more than %d specs are given", SPECS_MOST));
      if (!options->spec || several) {
        options->spec = options->spec ? options->spec : argument;
        continue;
      }
      if (!strcmp(verb->name, "interpret") || !strcmp(verb->name, "run")) { /* the rest are the program's */
        options->rest = arguments + i;
        options->rest_count = count - i;
        break;
      }
      return usage_error(verb, arena_format(options->arena, "this verb takes one spec, and '%s' is another", argument));
    }
    const char *value;
    const struct option *option = spelled(argument, &value);
    if (!option || !takes(verb, option)) return unknown_option(options, argument);
    if (!option->value && value)
      return usage_error(verb, arena_format(options->arena, "--%s takes no value", option->name));
    if (option->value && !value) {
      if (i + 1 >= count) return usage_error(verb, arena_format(options->arena, "--%s needs a value", option->name));
      value = arguments[++i];
    }
    int code = apply(options, option, value);
    if (code >= 0) return code;
  }
  if (!options->spec && !(options->stage && !strcmp(options->stage, "passes")))
    return usage_error(verb, "no spec is given; name a file, or - for the standard input");
  choose_target(options, options->target);
  options->frontend.defines = options->defines.items;
  options->frontend.define_count = options->defines.count;
  options->passes.dump = options->dumps.items;
  options->passes.dump_count = options->dumps.count;
  return -1;
}
