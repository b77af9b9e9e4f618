/* A model's memory: how much it takes, where in it everything lies, and how it is made and freed. */
#include <ctype.h>
#include <string.h>

#include "codegen/emit.h"

/* All of it is one block, in this order: struct NAME, what the library keeps, the states, the arrays of ports, the
   activations. Each begins at a multiple of ALIGNMENT bytes, as the block's first byte may not. */
enum { ALIGNMENT = 64 };

static int64_t round_up(int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static int64_t port_bytes(const struct emitter *emitter, const struct field *field) {
  int64_t count = field->sample->count > 0 ? field->sample->count : 1;
  return round_up(storage_bytes(emitter->target, field->sample->storage, count));
}

static int64_t all_port_bytes(const struct emitter *emitter) {
  int64_t bytes = 0;
  for (int i = 0; i < emitter->owners.count; i++)
    for (int j = 0; j < emitter->owners.items[i]->fields.count; j++) {
      const struct field *field = emitter->owners.items[i]->fields.items[j];
      if (field->owner->kind == OWNER_PORTS && !emit_is_scalar(field)) bytes += port_bytes(emitter, field);
    }
  return bytes;
}

const char *emit_in_capitals(struct arena *arena, const char *name) {
  char *upper = arena_copy(arena, name, strlen(name));
  for (char *at = upper; *at; at++) *at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
  return upper;
}

const char *emit_upper_name(const struct emitter *emitter) { return emit_in_capitals(emitter->arena, emitter->name); }

/* Where the arrays of ports lie, and how many steps a run has unless its caller says otherwise. */
static void set_ports(struct emitter *emitter, struct text *text) {
  const struct train_settings *training = emitter->program->training;
  int64_t place = 0;
  for (int i = 0; i < emitter->owners.count; i++)
    for (int j = 0; j < emitter->owners.items[i]->fields.count; j++) {
      const struct owner *owner = emitter->owners.items[i];
      const struct field *field = owner->fields.items[j];
      if (owner->kind != OWNER_PORTS) continue;
      if (!emit_is_scalar(field)) {
        text_line(text, "m->%s.%s = (void *)(arrays + %lld);", owner->member, field->name, (long long)place);
        place += port_bytes(emitter, field);
      } else if (field->sample->run_input == RUN_STEPS && training && training->steps >= 0) {
        text_line(text, "m->%s.%s = %lld;", owner->member, field->name, (long long)training->steps);
      }
    }
}

static void emit_arrange(struct emitter *emitter, struct text *text, bool states, bool ports, bool activations) {
  const char *name = emitter->name;
  if (states || emit_baked_bytes(emitter)) {
    emit_states_places(emitter, text);
    text_blank(text);
  }
  if (emit_baked_bytes(emitter)) {
    text_line(text, "extern const uint32_t %s_weights[];", name);
    text_blank(text);
  }
  text_comment(text, "Leads the pointers of a model into its memory, of which all but the activations is zero.");
  text_open(text, "static struct %s *%s_arrange(char *memory)", name, name);
  text_line(text, "char *first = memory + (%d - (uintptr_t)memory %% %d) %% %d;", ALIGNMENT, ALIGNMENT, ALIGNMENT);
  text_line(text, "struct %s *m = (void *)first;", name);
  text_line(text, "m->library = LIBRARY_BYTES ? first + STRUCT_BYTES : NULL;");
  if (states) text_line(text, "char *states = first + STRUCT_BYTES + LIBRARY_BYTES;");
  if (ports) text_line(text, "char *arrays = first + STRUCT_BYTES + LIBRARY_BYTES + STATE_BYTES;");
  if (activations) text_line(text, "m->activations = first + STRUCT_BYTES + LIBRARY_BYTES + STATE_BYTES + PORT_BYTES;");
  emit_place_states(emitter, text);
  if (emit_derives(emitter)) text_line(text, "m->version = 1; /* what was never derived is out of date */");
  set_ports(emitter, text);
  text_line(text, "%s_open_library(m);", name);
  text_line(text, "return m;");
  text_close(text);
  text_blank(text);
}

/* Whether the caller can write to parameters: to those that are no part of the program. */
static bool has_changing_parameters(const struct emitter *emitter) {
  for (int i = 0; i < emitter->owners.count && !emitter->options.weights; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind == OWNER_STATES && owner->role == ROLE_PARAMETER) return true;
  }
  return false;
}

void emit_memory(struct emitter *emitter, struct text *text) {
  const char *name = emitter->name, *upper = emit_upper_name(emitter);
  long long activations = (long long)round_up(emit_activation_bytes(emitter)),
            states = (long long)round_up(emit_state_bytes(emitter)), ports = (long long)all_port_bytes(emitter);
  text_comment(text,
               "A model's memory: its struct, what the library keeps, the states, the arrays of inputs and outputs, "
               "the activations.");
  text_line(text, "#define STRUCT_BYTES ((sizeof(struct %s) + %d) / %d * %d)", name, ALIGNMENT - 1, ALIGNMENT,
            ALIGNMENT);
  text_line(text, "#define STATE_BYTES %lldu", states);
  text_line(text, "#define PORT_BYTES %lldu", ports);
  text_line(text, "#define ACTIVATION_BYTES %lldu", activations);
  text_blank(text);
  emit_arrange(emitter, text, states > 0, ports > 0, activations > 0);
  emitter->printer->dialect->print_checks(text, emitter->target, name);
  text_open(text, "size_t %s_size(void)", name);
  text_line(text,
            "const uint64_t bytes = (uint64_t)STRUCT_BYTES + LIBRARY_BYTES + STATE_BYTES + PORT_BYTES + "
            "ACTIVATION_BYTES + %d;",
            ALIGNMENT);
  text_line(text, "return bytes <= SIZE_MAX ? (size_t)bytes : 0;");
  text_close(text);
  text_blank(text);
  text_open(text, "int %s_place(struct %s **m, void *memory, size_t size)", name, name);
  text_line(text, "*m = NULL;");
  text_line(text, "if (%s_problem()) return %s_WRONG_MACHINE;", name, upper);
  text_line(text, "if (!memory || !%s_size() || size < %s_size()) return %s_NO_MEMORY;", name, name, upper);
  text_line(text, "memset(memory, 0, %s_size() - ACTIVATION_BYTES);", name);
  text_line(text, "*m = %s_arrange(memory);", name);
  text_line(text, "return %s_OK;", upper);
  text_close(text);
  text_blank(text);
  text_open(text, "struct %s *%s_create(void)", name, name);
  text_line(text, "void *memory = %s_problem() || !%s_size() ? NULL : calloc(1, %s_size());", name, name, name);
  text_line(text, "if (!memory) return NULL;");
  text_line(text, "struct %s *m = %s_arrange(memory);", name, name);
  text_line(text, "m->own = memory;");
  text_line(text, "return m;");
  text_close(text);
  text_blank(text);
  text_open(text, "void %s_destroy(struct %s *m)", name, name);
  text_line(text, "if (!m) return;");
  text_raw(text, arena_format(emitter->arena, "#ifndef %s_ALONE\n", upper));
  text_line(text, "lam_model_end(m->library);");
  text_raw(text, "#endif\n");
  text_line(text, "free(m->own);");
  text_close(text);
  text_blank(text);
  if (has_changing_parameters(emitter)) {
    text_open(text, "void %s_changed(struct %s *m)", name, name);
    const bool prunes = emit_routine_find(emitter, ROUTINE_prune) != NULL;
    if (prunes)
      text_line(text, "m->pruned = %s;", emit_routine_find(emitter, ROUTINE_train) ? "-(m->trained + 1)" : "0");
    if (emit_derives(emitter) || !prunes) text_line(text, "%s;", emit_derives(emitter) ? "m->version++" : "(void)m");
    text_close(text);
    text_blank(text);
  }
  text_open(text, "const char *%s_message(const struct %s *m)", name, name);
  text_line(text, "return m && m->message ? m->message : \"\";");
  text_close(text);
  text_blank(text);
}

/* In the order of enum lam_status, runtime/model.h. */
const char *const emit_statuses[] = {"OK",          "WRONG_MACHINE", "NO_MEMORY",  "WRONG_ARGUMENT",
                                     "CANNOT_READ", "CANNOT_WRITE",  "WRONG_FILE", "NOT_FINITE",
                                     NULL};
static const char *const status_comments[] = {
    [6] = "it is damaged, or does not fit the model",
    [7] = "an infinity or NaN where a number is wanted",
};

void emit_memory_header(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  const char *name = emitter->name, *upper = emit_upper_name(emitter);
  text_comment(text, "What functions return. One that fails has changed nothing.");
  text_open(text, "enum %s_status", name);
  for (int i = 0; emit_statuses[i]; i++) {
    const char *comment = !strcmp(emit_statuses[i], "WRONG_MACHINE") ? arena_format(arena, "%s_problem says why", name)
                                                                     : status_comments[i];
    text_line(text, "%s_%s,%s", upper, emit_statuses[i], comment ? arena_format(arena, " /* %s */", comment) : "");
  }
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
  text_comment(text,
               "A new model, all of it zero; or NULL without enough memory, or on a machine where numbers would be "
               "wrong. It is for destroy to free.");
  text_line(text, "struct %s *%s_create(void);", name, name);
  text_line(text, "void %s_destroy(struct %s *m);", name, name);
  text_comment(
      text,
      arena_format(arena,
                   "The same in memory of the caller's own, at any address: at least %s_size() bytes, which is 0 where "
                   "this machine cannot address as many. The memory stays the caller's; %s_destroy frees what the "
                   "model took beside it.",
                   name, name));
  text_line(text, "size_t %s_size(void);", name);
  text_line(text, "int %s_place(struct %s **m, void *memory, size_t size);", name, name);
  text_comment(
      text,
      "Why the model cannot run here: what the processor lacks, or what its compiler was told; NULL where it can.");
  text_line(text, "const char *%s_problem(void);", name);
  if (has_changing_parameters(emitter)) {
    text_comment(text,
                 "To be called after writing to parameters or averages through their pointers: routines keep what they "
                 "compute of these alone. Functions that change parameters do so themselves.");
    text_line(text, "void %s_changed(struct %s *m);", name, name);
  }
  text_comment(text, "What was wrong with the call that has just failed; \"\" where none has. Later calls change it.");
  text_line(text, "const char *%s_message(const struct %s *m);", name, name);
}
