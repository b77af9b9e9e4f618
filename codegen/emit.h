/* Declarations for the files that print a whole program:
     emit.c           the files, each with its parts in order, and the header
     emit_structs.c   the structs, and the pointer by which each buffer is reached
     emit_places.c    where the arrays lie to which the pointers of structs lead
     emit_routines.c  launches as calls, rolled into loops (roll.c)
     emit_counter.c   numbers in terms of such a loop's counter
     emit_labels.c    comments before calls: where in the model they stand
     emit_arguments.c what the functions of routines take, and what they refuse
     emit_quantized.c launches that make steps of one parameter each, so that not all parameters need be in memory at once
     emit_memory.c    the model's memory: its size, its places, how it is made and freed
     emit_library.c   the functions that need lamella.c: tensors by name, weights, text
     emit_tables.c    the tables that the runtime reads (data, settings, routines), and main
     emit_bench.c     calls of kernels that are timed, and their work, for programs with the verb bench
     emit_runtime.c   the modules of runtime/ that the program needs */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H

#include "codegen/c_print.h"
#include "codegen/codegen.h"
#include "ir/names.h"
#include "codegen/text.h"

/* The kinds of structs that hold the pointers to buffers: one struct for each role of states, and for each routine one
   of ports and one of activations. */
enum owner_kind { OWNER_STATES, OWNER_PORTS, OWNER_ACTIVATIONS };
enum { MOST_OWNERS = ROLE_QUANTIZED + 1 + 2 * (ROUTINE_COUNT + MOST_PREDICTIONS) };

struct owner {
  enum owner_kind kind;
  enum role role; /* OWNER_STATES */
  const struct routine *routine; /* OWNER_PORTS, OWNER_ACTIVATIONS */
  const char *tag; /* the tag of the struct: "gpt2_parameters" */
  const char *member; /* its member in struct gpt2: "parameters"; NULL for activations */
  const char *variable; /* the pointer to it in routines: "p" */
  ARRAY(struct field *) fields;
  ARRAY(const struct buffer *) buffers; /* all buffers of the fields */
  struct scope_names names; /* the names of the fields */
  struct table families; /* struct field *, by family_key (emit_structs.c) */
  struct pointer_table known; /* activations that have a field already */
};

/* A member of such a struct: a pointer, an array of pointers for the copies of a repeat, or a port without axes, which
   is the number itself. */
struct field {
  const char *name;
  struct owner *owner;
  int copies; /* 0: not an array of copies */
  int room; /* the capacity of `members` */
  bool shared; /* activations whose copies all lie in the same place: one pointer serves them all */
  const struct buffer **members; /* by copy, where some may be NULL; or a single one */
  const struct buffer *sample; /* a member that is not NULL */
  const char *comment; /* its axes, after the spec's name where the field's differs; or NULL */
};

struct place_of_buffer {
  const struct buffer *buffer;
  struct field *field;
  int copy;
};

/* The name by which a kernel is called. It may be that of another kernel with the same text. */
struct kernel_text {
  const struct function *function;
  const char *name;
  const bool *takes; /* for a task: whether it takes each parameter of the function; else NULL */
};

/* A parameter (or an average) of which some launches of derive, and they alone, make the steps and the scale that files may hold. */
struct quantized {
  const struct buffer *parameter;
  int first, count; /* its launches, in the routine derive */
  bool streamed; /* no routine but those of training reads the parameter itself */
  bool placeless; /* and there are none of training: it is in memory only while its steps are computed */
};

struct emitter {
  struct arena *arena;
  const struct program *program;
  const struct module *module;
  const struct target *target;
  struct emit_options options;
  const char *name; /* the program's, as a C identifier */
  ARRAY(struct owner *) owners;
  struct place_of_buffer *places; /* sorted by the buffer's address */
  int place_count;
  ARRAY(struct quantized) quantized; /* in the order of their launches, which are the first ones of derive */
  ARRAY(struct kernel_text) kernels;
  struct pointer_table kernel_numbers; /* by function: its index in `kernels` */
  struct table function_names; /* int *, by name: how many functions have it */
  struct table kernel_names; /* by a task's text without its name: the name of the first kernel with that text */
  struct c_printer *printer; /* prints all kernels, and records what these and their calls need */
};

/* --- emit.c */
/* Prints the comment "---- title ----", of the full width. */
void emit_banner(struct text *text, const char *title);
/* The sources of the model alone: "gpt2.c", with "gpt2_weights.c" where there is one. */
const char *emit_core_files(const struct emitter *emitter);

/* --- emit_structs.c */
void emit_layout(struct emitter *emitter);
const struct place_of_buffer *emit_place(const struct emitter *emitter, const struct buffer *buffer);
/* Whether the struct holds the number itself and not a pointer, as for a port without axes. */
bool emit_is_scalar(const struct field *field);
/* The struct of that kind for the routine, or NULL. */
struct owner *emit_owner(const struct emitter *emitter, enum owner_kind kind, const struct routine *routine);
/* Prints for the header: constants for extents, the structs of states and ports, and struct NAME. */
void emit_public_structs(struct emitter *emitter, struct text *text);
/* Prints a struct of activations, and the function that leads its pointers to them. */
void emit_activations(struct emitter *emitter, struct text *text, struct owner *owner);

/* --- emit_places.c */
/* Prints the function that leads a struct's pointers to their arrays. Activations lie where they were planned; states
   lie one after the other from *used on, which moves past them. */
void emit_lead(struct emitter *emitter, struct text *text, const struct owner *owner, int64_t *used);
/* Prints in a routine its struct of activations, and the call of the struct's function. */
void emit_place_activations(struct text *text, const struct owner *owner);
/* Prints that function for each struct of states. emit_state_bytes: the size of the states in a model's memory, 0
   where there are none. */
void emit_states_places(struct emitter *emitter, struct text *text);
int64_t emit_state_bytes(struct emitter *emitter);
/* The size of the states that are a part of the program; emit_baked_words prints their bytes as words of an array, a
   line at a time. */
int64_t emit_baked_bytes(const struct emitter *emitter);
void emit_baked_words(const struct emitter *emitter, void (*put)(void *context, const char *line), void *context);
/* Prints the calls of these functions, for memory from a local `states` on or in NAME_weights. */
void emit_place_states(struct emitter *emitter, struct text *text);
int64_t emit_activation_bytes(const struct emitter *emitter);

/* --- emit_routines.c */
/* Gives copy numbers to activations that only the rolling of loops shows to be copies. Runs before emit_layout. */
void emit_name_copies(struct emitter *emitter);
void emit_routine(struct emitter *emitter, struct text *text, const struct routine *routine);

/* --- emit_quantized.c */
/* Fills emitter->quantized, and has the launches of derive stand in their order. Runs before everything else. */
void emit_find_quantized(struct emitter *emitter);
/* That of a parameter's state; NULL where there is none. */
const struct quantized *emit_quantized(const struct emitter *emitter, const struct state *parameter);
/* Whether no routine but those of training reads a parameter, since they read its average; told of programs with steps. */
bool emit_is_unread(const struct emitter *emitter, const struct state *parameter);
/* How many launches of derive those are. */
int emit_quantizing_launches(const struct emitter *emitter);

/* --- emit_arguments.c */
const struct routine *emit_routine_find(const struct emitter *emitter, int number); /* the program's graph's; or NULL */
/* The parameters of a routine's function after the model: whether it takes the step of training and the seed of random
   draws, and its run-time sizes. */
struct routine_parameters {
  bool step, seed;
  int sizes;
  const char *const *size_names;
};
struct routine_parameters emit_parameters(const struct emitter *emitter, const struct routine *routine);
/* "struct gpt2 *m, int64_t rows, int64_t past" */
const char *emit_signature(const struct emitter *emitter, const struct routine *routine);
/* The limit that the integers of an input must be less than, where the graph has one; else 0. */
int64_t emit_range(const struct routine *routine, const struct buffer *buffer);
/* The name of a run-time size in the routine's function: "rows", "past". */
const char *emit_size_name(const struct emitter *emitter, const struct routine *routine, int number);
/* Whether some routine derives values of the parameters; whether this one reads them; whether it changes parameters. */
bool emit_derives(const struct emitter *emitter);
bool emit_reads_derived(const struct emitter *emitter, const struct routine *routine);
bool emit_changes_parameters(const struct routine *routine);
const struct buffer *emit_input(const struct routine *routine, const char *name); /* or NULL */
const struct buffer *emit_run_input(const struct routine *routine, enum run_input which); /* or NULL */
const struct buffer *emit_output(const struct routine *routine, const char *name);
/* Whether the routine is a part of training, whose caller tells the step. */
bool emit_is_training(const struct routine *routine);
/* "list, item" */
const char *emit_join(struct arena *arena, const char *list, const char *item);
/* Print checks that return from the routine where its arguments would make kernels access memory out of bounds; and the
   functions that the checks call. */
void emit_argument_checks(const struct emitter *emitter, struct text *text, const struct routine *routine);
void emit_check_functions(struct emitter *emitter, struct text *text);
/* The comment of a routine: what it does, and what its parameters mean. */
const char *emit_summary(const struct emitter *emitter, const struct routine *routine);

/* --- emit_memory.c */
/* Print the functions for a model's memory, and their declarations for the header. */
void emit_memory(struct emitter *emitter, struct text *text);
void emit_memory_header(struct emitter *emitter, struct text *text);
/* The prefix of the header's constants: "GPT2". */
const char *emit_upper_name(const struct emitter *emitter);
/* The same for any name, where letters and digits alone stay as they are. */
const char *emit_in_capitals(struct arena *arena, const char *name);
/* "OK", "NO_MEMORY" ...: these follow NAME_ in the constants of statuses; NULL past the last. */
extern const char *const emit_statuses[];

/* --- emit_library.c */
/* Print the functions that need lamella.c, and their declarations for the header. */
void emit_library(struct emitter *emitter, struct text *text, bool one_text);
void emit_library_header(struct emitter *emitter, struct text *text);
/* Whether files hold what the model has learned. */
bool emit_has_files(struct emitter *emitter);

/* --- emit_example.c */
/* The text of NAME_example.c. */
const char *emit_example(struct emitter *emitter);

/* --- emit_tables.c */
void emit_tables(struct emitter *emitter, struct text *text);
/* Whether the program has what train, eval and generate need. emit_verbs: which verbs it has, in the order train, eval,
   generate, predict, calibrate, info. */
enum { EMITTED_VERBS = 6 };
bool program_trains(const struct program *program);
bool program_evaluates(const struct program *program);
bool program_calibrates(const struct program *program);
bool program_generates(const struct program *program);
/* Whether it keeps steps of parameters, which files may hold. */
/* Whether some routine reads its inputs from the data. */
bool program_reads(const struct program *program);
/* Whether a text is generated from something besides its beginning. */
bool program_reads_source(const struct program *program);
/* Whether columns of the data are categories. */
bool program_has_categories(const struct program *program);
void emit_verbs(const struct program *program, bool verbs[EMITTED_VERBS]);

/* --- emit_bench.c */
/* Prints the macro that stands before the calls of kernels, and the kernels' numbers. */
void emit_timed_calls(struct emitter *emitter, struct text *text);
/* Prints, among the kernels, functions that do arithmetic and read memory as fast as the machine can. */
void emit_peaks(struct emitter *emitter);
/* Prints the table `bench` and those that it points to. */
void emit_bench(struct emitter *emitter, struct text *text);

/* --- emit_runtime.c */
/* The modules of the runtime that the program needs (runtime/modules.def), and whether the one called `name` is among
   them. */
runtime_modules emit_runtime_modules(const struct emitter *emitter);
bool emit_runtime_has(const struct emitter *emitter, const char *name);
/* Print the headers of the chosen modules of a part, and their sources. */
enum runtime_part { LIBRARY, PROGRAM };
void emit_runtime_headers(runtime_modules chosen, enum runtime_part part, struct text *text);
void emit_runtime_sources(runtime_modules chosen, enum runtime_part part, struct text *text);
/* What serves a program that is linked to modules which are compiled apart: they are there for all programs, and so record spans. */
runtime_modules runtime_modules_apart(runtime_modules chosen);
/* The source of the module of that number; "" where it is a header alone. */
const char *emit_runtime_source(struct arena *arena, int number);
/* The note in NAME_main.c on the modules that it needs. */
const char *runtime_note(struct arena *arena, const struct target *target, runtime_modules chosen);

#endif
