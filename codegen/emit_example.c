/* NAME_example.c: the shortest program around a model, for who begins with one. */
#include "codegen/emit.h"
#include "codegen/emit_text.h"

/* The routine that shows most of what a caller does. NULL: none has outputs. */
static const struct routine *routine_to_show(const struct emitter *emitter) {
  static const int preferred[] = {ROUTINE_predict,    ROUTINE_COUNT, ROUTINE_step,      ROUTINE_evaluate,
                                  ROUTINE_accumulate, ROUTINE_train, ROUTINE_synthesize};
  for (size_t i = 0; i < sizeof preferred / sizeof *preferred; i++) {
    const struct routine *routine = emit_routine_find(emitter, preferred[i]);
    if (routine && routine->outputs.count) return routine;
  }
  return NULL;
}

static const char *port_text(const struct emitter *emitter, const struct routine *routine, const struct buffer *port) {
  return arena_format(emitter->arena, "m->%s.%s", routine->name, emit_place(emitter, port)->field->name);
}

/* Numbers that any model takes: ids from 0 on, positions in order, half of one, yes. The routine itself sets its step, and create the number
   of steps. */
static void fill_input(const struct emitter *emitter, struct text *text, const struct routine *routine,
                       const struct buffer *input) {
  if (input->run_input == RUN_STEP || input->run_input == RUN_STEPS) return;
  const char *port = port_text(emitter, routine, input), *value = emitter->target->double_precision ? "0.5" : "0.5f";
  const long long range = (long long)emit_range(routine, input);
  if (input->type == TYPE_BOOLEAN) value = "1";
  if (input->type == TYPE_INTEGER) value = range ? arena_format(emitter->arena, "i %% %lld", range) : "i";
  if (emit_is_scalar(emit_place(emitter, input)->field))
    text_line(text, "%s = 1;", port);
  else
    text_line(text, "for (int i = 0; i < %lld; i++) %s[i] = %s;", (long long)input->count, port, value);
}

static void print_output(const struct emitter *emitter, struct text *text, const struct routine *routine,
                         const struct buffer *output) {
  const bool scalar = emit_is_scalar(emit_place(emitter, output)->field), real = output->type == TYPE_REAL;
  text_line(text, "printf(\"%s%s: %%%s\\n\", %s%s%s);", output->label, scalar ? "" : ", the first element",
            real ? "g" : "d", real ? "(double)" : "(int)", port_text(emitter, routine, output), scalar ? "" : "[0]");
}

static const char *call_text(const struct emitter *emitter, const struct routine *routine) {
  const struct routine_parameters parameters = emit_parameters(emitter, routine);
  const char *list = "m";
  if (parameters.step) list = emit_join(emitter->arena, list, "1");
  if (parameters.seed) list = emit_join(emitter->arena, list, "1");
  for (int i = 0; i < parameters.sizes; i++) list = emit_join(emitter->arena, list, "1");
  return arena_format(emitter->arena, "%s_%s(%s)", emitter->name, routine->name, list);
}

/* Fills the inputs, and calls the routine unless something failed before. */
static void show_routine(const struct emitter *emitter, struct text *text, const struct routine *routine) {
  for (int i = 0; i < routine->inputs.count; i++) fill_input(emitter, text, routine, routine->inputs.items[i]);
  text_line(text, "if (!status) status = %s;", call_text(emitter, routine));
}

const char *emit_example(struct emitter *emitter) {
  struct arena *arena = emitter->arena;
  struct text *text = text_new(arena);
  const char *name = emitter->name, *file = emitter->program->name;
  const struct routine *routine = routine_to_show(emitter);
  const bool loads = emit_has_files(emitter);
  text_comment(
      text, arena_format(arena,
                         "%s_example.c: runs the model %s once, on numbers that say nothing%s. Written by Lamella %s.\n"
                         "  cc -O2 %s_example.c %s lamella.c -o %s_example -lm",
                         file, file, loads ? ", with the weights of the file that it is given" : "", LAMELLA_VERSION,
                         file, emit_core_files(emitter), file));
  text_raw(text, arena_format(arena, "#include \"%s.h\"\n\n#include <stdio.h>\n\n", file));
  text_open(text, loads ? "int main(int count, char **arguments)" : "int main(void)");
  text_line(text, "struct %s *m = %s_create();", name, name);
  text_line(
      text,
      "if (!m) return fputs(\"there is not enough memory, or this processor is not the target's\\n\", stderr), 1;");
  if (loads)
    text_line(text, "int status = count > 1 ? %s_load(m, arguments[1]) : %s_initialize(m, 1);", name, name);
  else
    text_line(text, "int status = 0;");
  const bool generates = routine && routine->number == ROUTINE_step;
  const struct routine *prepare = generates ? emit_routine_find(emitter, ROUTINE_prepare) : NULL;
  if (prepare) show_routine(emitter, text, prepare);
  if (routine) show_routine(emitter, text, routine);
  text_line(text, "if (status) fprintf(stderr, \"%%s\\n\", %s_message(m));", name);
  if (routine) {
    text_open(text, "if (!status)");
    for (int i = 0; i < routine->outputs.count; i++) print_output(emitter, text, routine, routine->outputs.items[i]);
    text_close(text);
  }
  text_line(text, "%s_destroy(m);", name);
  text_line(text, "return status != 0;");
  text_close(text);
  return text_string(text);
}
