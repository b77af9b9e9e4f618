/* What the files that write a whole program share. The order of the output:
     emit.c           the order itself: comment, prelude, runtime, kernels, routines, tables, main; and the header file
     emit_structs.c   which struct has which pointer; the struct declarations
     emit_routines.c  launches as calls, rolled into loops (roll.c)
     emit_arguments.c what the functions of routines take, and what they refuse
     emit_memory.c    the model's memory: its size, its places, how it is made and freed
     emit_library.c   tensors by name, weights, text: the functions that need lamella.c
     emit_tables.c    what the runtime reads: tensors, ports, data, settings
     emit_bench.c     calls of kernels that are timed, and their work, for programs with the verb bench
     emit_runtime.c   the modules of runtime/ that the program needs */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H

#include "codegen/c_print.h"
#include "codegen/codegen.h"
#include "ir/names.h"
#include "codegen/text.h"

/* The structs that pointers stand in: one for each role of states, and for each routine its ports and its activations. */
enum owner_kind { OWNER_STATES, OWNER_PORTS, OWNER_ACTIVATIONS };

struct owner {
  enum owner_kind kind;
  enum role role; /* OWNER_STATES */
  const struct routine *routine; /* the others */
  const char *tag; /* of the struct: "gpt2_parameters" */
  const char *member; /* of struct gpt2: "parameters"; activations have none */
  const char *variable; /* what routines call a pointer to it: "p" */
  ARRAY(struct field *) fields;
  ARRAY(const struct buffer *) buffers; /* those of the fields */
  struct scope_names names; /* of the fields */
  struct table families; /* struct field *, by what its copies have in common */
  struct pointer_table known; /* activations that have a field */
};

/* A member of one of these structs: a pointer, an array of pointers for the copies of a repeat, or (ports) an array. */
struct field {
  const char *name;
  struct owner *owner;
  int copies; /* 0: not an array of copies */
  int room; /* in `members` */
  bool shared; /* activations whose copies all lie in the same place: one pointer serves them all */
  const struct buffer **members; /* by copy, some may be NULL; or one */
  const struct buffer *sample; /* one that is there */
  const char *comment; /* its axes, after its own name where C has another for it; or NULL */
};

struct place_of_buffer {
  const struct buffer *buffer;
  struct field *field;
  int copy;
};

/* What a kernel is called, which may be the name of another one that does the same. */
struct kernel_text {
  const struct function *function;
  const char *name;
  const bool *takes; /* of a task: which of the function's parameters it has; else NULL */
};

struct emitter {
  struct arena *arena;
  const struct program *program;
  const struct module *module;
  const struct target *target;
  struct emit_options options;
  const char *name; /* as a C identifier */
  ARRAY(struct owner *) owners;
  struct place_of_buffer *places; /* by address */
  int place_count;
  ARRAY(struct kernel_text) kernels;
  struct pointer_table kernel_numbers; /* by function: of its kernel */
  struct table kernel_names; /* of tasks, by all of them but the name: of the first that is so */
  struct c_printer *printer; /* of all kernels, which knows what these and their calls need */
};

/* --- emit.c */
/* "---- title ----" over the whole width. */
void emit_banner(struct text *text, const char *title);

/* --- emit_structs.c */
void emit_layout(struct emitter *emitter);
const struct place_of_buffer *emit_place(const struct emitter *emitter, const struct buffer *buffer);
/* Whether the struct has the number itself in place of a pointer: a port without axes. */
bool emit_is_scalar(const struct field *field);
/* NULL where the routine has none. */
struct owner *emit_owner(const struct emitter *emitter, enum owner_kind kind, const struct routine *routine);
/* States and ports, for the header; struct NAME itself. */
void emit_public_structs(struct emitter *emitter, struct text *text);
/* A struct of activations and the table of their places; the function that sets such a struct, once; and its call. */
void emit_activations(struct emitter *emitter, struct text *text, struct owner *owner);
void emit_place_function(struct emitter *emitter, struct text *text);
void emit_place_activations(struct emitter *emitter, struct text *text, const struct owner *owner);
/* The tables of where states lie, one for each struct of them; their bytes together, 0 where there are none; and the calls that
   set the structs from a pointer `states`. */
void emit_states_places(struct emitter *emitter, struct text *text);
int64_t emit_state_bytes(struct emitter *emitter);
void emit_place_states(struct emitter *emitter, struct text *text);
int64_t emit_activation_bytes(const struct emitter *emitter);

/* --- emit_routines.c */
/* Gives numbers to activations that only the rolling of loops shows to be copies; before emit_layout. */
void emit_name_copies(struct emitter *emitter);
void emit_routine(struct emitter *emitter, struct text *text, const struct routine *routine);

/* --- emit_arguments.c */
const struct routine *emit_routine_find(const struct emitter *emitter, const char *name); /* or NULL */
/* The parameters of the routine's function after the model: the step that an optimizer takes, the seed of what it draws, and the
   sizes of this call. */
struct routine_parameters {
  bool step, seed;
  int sizes;
  const char *const *size_names;
};
struct routine_parameters emit_parameters(const struct emitter *emitter, const struct routine *routine);
/* "struct gpt2 *m, int64_t rows, int64_t past" */
const char *emit_signature(const struct emitter *emitter, const struct routine *routine);
/* What the integers of an input must be less than, where the graph says so; else 0. */
int64_t emit_range(const struct routine *routine, const struct buffer *buffer);
/* "rows", "past": what the function calls a size of this call. */
const char *emit_size_name(const struct emitter *emitter, const struct routine *routine, int number);
const struct buffer *emit_input(const struct routine *routine, const char *name); /* or NULL */
/* Returns from the routine where its arguments would make kernels read or write where nothing is; and the functions for that. */
void emit_argument_checks(const struct emitter *emitter, struct text *text, const struct routine *routine);
void emit_check_functions(struct emitter *emitter, struct text *text);
/* What the routine does, and what its parameters are. */
const char *emit_summary(const struct emitter *emitter, const struct routine *routine);

/* --- emit_memory.c */
/* Its functions, and their declarations for the header. */
void emit_memory(struct emitter *emitter, struct text *text);
void emit_memory_header(struct emitter *emitter, struct text *text);
/* "GPT2": what constants of the header begin with. */
const char *emit_upper_name(const struct emitter *emitter);

/* --- emit_library.c */
/* The functions that need lamella.c, and their declarations for the header. */
void emit_library(struct emitter *emitter, struct text *text, bool one_text);
void emit_library_header(struct emitter *emitter, struct text *text);

/* --- emit_tables.c */
void emit_tables(struct emitter *emitter, struct text *text);
/* Whether it has what these verbs take; and all verbs that it has: train, eval, generate, predict, info. */
bool program_trains(const struct program *program);
bool program_evaluates(const struct program *program);
bool program_generates(const struct program *program);
/* Whether some routine's inputs are read from the data. */
bool program_reads(const struct program *program);
void emit_verbs(const struct program *program, bool verbs[5]);

/* --- emit_bench.c */
/* The macro that stands before calls in the routines, and the kernels' numbers. */
void emit_timed_calls(struct emitter *emitter, struct text *text);
/* Functions that do as much arithmetic and as much reading as the machine can; among the kernels. */
void emit_peaks(struct emitter *emitter);
/* The table `bench`. */
void emit_bench(struct emitter *emitter, struct text *text);

/* --- emit_runtime.c */
/* The modules of the runtime that the program needs (runtime/modules.def), and whether that one is among them. */
runtime_modules emit_runtime_modules(const struct emitter *emitter);
bool emit_runtime_has(const struct emitter *emitter, const char *name);
/* What those of a part declare, and what they are. */
enum runtime_part { LIBRARY, PROGRAM };
void emit_runtime_headers(runtime_modules chosen, enum runtime_part part, struct text *text);
void emit_runtime_sources(runtime_modules chosen, enum runtime_part part, struct text *text);
/* What NAME_main.c says of them. */
const char *runtime_note(struct arena *arena, const struct target *target, runtime_modules chosen);

#endif
